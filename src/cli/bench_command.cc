// hone bench prefill | decode | score | train: what this machine does, each figure beside the ceiling
// that was measured in the same run. (hone bench labels: quality_bench_command.cc; hone bench platform: platform_bench_command.cc)

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

#include "base/check.h"
#include "base/env.h"
#include "base/error.h"
#include "base/rng.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "cli/quality_commands.h"
#include "llm/scoring.h"
#include "llm/tree_scoring.h"
#include "tensor/ceiling.h"
#include "tensor/log_softmax.h"
#include "tensor/matmul.h"
#include "train/step.h"
#include "train/training_run.h"

namespace hone::cli {

namespace {

constexpr size_t kReadBufferBytes = size_t{256} << 20;
constexpr size_t kDecodeTokens = 64;
constexpr size_t kPrefillTokens = 512;
constexpr size_t kDecodePosition = 512;

using Ids = std::vector<int32_t>;

// A piece of work that can be timed again and again.
struct Work {
  std::string name;
  double tokens = 0;            // of one run
  double operations = 0;        // floating-point operations of one run, by the model's shape
  double bytes = 0;             // read from memory at least; 0: not a matter of bandwidth
  std::function<double()> run;  // seconds
  std::vector<double> seconds = {};
};

double timed(const std::function<void()>& work) {
  const double begin = real_env().steady_seconds();
  work();
  return real_env().steady_seconds() - begin;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Ids random_tokens(size_t count, size_t vocab, uint64_t stream) {
  Rng rng(1, rng_stream("bench", stream));
  Ids ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(vocab));
  return ids;
}

// Multiply-adds of the linear maps for one token, without the head.
double linear_weights(const llm::ModelConfig& config) {
  double weights = 0;
  for (const llm::LayerConfig& layer : config.layers) {
    const double q = static_cast<double>(layer.head_count * layer.head_dim);
    const double kv = static_cast<double>(layer.kv_head_count * layer.head_dim);
    const double h = static_cast<double>(config.hidden_size);
    weights += h * (2 * q + 2 * kv + 3 * static_cast<double>(layer.intermediate_size));
  }
  return weights;
}

double head_weights(const llm::ModelConfig& config) {
  return static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
}

// Operations of attention for `count` tokens from position `begin` on.
double attention_operations(const llm::ModelConfig& config, size_t begin, size_t count) {
  const double b = static_cast<double>(begin), n = static_cast<double>(count);
  double width = 0;
  for (const llm::LayerConfig& layer : config.layers) {
    width += static_cast<double>(layer.head_count * layer.head_dim);
  }
  return 4 * width * (b * n + n * (n + 1) / 2);
}

double forward_operations(const llm::ModelConfig& config, size_t begin, size_t count,
                          size_t predicted) {
  return 2 * linear_weights(config) * static_cast<double>(count) +
         2 * head_weights(config) * static_cast<double>(predicted) +
         attention_operations(config, begin, count);
}

// Sequences that are decoded together, from `position` on, greedily.
class Decoder {
 public:
  Decoder(tensor::Compute& compute, const llm::Model& model, size_t sequences, size_t position)
      : compute_(compute),
        model_(model),
        position_(position),
        cache_(model.config,
               sequences * (1 + llm::KvCache::pages_for(position + kDecodeTokens + 1))),
        workspace_(model, nullptr, std::max(sequences, kPrefillTokens)),
        logits_(sequences, model.config.vocab_size),
        results_(sequences) {
    for (size_t i = 0; i < sequences; ++i) {
      ids_.push_back(cache_.create());
      next_.push_back(random_tokens(1, model.config.vocab_size, 1000 + i)[0]);
      if (position > 0) read(ids_[i], random_tokens(position, model.config.vocab_size, i));
    }
  }

