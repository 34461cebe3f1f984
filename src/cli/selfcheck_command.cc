// hone selfcheck: the same texts in every way in which the engine can be asked, one hash a way.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>

#include "base/check.h"
#include "base/env.h"
#include "base/error.h"
#include "base/rng.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "cli/selfcheck_texts.h"
#include "llm/memory_plan.h"
#include "llm/scoring.h"
#include "llm/tree_scoring.h"
#include "seal/digest.h"
#include "tensor/recipe.h"

namespace hone::cli {

namespace {

constexpr uint64_t kSeed = 20240731;  // of strangers and samples: part of what is expected
constexpr size_t kStrangers = 26;     // beside the six texts: 32 in all
constexpr size_t kSequences = 32;
constexpr size_t kAnswerTokens = 12;
constexpr size_t kRowsPerPass = 512;
constexpr size_t kLongestText = 400;      // tokens
constexpr size_t kWaysOfOneCompute = 16;  // and one for every other number of threads
constexpr size_t kFixedLengths[] = {2, 19, 40, 84, 129, 330};  // of models without a tokenizer

using Ids = std::vector<int32_t>;
using LogProbs = std::vector<std::vector<float>>;  // per text, of its tokens 1, 2, ...

struct Answer {
  Ids ids;
  std::vector<float> log_probs;
};

struct Way {
  std::string name, hash, difference;  // difference: "" when it equals the first way
};

std::vector<Ids> texts_of(const LoadedModel& loaded) {
  const size_t vocab = loaded.model.config.vocab_size;
  const size_t longest = std::min(kLongestText, loaded.model.config.context_length - kAnswerTokens);
  std::vector<Ids> texts;
  for (size_t i = 0; i < std::size(kSelfcheckTexts); ++i) {
    Ids ids;
    if (loaded.codec) {
      ids = loaded.codec->tokenizer().encode(kSelfcheckTexts[i]);
    } else {
      Rng rng(kSeed, rng_stream("selfcheck-text", i));
      while (ids.size() < kFixedLengths[i]) ids.push_back(static_cast<int32_t>(rng.below(vocab)));
    }
    if (ids.size() > longest) ids.resize(longest);
    texts.push_back(std::move(ids));
  }
  return texts;
}

std::vector<Ids> strangers_of(const LoadedModel& loaded) {
  std::vector<Ids> strangers;
  for (size_t i = 0; i < kStrangers; ++i) {
    Rng rng(kSeed, rng_stream("selfcheck-stranger", i));
    Ids ids(1 +
            rng.below(std::min<size_t>(24, loaded.model.config.context_length - kAnswerTokens)));
    for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(loaded.model.config.vocab_size));
    strangers.push_back(std::move(ids));
  }
  return strangers;
}

void add_number(seal::Sha256& sha, uint32_t value) {
  char bytes[4];
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  sha.update({bytes, 4});
}

void add_bits(seal::Sha256& sha, const std::vector<float>& values) {
  add_number(sha, static_cast<uint32_t>(values.size()));
  for (float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    add_number(sha, bits);
  }
}

std::string hash_of(const LogProbs& texts) {
  seal::Sha256 sha;
  for (const std::vector<float>& text : texts) add_bits(sha, text);
  return sha.hex();
}

std::string hash_of(const std::vector<Answer>& answers) {
  seal::Sha256 sha;
  for (const Answer& answer : answers) {
    add_number(sha, static_cast<uint32_t>(answer.ids.size()));
    for (int32_t id : answer.ids) add_number(sha, static_cast<uint32_t>(id));
    add_bits(sha, answer.log_probs);
  }
  return sha.hex();
}

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; }

std::string first_difference(const LogProbs& expected, const LogProbs& found) {
  for (size_t t = 0; t < expected.size(); ++t) {
    if (expected[t].size() != found[t].size()) {
      return "text " + std::to_string(t + 1) + ": other length";
    }
    for (size_t i = 0; i < expected[t].size(); ++i) {
      if (same_bits(expected[t][i], found[t][i])) continue;
      return "text " + std::to_string(t + 1) + ", token " + std::to_string(i + 2) + ": " +
             number_to_string(expected[t][i]) + " became " + number_to_string(found[t][i]);
    }
  }
  return "";
}

