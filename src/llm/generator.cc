#include "llm/generator.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/rng.h"
#include "tensor/matmul.h"

namespace hone::llm {

std::string_view name(FinishReason reason) {
  return reason == FinishReason::kStop ? "stop" : "length";
}

// A prompt that is being read, and after that the start of its samples.
struct Generator::Prompt {
  std::shared_ptr<const GenerationRequest> request;
  KvCache::SequenceId sequence = 0;
  size_t read = 0;            // prompt tokens in the cache
  size_t next_sample = 0;     // samples that were started
  std::vector<float> logits;  // of the prompt's last token, once it is read
  float lse = 0;

  bool ready() const { return read == request->prompt.size(); }
  bool used_up() const { return next_sample == request->n; }
};

struct Generator::Sample {
  std::shared_ptr<const GenerationRequest> request;
  KvCache::SequenceId sequence = 0;
  GeneratedSample out;
  std::unique_ptr<StreamDecoder> decoder;
  size_t shown = 0;  // bytes of out.text that on_text has had
  bool done = false;
};

Generator::Generator(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                     const Tokenizer* tokenizer, std::vector<int32_t> end_of_generation,
                     const GeneratorOptions& options)
    : compute_(compute),
      model_(model),
      adapter_(adapter),
      tokenizer_(tokenizer),
      end_of_generation_(std::move(end_of_generation)),
      options_(options) {
  options_.batch_size = std::max<size_t>(options_.batch_size, 1);
}

Generator::~Generator() = default;

void Generator::check(const GenerationRequest& request) const {
  const std::string where = "prompt " + std::to_string(request.index);
  validate(request.sampling);
  if (request.prompt.empty()) {
    throw invalid_input(where +
                        " is empty: nothing can follow nothing; give it at least one token");
  }
  if (request.prompt.size() >= model_.config.context_length) {
    throw invalid_input(where + " has " + std::to_string(request.prompt.size()) +
                        " tokens, but the model's context is " +
                        std::to_string(model_.config.context_length) + ": shorten it");
  }
  if (request.max_tokens == 0) {
    throw invalid_input(where + " asks for 0 tokens (--max-tokens 0): ask for at least one");
  }
  for (int32_t id : request.prompt) {
    if (id < 0 || static_cast<size_t>(id) >= model_.config.vocab_size) {
      throw invalid_input(where + " holds token id " + std::to_string(id) +
                          ", which is not in the model's vocabulary of " +
                          std::to_string(model_.config.vocab_size));
    }
  }
}

void Generator::make_room(const std::vector<GenerationRequest>& requests) {
  size_t sample_pages = 1, prompt_pages = 1, longest = 1, samples = 0;
  for (const GenerationRequest& r : requests) {
    const size_t room = model_.config.context_length - r.prompt.size();
    const size_t end = r.prompt.size() + std::min(r.max_tokens, room);
    sample_pages = std::max(sample_pages, KvCache::pages_for(end) + 1);
    prompt_pages = std::max(prompt_pages, KvCache::pages_for(r.prompt.size()));
    longest = std::max(longest, r.prompt.size());
    samples += r.n;
  }
  const size_t sequences = std::max<size_t>(1, std::min(options_.batch_size, samples));
  const size_t pages = sequences * (sample_pages + prompt_pages);
  if (cache_ == nullptr || cache_->page_count() < pages) {
    cache_ = std::make_unique<KvCache>(model_.config, pages);
  }
  const size_t max_rows = sequences + std::min(options_.rows_per_pass, longest * sequences);
  if (workspace_ == nullptr || workspace_->max_rows() < max_rows) {
    workspace_ = std::make_unique<Workspace>(model_, adapter_, max_rows);
  }
  if (logits_.rows() < 2 * sequences) {
    gathered_ = tensor::Tensor(2 * sequences, model_.config.hidden_size);
    logits_ = tensor::Tensor(2 * sequences, model_.config.vocab_size);
    row_results_.resize(2 * sequences);
  }
}

void Generator::run(std::vector<GenerationRequest> requests, const Done& on_done) {
  for (const GenerationRequest& request : requests) check(request);
  drop_all();
  make_room(requests);
  for (GenerationRequest& request : requests) {
    if (request.n > 0) waiting_.push_back(std::move(request));
  }
  while (!waiting_.empty() || !prompts_.empty() || !samples_.empty()) {
    admit();
    step(on_done);
  }
}

// What a run that threw has left.
void Generator::drop_all() {
  if (!prompts_.empty() || !samples_.empty()) cache_.reset();
  waiting_.clear();
  prompts_.clear();
  samples_.clear();
}

void Generator::admit() {
  // Samples of prompts that are read come first: their pages are held already.
  for (auto& prompt : prompts_) {
    while (prompt->ready() && samples_.size() < options_.batch_size && !prompt->used_up()) {
      auto sample = std::make_unique<Sample>();
      sample->request = prompt->request;
      sample->sequence = cache_->fork(prompt->sequence, prompt->request->prompt.size());
      sample->out.index = prompt->request->index;
      sample->out.sample = prompt->next_sample++;
      if (tokenizer_ != nullptr) {
        DecodeOptions decode;
        decode.strip_leading_space = false;
        sample->decoder = std::make_unique<StreamDecoder>(*tokenizer_, decode);
      }
      take_token(*sample, prompt->logits, prompt->lse);
      samples_.push_back(std::move(sample));
    }
  }
  std::erase_if(prompts_, [&](const auto& prompt) {
    if (prompt->used_up()) cache_->release(prompt->sequence);
    return prompt->used_up();
  });
  while (!waiting_.empty() && samples_.size() + prompts_.size() < options_.batch_size) {
    auto prompt = std::make_unique<Prompt>();
    prompt->request = std::make_shared<const GenerationRequest>(std::move(waiting_.front()));
    waiting_.pop_front();
    prompt->sequence = cache_->create();
    prompts_.push_back(std::move(prompt));
  }
}

void Generator::step(const Done& on_done) {
  // What ended on its first token needs no pass.
  const auto retire = [&] {
    for (auto& sample : samples_) {
      if (!sample->done) continue;
      cache_->release(sample->sequence);
      on_done(std::move(sample->out));
    }
    std::erase_if(samples_, [](const auto& sample) { return sample->done; });
  };
  retire();

  rows_.clear();
  std::vector<size_t> wanted;  // rows whose logits are needed: samples first, then prompts
  for (auto& sample : samples_) {
    const size_t at = cache_->length(sample->sequence);
    HONE_CHECK(cache_->extend(sample->sequence, 1));
    const int32_t last = sample->out.token_ids.back();
    wanted.push_back(rows_.size());
    rows_.append(sample->sequence, at, {&last, 1});
  }
  const size_t decoding = samples_.size();
  std::vector<Prompt*> finished;
  size_t budget = workspace_->max_rows() - rows_.size();
  for (auto& prompt : prompts_) {
    if (prompt->ready() || budget == 0) continue;
    const size_t count = std::min(budget, prompt->request->prompt.size() - prompt->read);
    HONE_CHECK(cache_->extend(prompt->sequence, count));
    rows_.append(prompt->sequence, prompt->read,
                 std::span(prompt->request->prompt).subspan(prompt->read, count));
    prompt->read += count;
    budget -= count;
    if (prompt->ready()) {
      wanted.push_back(rows_.size() - 1);
      finished.push_back(prompt.get());
    }
  }
  if (rows_.size() == 0) return;

  const tensor::View<const float> hidden =
      forward(compute_, model_, adapter_, rows_, *cache_, *workspace_);
  if (wanted.empty()) return;
  for (size_t i = 0; i < wanted.size(); ++i) {
    std::memcpy(gathered_.view().row(i), hidden.row(wanted[i]), hidden.cols * sizeof(float));
  }
  const tensor::View<float> logits = logits_.rows_view(0, wanted.size());
  const tensor::MatmulPart head = {
      gathered_.rows_view(0, wanted.size()), &model_.head(), logits, nullptr, false, 1.0f};
  tensor::matmul(compute_, {&head, 1});
  tensor::log_softmax_rows(compute_, logits, row_results_.data());
  for (size_t i = 0; i < decoding; ++i) {
    take_token(*samples_[i], {logits.row(i), logits.cols}, row_results_[i].lse);
  }
  for (size_t i = 0; i < finished.size(); ++i) {
    const float* row = logits.row(decoding + i);
    finished[i]->logits.assign(row, row + logits.cols);
    finished[i]->lse = row_results_[decoding + i].lse;
  }
  retire();
}

void Generator::take_token(Sample& sample, std::span<const float> logits, float lse) {
  const GenerationRequest& request = *sample.request;
  Rng rng(options_.seed, rng_stream("sample", request.index, sample.out.sample),
          sample.out.token_ids.size());
  const int32_t token = sampler_.sample(logits, request.sampling, request.prompt,
                                        sample.out.token_ids, rng.uniform());
  sample.out.token_ids.push_back(token);
  sample.out.log_probs.push_back(logits[static_cast<size_t>(token)] - lse);
  if (std::find(end_of_generation_.begin(), end_of_generation_.end(), token) !=
      end_of_generation_.end()) {
    return close(sample, FinishReason::kStop);
  }
  if (sample.decoder != nullptr) {
    sample.out.text += sample.decoder->push(token);
    if (stop_text_reached(sample)) return close(sample, FinishReason::kStop);
  }
  const size_t total = request.prompt.size() + sample.out.token_ids.size();
  if (sample.out.token_ids.size() >= request.max_tokens || total >= model_.config.context_length) {
    return close(sample, FinishReason::kLength);
  }
}

// Cuts the text at the first stop text; shows what can no longer be part of one.
bool Generator::stop_text_reached(Sample& sample) {
  const std::string& text = sample.out.text;
  size_t first = std::string::npos, held_back = 0;
  for (const std::string& stop : sample.request->stop) {
    if (stop.empty()) continue;
    first = std::min(first, text.find(stop));
    for (size_t n = std::min(stop.size() - 1, text.size()); n > held_back; --n) {
      if (text.compare(text.size() - n, n, stop, 0, n) == 0) {
        held_back = n;
        break;
      }
    }
  }
  if (first != std::string::npos) {
    sample.out.text.resize(first);
    sample.decoder.reset();  // nothing held back belongs to the answer any more
    return true;
  }
  emit(sample, held_back);
  return false;
}

void Generator::emit(Sample& sample, size_t held_back) {
  const size_t end = sample.out.text.size() - held_back;
  if (end <= sample.shown) return;
  if (on_text) {
    on_text(sample.out.index, sample.out.sample,
            std::string_view(sample.out.text).substr(sample.shown, end - sample.shown));
  }
  sample.shown = end;
}

void Generator::close(Sample& sample, FinishReason reason) {
  if (sample.decoder != nullptr) sample.out.text += sample.decoder->flush();
  emit(sample, 0);
  sample.out.finish_reason = reason;
  sample.done = true;
}

}  // namespace hone::llm