  void decode(size_t steps) {
    for (size_t step = 0; step < steps; ++step) {
      rows_.clear();
      for (size_t i = 0; i < ids_.size(); ++i) {
        HONE_CHECK(cache_.extend(ids_[i], 1));
        rows_.append(ids_[i], position_ + step, std::span<const int32_t>(&next_[i], 1));
      }
      const auto hidden = llm::forward(compute_, model_, nullptr, rows_, cache_, workspace_);
      const tensor::MatmulPart head = {hidden, &model_.head(), logits_.view()};
      tensor::matmul(compute_, std::span(&head, 1));
      tensor::log_softmax_rows(compute_, logits_.view(), results_.data());
      for (size_t i = 0; i < ids_.size(); ++i) next_[i] = results_[i].argmax;
    }
    for (llm::KvCache::SequenceId id : ids_) cache_.truncate(id, position_);
  }

 private:
  void read(llm::KvCache::SequenceId id, const Ids& tokens) {
    rows_.clear();
    HONE_CHECK(cache_.extend(id, tokens.size()));
    rows_.append(id, 0, tokens);
    llm::forward(compute_, model_, nullptr, rows_, cache_, workspace_);
  }

  tensor::Compute& compute_;
  const llm::Model& model_;
  size_t position_;
  llm::KvCache cache_;
  llm::Workspace workspace_;
  tensor::Tensor logits_;
  std::vector<tensor::HeadRowResult> results_;
  llm::Rows rows_;
  std::vector<llm::KvCache::SequenceId> ids_;
  Ids next_;
};

Work decode_work(tensor::Compute& compute, const llm::Model& model, size_t sequences,
                 size_t position) {
  const size_t steps = sequences > 8 ? kDecodeTokens / 4 : kDecodeTokens;
  Work work;
  work.name = "decode " + std::to_string(steps) + ", " + std::to_string(sequences) +
              (sequences == 1 ? " sequence" : " sequences") + " at " + std::to_string(position);
  const double tokens = static_cast<double>(steps * sequences);
  work.tokens = tokens;
  work.operations =
      static_cast<double>(sequences) * forward_operations(model.config, position, steps, steps);
  const double kv = static_cast<double>(llm::KvCache::page_bytes(model.config)) /
                    static_cast<double>(llm::kPagePositions);
  work.bytes = static_cast<double>(steps * model.weight_bytes()) +
               tokens * kv * (static_cast<double>(position) + static_cast<double>(steps) / 2);
  auto decoder = std::make_shared<Decoder>(compute, model, sequences, position);
  work.run = [decoder, steps] { return timed([&] { decoder->decode(steps); }); };
  return work;
}

Work prefill_work(tensor::Compute& compute, const llm::Model& model) {
  Work work;
  work.name = "prefill 512";
  work.tokens = kPrefillTokens;
  work.operations = forward_operations(model.config, 0, kPrefillTokens, 1);
  const auto tokens =
      std::make_shared<Ids>(random_tokens(kPrefillTokens, model.config.vocab_size, 7));
  const auto workspace = std::make_shared<llm::Workspace>(model, nullptr, kPrefillTokens);
  const auto cache =
      std::make_shared<llm::KvCache>(model.config, llm::KvCache::pages_for(kPrefillTokens));
  work.run = [&compute, &model, tokens, workspace, cache] {
    return timed([&] {
      const auto sequence = cache->create();
      HONE_CHECK(cache->extend(sequence, tokens->size()));
      llm::Rows rows;
      rows.append(sequence, 0, *tokens);
      const auto hidden = llm::forward(compute, model, nullptr, rows, *cache, *workspace);
      const tensor::HeadTarget target = {0, 0, 0.0f};
      float log_prob = 0;
      tensor::HeadRowResult result;
      tensor::head_log_probs(compute, hidden.slice_rows(kPrefillTokens - 1, 1), model.head(),
                             std::span(&target, 1), &log_prob, &result);
      cache->release(sequence);
    });
  };
  return work;
}

Work score_work(tensor::Compute& compute, const llm::Model& model) {
  Work work;
  work.name = "score 512";
  work.tokens = kPrefillTokens;
  work.operations = forward_operations(model.config, 0, kPrefillTokens, kPrefillTokens - 1);
  const auto rows = std::make_shared<std::vector<Ids>>(
      1, random_tokens(kPrefillTokens, model.config.vocab_size, 8));
  work.run = [&compute, &model, rows] {
    return timed([&] {
      llm::score_rows(compute, model, nullptr, *rows, {}, [](size_t, const llm::ScoredTokens&) {});
    });
  };
  return work;
}

// A model with what training it needs; steps of any batch.
class Trainer {
 public:
  Trainer(tensor::Compute& compute, llm::Model& model, size_t lora_r, size_t max_rows)
      : config_(config_of(lora_r)) {
    if (lora_r > 0) {
      llm::LoraOptions options;
      options.r = lora_r;
      adapter_ = llm::make_lora(model, options, 1);
    }
    trainable_ = adapter_ ? llm::lora_parameters(model, *adapter_) : llm::full_parameters(model);
    optimizer_ = std::make_unique<train::Optimizer>(compute, trainable_, config_);
    pass_ = std::make_unique<llm::TrainingPass>(compute, model, adapter_ ? &*adapter_ : nullptr,
                                                max_rows, train::pass_options(config_));
  }