std::string first_difference(const std::vector<Answer>& expected,
                             const std::vector<Answer>& found) {
  for (size_t t = 0; t < expected.size(); ++t) {
    const Answer &a = expected[t], &b = found[t];
    const size_t length = std::min(a.ids.size(), b.ids.size());
    for (size_t i = 0; i < length; ++i) {
      if (a.ids[i] == b.ids[i] && same_bits(a.log_probs[i], b.log_probs[i])) continue;
      return "answer " + std::to_string(t + 1) + ", token " + std::to_string(i + 1) + ": " +
             std::to_string(a.ids[i]) + " (" + number_to_string(a.log_probs[i]) + ") became " +
             std::to_string(b.ids[i]) + " (" + number_to_string(b.log_probs[i]) + ")";
    }
    if (a.ids.size() != b.ids.size()) return "answer " + std::to_string(t + 1) + ": other length";
  }
  return "";
}

// Every way of asking for the log-probabilities of the texts.
class Asker {
 public:
  Asker(const LoadedModel& loaded, std::vector<Ids> texts)
      : loaded_(loaded), texts_(std::move(texts)), strangers_(strangers_of(loaded)) {}

  const std::vector<Ids>& texts() const { return texts_; }

  // The most that one of the ways takes beside the weights.
  uint64_t peak_bytes() const {
    const llm::ModelConfig& config = loaded_.model.config;
    const size_t rank = loaded_.lora_rank();
    std::vector<Ids> rows = texts_;
    size_t text_rows = 0;
    for (const Ids& text : texts_) text_rows += text.size();
    rows.insert(rows.end(), strangers_.begin(), strangers_.end());
    llm::GeneratorOptions many;
    many.batch_size = kSequences;
    return std::max({llm::scoring_bytes(config, rank, rows, {16, 0, kRowsPerPass}),
                     llm::generation_bytes(config, rank, requests(0, kSequences), many),
                     llm::TrainingPass::planned_score_bytes(
                         config, rank, std::min(text_rows, kRowsPerPass), {})});
  }

  LogProbs scored(tensor::Compute& compute, size_t batch_size, size_t chunk,
                  bool with_strangers) const {
    // Strangers stand before, between and behind the texts.
    std::vector<Ids> rows;
    std::vector<size_t> text_of;  // per row: a text, or texts_.size()
    size_t next = 0;
    const auto add_strangers = [&](size_t count) {
      for (size_t i = 0; with_strangers && i < count && next < strangers_.size(); ++i) {
        rows.push_back(strangers_[next++]);
        text_of.push_back(texts_.size());
      }
    };
    for (size_t t = 0; t < texts_.size(); ++t) {
      add_strangers(1 + t % 4);
      rows.push_back(texts_[t]);
      text_of.push_back(t);
    }
    add_strangers(2);
    LogProbs out(texts_.size());
    llm::score_rows(compute, loaded_.model, loaded_.adapter_or_null(), rows,
                    {batch_size, chunk, kRowsPerPass},
                    [&](size_t row, const llm::ScoredTokens& scored) {
                      if (text_of[row] < texts_.size()) out[text_of[row]] = scored.log_probs;
                    });
    return out;
  }

  // The forward of training: each text a tree of one node, or a shared beginning with the text's
  // end and a stranger's as its two children.
  LogProbs trained(tensor::Compute& compute, bool forked) const {
    std::vector<llm::TreeExample> trees;
    for (const Ids& text : texts_) trees.push_back(forked ? fork_of(text) : sequence_of(text));
    llm::TrainingPass pass(compute, loaded_.model, loaded_.adapter_or_null(),
                           std::max(kRowsPerPass, llm::least_pass_rows(trees)), {});
    LogProbs out(texts_.size());
    llm::score_trees(pass, trees, [&](size_t i, const llm::TreeResult& result) {
      out[i].assign(result.log_probs.begin(), result.log_probs.end());
    });
    return out;
  }

  // The beginning is read once; the text and a stranger go on from it in forked pages.
  LogProbs forked(tensor::Compute& compute) const {
    LogProbs out(texts_.size());
    const llm::ModelConfig& config = loaded_.model.config;
    const size_t pages = 3 * llm::KvCache::pages_for(kLongestText + 24);
    llm::Workspace workspace(loaded_.model, loaded_.adapter_or_null(), kRowsPerPass);
    for (size_t t = 0; t < texts_.size(); ++t) {
      const Ids& text = texts_[t];
      if (text.size() < 2) continue;
      llm::KvCache cache(config, pages);
      const size_t split = split_of(text);
      const std::span<const int32_t> all(text);
      const llm::KvCache::SequenceId parent = cache.create();
      read(compute, cache, workspace, {{parent, 0, all.first(split)}}, &out[t], text);
      const llm::KvCache::SequenceId child = cache.fork(parent, split);
      const Ids& other = strangers_[t];
      const size_t other_size = std::min(other.size(), config.context_length - split);
      read(compute, cache, workspace,
           {{child, split, all.subspan(split)},
            {parent, split, std::span<const int32_t>(other).first(other_size)}},
           &out[t], text);
    }
    return out;
  }

