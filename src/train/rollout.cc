#include "train/rollout.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/rng.h"
#include "llm/kv_cache.h"
#include "train/rank_bytes.h"

namespace hone::train {

namespace {

// Gathers the completions of one prompt.
class Listener : public llm::BatchListener {
 public:
  Listener(Group& group, bool cuts) : group_(group), cuts_(cuts) {}
  void on_token(const llm::TokenEvent& event) override {
    Completion& completion = group_.completions[event.sample];
    completion.ids.push_back(event.id);
    completion.log_probs.push_back(event.log_prob);
    if (cuts_) completion.kept.push_back(event.kept);
    completion.text += event.text;
  }
  void on_end(const llm::EndEvent& event) override {
    Completion& completion = group_.completions[event.sample];
    completion.ended = event.reason == llm::FinishReason::kStop;
    completion.text += event.text;
  }
  void on_done(const Error* error) override {
    if (error != nullptr) throw *error;
  }

 private:
  Group& group_;
  bool cuts_;
};

// What a rollout fills, for other ranks.
std::string to_bytes(const std::vector<Group>& groups) {
  RankWriter writer;
  for (const Group& group : groups) {
    writer.value(uint64_t{group.prompt});
    writer.value(uint64_t{group.completions.size()});
    for (const Completion& c : group.completions) {
      writer.list(c.ids);
      writer.list(c.log_probs);
      writer.list(c.kept);
      writer.value(static_cast<unsigned char>(c.ended ? 1 : 0));
      writer.text(c.text);
    }
  }
  return writer.take();
}

Group group_from(RankReader& reader) {
  Group group;
  group.prompt = reader.value<uint64_t>();
  group.completions.resize(reader.value<uint64_t>());
  for (Completion& c : group.completions) {
    c.ids = reader.list<int32_t>();
    c.log_probs = reader.list<float>();
    c.kept = reader.list<float>();
    c.ended = reader.value<unsigned char>() != 0;
    c.text = reader.text();
  }
  return group;
}

}  // namespace

Rollouts::Rollouts(tensor::Compute& compute, Speaker speaker, const RolloutOptions& options,
                   size_t longest_prompt, Communicator& ranks)
    : compute_(compute),
      ranks_(ranks),
      speaker_(std::move(speaker)),
      options_(options),
      batcher_(batcher_options(speaker_.model->config, options,
                               speaker_.adapter == nullptr ? 0 : speaker_.adapter->max_rank(),
                               longest_prompt)) {
  llm::validate(options.sampling);
}

llm::BatcherOptions Rollouts::batcher_options(const llm::ModelConfig& config,
                                              const RolloutOptions& options, size_t lora_rank,
                                              size_t longest_prompt) {
  constexpr size_t kPromptRows = 512;
  llm::BatcherOptions room;
  room.max_samples = std::max<size_t>(1, options.batch_size);
  const size_t end =
      std::min(config.context_length, longest_prompt + options.max_completion_length);
  const size_t sample_pages = llm::KvCache::pages_for(end) + 1;
  const size_t prompt_pages = llm::KvCache::pages_for(longest_prompt);
  // Every sample at its longest, a prompt each, and a page to spare: nobody is put aside.
  room.page_count = room.max_samples * (sample_pages + 1) + prompt_pages * room.max_samples;
  room.rows_per_pass = room.max_samples + kPromptRows;
  room.prompt_rows_beside_writing = kPromptRows;
  room.max_lora_rank = lora_rank;
  return room;
}

uint64_t Rollouts::planned_bytes(const llm::ModelConfig& config, const RolloutOptions& options,
                                 size_t lora_rank, size_t longest_prompt, size_t answers) {
  llm::BatcherOptions room = batcher_options(config, options, lora_rank, longest_prompt);
  if (answers <= room.max_samples) {
    // All are written in one go, so that no page of an earlier one is kept beside them; of what there
    // is room for, pages and rows that nobody writes are no memory.
    const size_t prompts = (answers + options.num_generations - 1) / options.num_generations;
    const size_t end =
        std::min(config.context_length, longest_prompt + options.max_completion_length);
    room.max_samples = std::max<size_t>(1, answers);
    room.page_count = answers * llm::KvCache::pages_for(end) +
                      prompts * llm::KvCache::pages_for(longest_prompt) + 1;
    room.prompt_rows_beside_writing =
        std::min(room.prompt_rows_beside_writing, prompts * longest_prompt);
    room.rows_per_pass = room.max_samples + room.prompt_rows_beside_writing;
  }
  const llm::Batcher::Memory memory = llm::Batcher::planned_memory(config, room);
  return memory.pages + memory.passes;
}

std::vector<Group> Rollouts::generate(const std::vector<llm::PromptTokens>& prompts,
                                      std::span<const size_t> chosen, std::string_view stream,
                                      uint64_t step, size_t first_place) {
  if (ranks_.size() == 1) return answer(prompts, chosen, stream, step, first_place);
  const std::vector<size_t> begin = deal(chosen.size(), ranks_.size());
  const size_t first = begin[ranks_.rank()], count = begin[ranks_.rank() + 1] - first;
  std::vector<Group> own;
  if (count > 0) {
    own = answer(prompts, chosen.subspan(first, count), stream, step, first_place + first);
  }
  std::vector<Group> all;
  for (const std::string& bytes : ranks_.gather(to_bytes(own))) {
    RankReader reader(bytes);
    while (!reader.done()) all.push_back(group_from(reader));
  }
  HONE_CHECK(all.size() == chosen.size());
  return all;
}

std::vector<Group> Rollouts::answer(const std::vector<llm::PromptTokens>& prompts,
                                    std::span<const size_t> chosen, std::string_view stream,
                                    uint64_t step, size_t first_place) {
  std::vector<Group> groups(chosen.size());
  std::vector<Listener> listeners;
  listeners.reserve(chosen.size());
  llm::Batcher batcher(compute_, *speaker_.model, speaker_.tokenizer, speaker_.end_of_generation,
                       batcher_);
  for (size_t i = 0; i < chosen.size(); ++i) {
    groups[i].prompt = chosen[i];
    groups[i].completions.resize(options_.num_generations);
    listeners.emplace_back(groups[i], cuts(options_.sampling));
    llm::BatchRequest request;
    request.prompt = prompts[chosen[i]].ids;
    request.adapter = speaker_.adapter;
    request.seed = options_.seed;
    request.index = rng_stream(stream, step, first_place + i);
    request.n = options_.num_generations;
    request.max_tokens = options_.max_completion_length;
    request.sampling = options_.sampling;
    if (options_.sampling.temperature > 0) {
      request.head_scale = head_scale(options_.sampling.temperature);
      request.sampling.temperature = 1;
    }
    if (speaker_.tokenizer != nullptr) request.stop = options_.stop;
    batcher.add(std::move(request), listeners.back());
  }
  while (batcher.step()) {
  }
  return groups;
}

bool cuts(const llm::SamplingOptions& sampling) {
  return sampling.top_p < 1 || sampling.top_k > 0 || sampling.min_p > 0;
}

float head_scale(double temperature) { return static_cast<float>(1 / temperature); }

llm::TreeExample group_tree(const std::vector<int32_t>& prompt,
                            const std::vector<Completion>& completions, bool prefix_sharing) {
  llm::TreeExample example;
  if (prefix_sharing) example.tree.nodes.push_back({-1, prompt});
  for (const Completion& completion : completions) {
    const auto node = static_cast<uint32_t>(example.tree.nodes.size());
    std::vector<int32_t> tokens;
    if (!prefix_sharing) tokens = prompt;
    const auto offset = static_cast<uint32_t>(tokens.size());
    tokens.insert(tokens.end(), completion.ids.begin(), completion.ids.end());
    example.tree.nodes.push_back({prefix_sharing ? 0 : -1, std::move(tokens)});
    for (uint32_t t = 0; t < completion.ids.size(); ++t) {
      example.targets.push_back({node, offset + t});
    }
  }
  return example;
}

}  // namespace hone::train
