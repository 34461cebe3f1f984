#include "llm/batch_answer.h"

namespace hone::llm {

std::unique_ptr<BatchStream> make_sample(const BatchStream& prompt, size_t number,
                                         const Tokenizer* tokenizer) {
  const BatchRequest& request = prompt.request();
  auto sample = std::make_unique<BatchStream>();
  sample->owner = prompt.owner;
  sample->is_prompt = false;
  sample->sample = number;
  sample->tokens = request.prompt;
  if (request.constraint != nullptr) sample->constraint = request.constraint->clone();
  if (tokenizer != nullptr && request.want_text) {
    DecodeOptions decode;
    decode.strip_leading_space = false;
    sample->decoder = std::make_unique<StreamDecoder>(*tokenizer, decode);
    sample->stops = std::make_unique<StopTexts>(request.stop);
  }
  return sample;
}

namespace {

// Everything that is still held back. Nothing of it was found to be a stop text.
std::string rest_of(BatchStream& stream) {
  if (stream.decoder == nullptr) return {};
  std::string rest = stream.stops->flush();
  rest += stream.decoder->flush();
  return rest;
}

}  // namespace

std::optional<SampleEnd> write_token(const Draw& draw, const TokenDrawer& drawer,
                                     const Tokenizer* tokenizer, size_t context_length) {
  BatchStream& stream = *draw.stream;
  const BatchRequest& request = stream.request();
  const float log_prob = draw.logits[static_cast<size_t>(draw.token)] - draw.row.lse;
  stream.tokens.push_back(draw.token);
  stream.answer_scores.push_back({log_prob, draw.row.argmax, draw.row.max_logit - draw.row.lse});
  const bool ends = drawer.ends(request, draw.token);
  StopTexts::Found found;
  // Rows of a model beyond its words mean nothing.
  if (!ends && stream.decoder != nullptr &&
      static_cast<size_t>(draw.token) < tokenizer->vocab_size()) {
    found = stream.stops->push(stream.decoder->push(draw.token));
  }
  SampleEnd end;
  end.reason = FinishReason::kStop;
  bool finished = ends;
  if (!ends && stream.constraint != nullptr) {
    try {
      stream.constraint->accept(draw.token);
      finished = stream.constraint->finished();
    } catch (const Error& error) {
      end.failure = error;
      return end;
    }
  }
  stream.owner->listener->on_token(
      {stream.sample, draw.token, log_prob, draw.top, found.certain, draw.kept});
  if (found.stop != nullptr) {
    end.stop = *found.stop;
    return end;
  }
  if (ends) end.token = draw.token;
  if (!finished) {
    if (stream.answer().size() < request.max_tokens && stream.tokens.size() < context_length) {
      return std::nullopt;
    }
    end.reason = FinishReason::kLength;
  }
  end.text = rest_of(stream);
  return end;
}

}  // namespace hone::llm