  std::vector<llm::GenerationRequest> requests(double temperature, size_t batch_size) const {
    std::vector<llm::GenerationRequest> requests;
    const auto add = [&](const Ids& prompt, uint64_t index) {
      llm::GenerationRequest request;
      request.prompt = prompt;
      request.index = index;
      request.max_tokens = kAnswerTokens;
      request.sampling.temperature = temperature;
      requests.push_back(std::move(request));
    };
    // Strangers first, so that the texts come into a pass that is already at work.
    if (batch_size > 1) {
      for (size_t i = 0; i < strangers_.size(); ++i) add(strangers_[i], texts_.size() + i);
    }
    for (size_t i = 0; i < texts_.size(); ++i) add(texts_[i], i);
    return requests;
  }

  std::vector<Answer> generated(tensor::Compute& compute, double temperature,
                                size_t batch_size) const {
    llm::GeneratorOptions options;
    options.batch_size = batch_size;
    options.seed = kSeed;
    llm::Generator generator(compute, loaded_.model, loaded_.adapter_or_null(), nullptr,
                             loaded_.end_of_generation, options);
    std::vector<Answer> answers(texts_.size());
    generator.run(requests(temperature, batch_size), [&](llm::GeneratedSample sample) {
      if (sample.index >= texts_.size()) return;
      answers[sample.index] = {std::move(sample.token_ids), std::move(sample.log_probs)};
    });
    return answers;
  }

  // The answers with the log-probabilities that scoring gives their tokens.
  std::vector<Answer> scored_again(tensor::Compute& compute, std::vector<Answer> answers) const {
    std::vector<Ids> rows;
    for (size_t i = 0; i < texts_.size(); ++i) {
      rows.push_back(texts_[i]);
      rows.back().insert(rows.back().end(), answers[i].ids.begin(), answers[i].ids.end());
    }
    llm::score_rows(
        compute, loaded_.model, loaded_.adapter_or_null(), rows, {0, 0, kRowsPerPass},
        [&](size_t i, const llm::ScoredTokens& scored) {
          answers[i].log_probs.assign(
              scored.log_probs.begin() + static_cast<std::ptrdiff_t>(texts_[i].size()) - 1,
              scored.log_probs.end());
        });
    return answers;
  }

 private:
  struct Piece {
    llm::KvCache::SequenceId sequence;
    size_t begin;
    std::span<const int32_t> tokens;
  };

  static size_t split_of(const Ids& text) { return (text.size() + 1) / 2; }

  static llm::TreeExample sequence_of(const Ids& text) {
    llm::TreeExample example{llm::make_sequence(text), {}};
    for (uint32_t i = 1; i < text.size(); ++i) example.targets.push_back({0, i});
    return example;
  }

  llm::TreeExample fork_of(const Ids& text) const {
    const auto split = static_cast<std::ptrdiff_t>(split_of(text));
    const Ids end(text.begin() + split, text.end());
    if (end.empty()) return sequence_of(text);
    Ids other = strangers_[text.size() % strangers_.size()];
    other.resize(std::min(other.size(), end.size()));
    llm::TreeExample example{llm::make_group(Ids(text.begin(), text.begin() + split), {other, end}),
                             {}};
    for (uint32_t i = 1; i < static_cast<uint32_t>(split); ++i) example.targets.push_back({0, i});
    for (uint32_t i = 0; i < end.size(); ++i) example.targets.push_back({2, i});
    return example;
  }