  static train::TrainConfig config_of(size_t lora_r) {
    train::TrainConfig config;
    config.lora_r = lora_r;
    config.known_coefficients = true;
    return config;
  }

  void step(const std::vector<llm::TreeExample>& batch) {
    double targets = 0;
    for (const llm::TreeExample& tree : batch) targets += static_cast<double>(tree.targets.size());
    train::accumulate_gradients(
        *pass_, *optimizer_, batch, [](size_t, const llm::TreeResult&, std::span<float>) {},
        ++steps_,
        [](size_t, std::span<float> coefficients) {
          std::fill(coefficients.begin(), coefficients.end(), -1.0f);
        });
    optimizer_->apply(targets, 1e-6, steps_);
  }

 private:
  train::TrainConfig config_;
  std::optional<llm::LoraAdapter> adapter_;
  llm::Trainable trainable_;
  std::unique_ptr<train::Optimizer> optimizer_;
  std::unique_ptr<llm::TrainingPass> pass_;
  size_t steps_ = 0;
};

Work train_work(const std::string& name, const llm::ModelConfig& config,
                std::shared_ptr<Trainer> trainer, size_t rows, size_t length, double passes) {
  Work work;
  work.name = name + " " + std::to_string(rows) + "x" + std::to_string(length);
  work.tokens = static_cast<double>(rows * length);
  work.operations =
      passes * static_cast<double>(rows) * forward_operations(config, 0, length, length - 1);
  const auto batch = std::make_shared<std::vector<llm::TreeExample>>();
  for (size_t r = 0; r < rows; ++r) {
    llm::TreeExample example{llm::make_sequence(random_tokens(length, config.vocab_size, 100 + r)),
                             {}};
    for (uint32_t i = 1; i < length; ++i) example.targets.push_back({0, i});
    batch->push_back(std::move(example));
  }
  work.run = [trainer = std::move(trainer), batch] {
    return timed([&] { trainer->step(*batch); });
  };
  return work;
}

struct Ceiling {
  std::vector<double> fma, read;  // a second
};

void measure(tensor::Compute& compute, std::vector<Work>& works, size_t repeats, Ceiling& ceiling,
             bool quiet) {
  const tensor::Buffer buffer(kReadBufferBytes);
  // Written once: pages that were never touched all read from one page of zeros.
  std::fill_n(buffer.as<float>(), kReadBufferBytes / sizeof(float), 1.0f);
  Progress progress("bench", "runs", repeats * works.size(), quiet);
  size_t done = 0;
  for (Work& work : works) work.run();  // warm: pages, scratch, clock
  for (size_t r = 0; r < repeats; ++r) {
    for (Work& work : works) {
      ceiling.fma.push_back(tensor::measure_fma_peak(compute));
      ceiling.read.push_back(tensor::measure_read_bandwidth(compute, buffer));
      work.seconds.push_back(work.run());
      progress.update(++done);
      if (interrupted()) throw Error(ErrorCode::kUnavailable, "stopped before the end");
    }
  }
  progress.finish();
}

void print(const std::string& model, const tensor::Compute& compute, size_t repeats,
           const std::vector<Work>& works, const Ceiling& ceiling) {
  const double fma = median(ceiling.fma), read = median(ceiling.read);
  std::printf("%s, %zu threads, %s; medians of %zu\n", model.c_str(), compute.threads(),
              tensor::instruction_set(), repeats);
  std::printf("ceiling in this run: %.1f GFLOP/s of multiply-adds, %.1f GB/s of reading\n\n",
              fma / 1e9, read / 1e9);
  std::printf("%-34s %10s %10s %10s %10s\n", "", "tokens/s", "ms", "of peak", "of reading");
  for (const Work& work : works) {
    const double seconds = median(work.seconds);
    char share[16] = "";
    if (work.bytes > 0) {
      std::snprintf(share, sizeof share, "%.0f %%", 100 * work.bytes / seconds / read);
    }
    std::printf("%-34s %10.1f %10.1f %8.0f %% %10s\n", work.name.c_str(), work.tokens / seconds,
                1000 * seconds, 100 * work.operations / seconds / fma, share);
  }
}

Json to_json(const std::string& model, const tensor::Compute& compute, size_t repeats,
             const std::vector<Work>& works, const Ceiling& ceiling) {
  const double fma = median(ceiling.fma), read = median(ceiling.read);
  Json json = Json::object();
  json["schema"] = "hone.bench/1";
  json["model"] = model;
  json["threads"] = uint64_t{compute.threads()};
  json["instruction_set"] = tensor::instruction_set();
  json["repeats"] = uint64_t{repeats};
  json["ceiling_flops"] = fma;
  json["ceiling_read_bytes_per_second"] = read;
  Json rows = Json::array();
  for (const Work& work : works) {
    const double seconds = median(work.seconds);
    Json row = Json::object();
    row["name"] = work.name;
    row["tokens_per_second"] = work.tokens / seconds;
    row["seconds"] = seconds;
    row["share_of_flops"] = work.operations / seconds / fma;
    row["share_of_read"] = work.bytes > 0 ? Json(work.bytes / seconds / read) : Json();
    rows.push_back(std::move(row));
  }
  json["rows"] = std::move(rows);
  return json;
}

struct Bench {
  tensor::Compute& compute;
  LoadedModel& loaded;
  std::optional<LoadedModel> full = {};  // the same model with f32 weights
  std::vector<Work> works = {};

