#include "openai/completion_exchange.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace hone::openai {

void LegacyLogProbs::add_name(const llm::Tokenizer& tokenizer, int32_t id,
                              std::string_view offset_bytes) {
  if (!tokens_.empty()) {
    for (std::string* list : {&tokens_, &log_probs_, &top_, &offsets_}) *list += ',';
  }
  append_json_string(tokens_, token_text(tokenizer, id));
  offsets_ += std::to_string(characters_.offset());
  characters_.add(offset_bytes);
}

void LegacyLogProbs::add(const llm::Tokenizer& tokenizer, int32_t id, float log_prob,
                         std::span<const llm::TokenLogProb> top, std::string_view offset_bytes) {
  add_name(tokenizer, id, offset_bytes);
  log_probs_ += number_to_string(log_prob);
  append_top_map(top_, tokenizer, {id, log_prob}, top);
}

void LegacyLogProbs::add_first(const llm::Tokenizer& tokenizer, int32_t id,
                               std::string_view offset_bytes) {
  add_name(tokenizer, id, offset_bytes);
  log_probs_ += "null";
  top_ += "null";
}

std::string LegacyLogProbs::take() {
  std::string out = "{\"tokens\":[" + tokens_ + "],\"token_logprobs\":[" + log_probs_ +
                    "],\"top_logprobs\":[" + top_ + "],\"text_offset\":[" + offsets_ + "]}";
  for (std::string* list : {&tokens_, &log_probs_, &top_, &offsets_}) list->clear();
  return out;
}

CompletionExchange::CompletionExchange(Service& service, Caller caller, ServedModelPointer model,
                                       CompletionRequest request, std::vector<Prompt> prompts,
                                       size_t max_tokens)
    : Exchange(service, std::move(caller), std::move(model)),
      request_(std::move(request)),
      prompts_(std::move(prompts)),
      samples_(request_.best_of),
      settings_(settings_json(request_, max_tokens).dump()),
      head_((set_id("cmpl-"), head())),
      choices_(prompts_.size() * samples_) {}

std::string CompletionExchange::head() const {
  return "{\"id\":\"" + id() +
         "\",\"object\":\"text_completion\",\"created\":" + std::to_string(created_s()) +
         ",\"model\":" + json_text(model().name) + ",\"system_fingerprint\":\"" +
         model().fingerprint + "\"";
}

void CompletionExchange::add_prompt(Choice& choice, const Prompt& prompt,
                                    std::span<const llm::PromptTokenScore> scores) {
  if (!request_.log_probs || scores.size() != prompt.ids.size()) return;
  const llm::Tokenizer& tokenizer = service().tokenizer();
  for (size_t i = 0; i < scores.size(); ++i) {
    const int32_t id = prompt.ids[i];
    const std::string_view bytes =
        i < prompt.without_text ? std::string_view() : token_bytes(tokenizer, id);
    if (i == 0) {
      choice.log_probs.add_first(tokenizer, id, bytes);
    } else if (*request_.log_probs == 0) {
      choice.log_probs.add(tokenizer, id, scores[i].log_prob, {}, bytes);
    } else if (scores[i].top.empty()) {
      choice.log_probs.add(tokenizer, id, scores[i].log_prob, {&scores[i].most_likely, 1}, bytes);
    } else {
      choice.log_probs.add(tokenizer, id, scores[i].log_prob, scores[i].top, bytes);
    }
  }
}

void CompletionExchange::on_prompt(size_t prompt, size_t,
                                   std::span<const llm::PromptTokenScore> scores) {
  if (!request_.echo) return;
  for (size_t sample = 0; sample < samples_; ++sample) {
    add_prompt(choice(prompt, sample), prompts_[prompt], scores);
    if (is_stream()) {
      // Without an answer the prompt is the last that is sent.
      send_chunk(prompt, sample, prompts_[prompt].text,
                 request_.max_tokens == size_t{0} ? "length" : "");
    } else {
      choice(prompt, sample).text = prompts_[prompt].text;
    }
  }
}