  // One pass over the pieces; the first piece's log-probabilities of `text` are appended.
  void read(tensor::Compute& compute, llm::KvCache& cache, llm::Workspace& workspace,
            const std::vector<Piece>& pieces, std::vector<float>* log_probs,
            const Ids& text) const {
    llm::Rows rows;
    for (const Piece& piece : pieces) {
      if (piece.tokens.empty()) continue;
      HONE_CHECK(cache.extend(piece.sequence, piece.tokens.size()));
      rows.append(piece.sequence, piece.begin, piece.tokens);
    }
    // Row r of the first piece predicts token begin + r + 1. The row before a forked piece
    // predicted its first token when the beginning was read.
    std::vector<tensor::HeadTarget> targets;
    const Piece& first = pieces.front();
    for (size_t r = 0; r < first.tokens.size(); ++r) {
      if (first.begin + r + 1 >= text.size()) break;
      targets.push_back({static_cast<uint32_t>(r), text[first.begin + r + 1], 0.0f});
    }
    if (rows.size() == 0) return;
    const tensor::View<const float> hidden =
        llm::forward(compute, loaded_.model, loaded_.adapter_or_null(), rows, cache, workspace);
    if (targets.empty()) return;
    std::vector<float> found(targets.size());
    std::vector<tensor::HeadRowResult> results(rows.size());
    tensor::head_log_probs(compute, hidden, loaded_.model.head(), targets, found.data(),
                           results.data());
    log_probs->insert(log_probs->end(), found.begin(), found.end());
  }

  const LoadedModel& loaded_;
  std::vector<Ids> texts_;
  std::vector<Ids> strangers_;
};

// Runs every way and remembers what came out.
class Selfcheck {
 public:
  Selfcheck(const LoadedModel& loaded, size_t threads, bool quiet)
      : asker_(loaded, texts_of(loaded)),
        progress_("selfcheck", "ways", kWaysOfOneCompute + threads, quiet) {}

  void run(std::unique_ptr<tensor::Compute> compute) {
    const size_t threads = compute->threads();
    expected_ = asker_.scored(*compute, 1, 0, false);
    add("whole text at once", expected_);
    add("one token at a time", asker_.scored(*compute, 1, 1, false));
    add("7 tokens at a time", asker_.scored(*compute, 1, 7, false));
    add("61 tokens at a time", asker_.scored(*compute, 1, 61, false));
    for (size_t batch : {2, 5, 16}) {
      add("among strangers, batch " + std::to_string(batch),
          asker_.scored(*compute, batch, 0, true));
    }
    add("among strangers, 5 at a time", asker_.scored(*compute, 16, 5, true));
    add("training forward", asker_.trained(*compute, false));
    add("shared beginning, training", asker_.trained(*compute, true));
    add("shared beginning, KV fork", asker_.forked(*compute));
    run_generation(*compute);
    compute.reset();  // its threads hold the cores
    for (size_t n = 1; n <= threads + 1; ++n) {
      if (n == threads) continue;
      tensor::Compute other(n);
      add(std::to_string(n) + (n == 1 ? " thread" : " threads"), asker_.scored(other, 3, 0, true));
    }
    progress_.finish();
  }

  const std::vector<Way>& ways() const { return ways_; }
  size_t tokens() const {
    size_t count = 0;
    for (const Ids& text : asker_.texts()) count += text.size();
    return count;
  }
  size_t texts() const { return asker_.texts().size(); }
  bool all_equal() const {
    return std::all_of(ways_.begin(), ways_.end(),
                       [](const Way& way) { return way.difference.empty(); });
  }
  // One hash of everything: the texts' log-probabilities, the greedy and the sampled answers.
  std::string hash() const {
    return seal::sha256_hex("hone.selfcheck/1 " + hash_of(expected_) + " " + hash_of(greedy_) +
                            " " + hash_of(sampled_));
  }

 private:
  void run_generation(tensor::Compute& compute) {
    greedy_ = asker_.generated(compute, 0, 1);
    add("greedy answer, alone", greedy_, greedy_);
    add("greedy answer, among 32", greedy_, asker_.generated(compute, 0, kSequences));
    sampled_ = asker_.generated(compute, 1, 1);
    add("sampled answer, alone", sampled_, sampled_);
    add("sampled answer, among 32", sampled_, asker_.generated(compute, 1, kSequences));
    add("sampled answer, scored again", sampled_, asker_.scored_again(compute, sampled_));
  }

  void add(std::string name, const LogProbs& found) {
    ways_.push_back({std::move(name), hash_of(found), first_difference(expected_, found)});
    progress_.update(ways_.size());
  }
  void add(std::string name, const std::vector<Answer>& expected,
           const std::vector<Answer>& found) {
    ways_.push_back({std::move(name), hash_of(found), first_difference(expected, found)});
    progress_.update(ways_.size());
  }

  Asker asker_;
  Progress progress_;
  LogProbs expected_;
  std::vector<Answer> greedy_, sampled_;
  std::vector<Way> ways_;
};

