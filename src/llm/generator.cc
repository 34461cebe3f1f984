#include "llm/generator.h"

#include <algorithm>

#include "base/error.h"
#include "llm/kv_cache.h"

namespace hone::llm {

// Gathers the samples of one request.
class Generator::Listener : public BatchListener {
 public:
  Listener(const Generator& generator, const GenerationRequest& request, const Done& on_done)
      : generator_(generator), on_done_(on_done), samples_(request.n) {
    for (size_t i = 0; i < request.n; ++i) {
      samples_[i].index = request.index;
      samples_[i].sample = i;
    }
  }

  void on_token(const TokenEvent& event) override {
    GeneratedSample& sample = samples_[event.sample];
    sample.token_ids.push_back(event.id);
    sample.log_probs.push_back(event.log_prob);
    show(sample, event.text);
  }
  void on_end(const EndEvent& event) override {
    GeneratedSample& sample = samples_[event.sample];
    sample.finish_reason = event.reason;
    show(sample, event.text);
    on_done_(std::move(sample));
  }
  void on_done(const Error*) override {}

 private:
  void show(GeneratedSample& sample, std::string_view text) {
    if (text.empty()) return;
    sample.text += text;
    if (generator_.on_text) generator_.on_text(sample.index, sample.sample, text);
  }

  const Generator& generator_;
  const Done& on_done_;
  std::vector<GeneratedSample> samples_;
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

void Generator::make_room(std::span<const GenerationRequest> requests) {
  size_t sample_pages = 1, prompt_pages = 1, longest = 1, samples = 0;
  for (const GenerationRequest& r : requests) {
    const size_t room = model_.config.context_length - r.prompt.size();
    const size_t end = r.prompt.size() + std::min(r.max_tokens, room);
    sample_pages = std::max(sample_pages, KvCache::pages_for(end) + 1);
    prompt_pages = std::max(prompt_pages, KvCache::pages_for(r.prompt.size()));
    longest = std::max(longest, r.prompt.size());
    samples += r.n;
  }
  BatcherOptions room;
  room.max_samples = std::max<size_t>(1, std::min(options_.batch_size, samples));
  // Twice what has_room asks for, so that nobody waits for pages or is put aside.
  room.page_count = room.max_samples * (sample_pages + prompt_pages + 1);
  room.rows_per_pass =
      room.max_samples + std::min(options_.rows_per_pass, longest * room.max_samples);
  room.prompt_rows_beside_writing = room.rows_per_pass;
  room.max_lora_rank = adapter_ == nullptr ? 0 : adapter_->max_rank();
  if (batcher_ != nullptr && room_.max_samples >= room.max_samples &&
      room_.page_count >= room.page_count && room_.rows_per_pass >= room.rows_per_pass) {
    return;
  }
  room_ = room;
  batcher_.reset();  // never both at once
  batcher_ = std::make_unique<Batcher>(compute_, model_, tokenizer_, end_of_generation_, room_);
}

BatchRequest Generator::batch_request(GenerationRequest request) const {
  BatchRequest out;
  out.prompt = std::move(request.prompt);
  out.adapter = adapter_;
  out.seed = options_.seed;
  out.index = request.index;
  out.n = request.n;
  out.max_tokens = request.max_tokens;
  out.sampling = std::move(request.sampling);
  if (tokenizer_ != nullptr) out.stop = std::move(request.stop);
  return out;
}

void Generator::run(std::vector<GenerationRequest> requests, const Done& on_done) {
  for (const GenerationRequest& request : requests) check(request);
  std::erase_if(requests, [](const GenerationRequest& request) { return request.n == 0; });
  make_room(requests);
  std::vector<std::unique_ptr<Listener>> listeners;
  try {
    for (GenerationRequest& request : requests) {
      listeners.push_back(std::make_unique<Listener>(*this, request, on_done));
      batcher_->add(batch_request(std::move(request)), *listeners.back());
    }
    while (batcher_->step()) {
    }
  } catch (...) {
    batcher_.reset();
    throw;
  }
}

}  // namespace hone::llm