  void add_inference(const std::string& what) {
    const llm::Model& model = loaded.model;
    if (what == "prefill") works.push_back(prefill_work(compute, model));
    if (what == "score") works.push_back(score_work(compute, model));
    if (what != "decode") return;
    works.push_back(decode_work(compute, model, 1, 0));
    works.push_back(decode_work(compute, model, 1, kDecodePosition));
    works.push_back(decode_work(compute, model, 8, 0));
    works.push_back(decode_work(compute, model, 32, 0));
  }

  // Of inference: what all of its works keep at the same time.
  static uint64_t inference_bytes(const std::string& what, const llm::ModelConfig& config) {
    size_t pages = llm::KvCache::pages_for(kPrefillTokens), rows = kPrefillTokens;
    if (what == "decode") {
      const size_t fresh = 1 + llm::KvCache::pages_for(kDecodeTokens + 1);
      pages =
          (1 + 8 + 32) * fresh + 1 + llm::KvCache::pages_for(kDecodePosition + kDecodeTokens + 1);
      rows = 4 * 512;
    }
    return pages * llm::KvCache::page_bytes(config) +
           llm::Workspace::planned_bytes(config, 0, rows);
  }

  void add_training(const CommonOptions& common, const ModelOptions& options) {
    constexpr size_t kRank = 16, kMaxRows = 1024;
    const llm::ModelConfig& config = loaded.model.config;
    MemoryPlan plan = training_memory(loaded, nullptr, Trainer::config_of(0), kMaxRows);
    plan.add("gradients, moments and activations of LoRA",
             train::planned_training_bytes(config, Trainer::config_of(kRank), kMaxRows));
    check_memory(common, plan, "bench train", "use a smaller model");
    full = load(compute, options);
    llm::make_trainable(compute, full->model);
    const auto lora = std::make_shared<Trainer>(compute, loaded.model, kRank, kMaxRows);
    const auto all = std::make_shared<Trainer>(compute, full->model, 0, kMaxRows);
    // Backward is twice the forward; with frozen weights only their inputs' half of it.
    works.push_back(train_work("train LoRA r16", config, lora, 1, 512, 2));
    works.push_back(train_work("train LoRA r16", config, lora, 8, 128, 2));
    works.push_back(train_work("train full", config, all, 1, 512, 3));
    works.push_back(train_work("train full", config, all, 8, 128, 3));
    works.push_back(train_work("train full", config, all, 4, 512, 3));
  }
};

}  // namespace

int run_bench(const Arguments& arguments) {
  if (!arguments.empty() && arguments[0] == "labels") {
    return run_bench_labels({arguments.begin() + 1, arguments.end()});
  }
  if (!arguments.empty() && arguments[0] == "platform") {
    return run_bench_platform({arguments.begin() + 1, arguments.end()});
  }
  CommonOptions common;
  ModelOptions model;
  std::string only;
  size_t repeats = 5;
  Options options("bench", "what this machine does, beside what it can do at most.",
                  "prefill|decode|score|train --model M, labels or platform");
  options.example("hone bench decode --model m.gguf",
                  "tokens a second and the share of the ceiling");
  options.example("hone bench train --model m.gguf --repeats 3 --json", "for programs");
  options.text("model", &model.model, "MODEL", "empty = what HONE_MODEL names");
  options.count("repeats", &repeats, "interleaved repeats; the median counts");
  options.text("only", &only, "WORDS", "the rows whose names hold these words; empty = all");
  common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  const std::vector<std::string> known = {"prefill", "decode", "score", "train"};
  if (words.size() != 1 || std::find(known.begin(), known.end(), words[0]) == known.end()) {
    throw invalid_input("hone bench needs one of prefill, decode, score, train, labels, platform");
  }
  if (repeats < 1 || repeats > 1000) {
    throw invalid_input("--repeats " + std::to_string(repeats) + " cannot be: 1 to 1000");
  }
  const char* from_environment = std::getenv("HONE_MODEL");
  if (model.model.empty() && from_environment != nullptr) model.model = from_environment;
  options.require("model", model.model);

  LoadedModel loaded = open_model(model);
  if (loaded.model.config.context_length < kDecodePosition + kDecodeTokens) {
    throw invalid_input(
        model.model + " has a context of " + std::to_string(loaded.model.config.context_length) +
        " tokens: hone bench needs " + std::to_string(kDecodePosition + kDecodeTokens));
  }
  MemoryPlan plan;
  plan.add_model(loaded);
  if (words[0] != "train") {
    plan.add("keys, values and activations", Bench::inference_bytes(words[0], loaded.model.config));
  }
  check_memory(common, plan, "hone bench", "use a smaller model");
  tensor::Compute compute(common.threads);
  load_weights(compute, loaded);
  Bench bench{compute, loaded};
  bench.add_inference(words[0]);
  if (words[0] == "train") bench.add_training(common, model);
  std::erase_if(bench.works,
                [&](const Work& work) { return work.name.find(only) == std::string::npos; });
  if (bench.works.empty())
    throw invalid_input("no row of hone bench " + words[0] + " is named " + only);
  Ceiling ceiling;
  interrupted();  // sets the handlers
  measure(compute, bench.works, repeats, ceiling, common.quiet || common.json);
  if (common.json) {
    std::printf("%s\n",
                to_json(model.model, compute, repeats, bench.works, ceiling).dump().c_str());
  } else {
    print(model.model, compute, repeats, bench.works, ceiling);
  }
  return 0;
}

}  // namespace hone::cli