const ExpectedHash* expected_of(const std::string& digest, const ModelOptions& model) {
  if (!model.adapter.empty()) return nullptr;
  for (const ExpectedHash& known : kExpectedHashes) {
    if (known.model == digest && known.recipe == tensor::kRecipe) return &known;
  }
  return nullptr;
}

Json to_json(const Selfcheck& check, const std::string& digest, const ExpectedHash* expected,
             const std::string& verdict) {
  Json json = Json::object();
  json["schema"] = "hone.selfcheck/1";
  json["model"] = digest;
  json["recipe"] = tensor::kRecipe;
  json["instruction_set"] = tensor::instruction_set();
  json["texts"] = uint64_t{check.texts()};
  json["tokens"] = uint64_t{check.tokens()};
  Json ways = Json::array();
  for (const Way& way : check.ways()) {
    Json row = Json::object();
    row["name"] = way.name;
    row["hash"] = way.hash;
    row["equal"] = way.difference.empty();
    if (!way.difference.empty()) row["first_difference"] = way.difference;
    ways.push_back(std::move(row));
  }
  json["ways"] = std::move(ways);
  json["hash"] = check.hash();
  json["expected"] = expected == nullptr ? Json() : Json(expected->hash);
  json["verdict"] = verdict;
  return json;
}

void print(const Selfcheck& check, const std::string& model, const ExpectedHash* expected,
           const std::string& verdict) {
  std::printf("%s, recipe %s, %s\n%zu texts, %zu tokens; the log-probability of every token\n\n",
              model.c_str(), tensor::kRecipe, tensor::instruction_set(), check.texts(),
              check.tokens());
  for (const Way& way : check.ways()) {
    std::printf("  %-30s %s  %s\n", way.name.c_str(), way.hash.substr(0, 16).c_str(),
                way.difference.empty() ? "equal" : ("DIFFERS: " + way.difference).c_str());
  }
  std::printf("\nhash      %s\n", check.hash().c_str());
  if (expected != nullptr) {
    std::printf("expected  %s\n          (%s)\n", std::string(expected->hash).c_str(),
                std::string(expected->what).c_str());
  }
  std::printf("\n%s\n", verdict.c_str());
}

}  // namespace

int run_selfcheck(const Arguments& arguments) {
  CommonOptions common;
  ModelOptions model;
  Options options("selfcheck",
                  "shows that batch size, threads and cuts change no bit of what this model says.",
                  "--model M");
  options.example("hone selfcheck --model m.gguf",
                  "fixed texts in every way: one hash, the expected one, a verdict");
  options.example("hone selfcheck --model m.gguf --adapter run/final --json",
                  "with an adapter, as one JSON document");
  model.add_to(options);
  common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (!words.empty()) throw invalid_input("hone selfcheck takes no word \"" + words[0] + "\"");
  options.require("model", model.model);

  LoadedModel loaded = open_model(model);
  if (loaded.model.config.context_length < 2 * kAnswerTokens) {
    throw invalid_input(
        model.model + " has a context of " + std::to_string(loaded.model.config.context_length) +
        " tokens: the texts of selfcheck need at least " + std::to_string(2 * kAnswerTokens));
  }
  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add("keys, values and activations", Asker(loaded, texts_of(loaded)).peak_bytes());
  check_memory(common, plan, "hone selfcheck", "use a smaller model or close other programs");
  auto compute = std::make_unique<tensor::Compute>(common.threads);
  load_weights(*compute, loaded);
  const std::string digest = model_digest(model.model);
  Selfcheck check(loaded, compute->threads(), common.quiet || common.json);
  check.run(std::move(compute));

  const ExpectedHash* expected = expected_of(digest, model);
  const bool as_expected = expected == nullptr || expected->hash == check.hash();
  std::string verdict = "no expected hash for this model, all ways agree";
  if (!check.all_equal()) {
    verdict = "NOT EQUAL: some way gave other bits; please report this with the table above";
  } else if (!as_expected) {
    verdict =
        "NOT AS EXPECTED: all ways agree, but this machine or build computes other bits than "
        "Hone promises; please report it with hone --version";
  } else if (expected != nullptr) {
    verdict = "as expected: all ways agree to the bit";
  }
  if (common.json) {
    std::printf("%s\n", to_json(check, digest, expected, verdict).dump().c_str());
  } else {
    print(check, model.model, expected, verdict);
  }
  return check.all_equal() && as_expected ? 0 : 3;
}

}  // namespace hone::cli