void CompletionExchange::on_token(size_t prompt, const llm::TokenEvent& event) {
  Choice& one = choice(prompt, event.sample);
  one.log_prob_sum += static_cast<double>(event.log_prob);
  ++one.tokens;
  if (request_.return_token_ids) one.ids.push_back(event.id);
  if (request_.log_probs) {
    one.log_probs.add(service().tokenizer(), event.id, event.log_prob, event.top,
                      token_bytes(service().tokenizer(), event.id));
  }
  if (!is_stream()) {
    one.text += event.text;
  } else if (!event.text.empty() || request_.log_probs) {
    send_chunk(prompt, event.sample, event.text, {});
  }
}

void CompletionExchange::on_end(size_t prompt, const llm::EndEvent& event) {
  Choice& one = choice(prompt, event.sample);
  one.finish_reason = llm::name(event.reason);
  if (!is_stream()) {
    one.text += event.text;
    return;
  }
  send_chunk(prompt, event.sample, event.text, one.finish_reason);
}

std::vector<size_t> CompletionExchange::best_of(size_t prompt) const {
  std::vector<size_t> places(samples_);
  std::iota(places.begin(), places.end(), prompt * samples_);
  if (samples_ == request_.n) return places;
  const auto mean = [&](size_t place) {
    const Choice& one = choices_[place];
    return one.tokens == 0 ? 0.0 : one.log_prob_sum / static_cast<double>(one.tokens);
  };
  std::stable_sort(places.begin(), places.end(),
                   [&](size_t a, size_t b) { return mean(a) > mean(b); });
  places.resize(request_.n);
  return places;
}

std::string CompletionExchange::choice_json(Choice& one, size_t index, const Prompt& prompt) {
  std::string out = "{\"index\":" + std::to_string(index) + ",\"text\":" + json_text(one.text) +
                    ",\"logprobs\":" + (request_.log_probs ? one.log_probs.take() : "null") +
                    ",\"finish_reason\":" + json_text(one.finish_reason);
  if (request_.return_token_ids) {
    out += ",\"token_ids\":" + ids_json(one.ids);
    out += ",\"prompt_token_ids\":" + ids_json(prompt.ids);
  }
  return out + "}";
}

std::string CompletionExchange::finish() {
  const std::string usage = usage_json(prompt_tokens(), cached_tokens(), generated_tokens());
  if (is_stream()) {
    if (request_.include_usage) send(head_ + ",\"choices\":[],\"usage\":" + usage + "}");
    return {};
  }
  std::string out = head_ + ",\"choices\":[";
  size_t index = 0;
  for (size_t p = 0; p < prompts_.size(); ++p) {
    for (const size_t place : best_of(p)) {
      if (index > 0) out += ',';
      out += choice_json(choices_[place], index++, prompts_[p]);
    }
  }
  return out + "],\"usage\":" + usage + ",\"settings\":" + settings_ + "}";
}

void CompletionExchange::send_chunk(size_t prompt, size_t sample, std::string_view text,
                                    std::string_view finish_reason) {
  Choice& one = choice(prompt, sample);
  std::string out = head_;
  out += ",\"choices\":[{\"index\":" + std::to_string(prompt * samples_ + sample) + ",\"text\":";
  append_json_string(out, text);
  out += ",\"logprobs\":";
  out += request_.log_probs && !one.log_probs.empty() ? one.log_probs.take() : "null";
  out += ",\"finish_reason\":";
  if (finish_reason.empty()) {
    out += "null";
  } else {
    append_json_string(out, finish_reason);
  }
  if (request_.return_token_ids) {
    out += ",\"token_ids\":" + ids_json(one.ids);
    one.ids.clear();
    if (!one.has_begun) out += ",\"prompt_token_ids\":" + ids_json(prompts_[prompt].ids);
  }
  one.has_begun = true;
  out += "}]";
  if (request_.include_usage) out += ",\"usage\":null";
  if (first_chunk_) {
    out += ",\"settings\":" + settings_;
    first_chunk_ = false;
  }
  send(out + "}");
}

}  // namespace hone::openai
