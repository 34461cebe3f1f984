#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "data/jsonl_writer.h"

namespace hone::cli {

namespace {

constexpr size_t kMostAnswers = 10000;

Json sample_row(const llm::GeneratedSample& sample) {
  Json row = Json::object();
  row["index"] = sample.index;
  row["sample"] = sample.sample;
  row["text"] = sample.text;
  Json ids = Json::array(), log_probs = Json::array();
  for (int32_t id : sample.token_ids) ids.push_back(int64_t{id});
  for (float log_prob : sample.log_probs) log_probs.push_back(log_prob);
  row["token_ids"] = std::move(ids);
  row["logprobs"] = std::move(log_probs);
  row["finish_reason"] = llm::name(sample.finish_reason);
  return row;
}

}  // namespace

int run_generate(const Arguments& arguments) {
  CommonOptions common;
  ModelOptions model;
  SamplingFlags flags;
  std::string prompts, output;
  size_t n = 1, batch_size = 8;
  bool overwrite = false;
  Options options("generate", "answers to a file of prompts, batched; outputs in input order.",
                  "--model M --prompts P.jsonl [--output O.jsonl]");
  options.example("hone generate --model m.gguf --prompts p.jsonl --output answers.jsonl",
                  "one sampled answer to each prompt");
  options.example("hone generate --model m.gguf --prompts p.jsonl --temperature 0 --max-tokens 64",
                  "greedy answers on stdout");
  options.example("hone generate --model m.gguf --adapter run/final --prompts p.jsonl --n 4",
                  "four answers each, from a trained adapter");
  model.add_to(options);
  options.text("prompts", &prompts, "FILE.jsonl",
               "rows {\"prompt\": text or messages} or {\"prompt_ids\": [..]}");
  options.text("output", &output, "FILE.jsonl", "where to; empty = stdout");
  options.count("n", &n, "answers to each prompt");
  options.count("batch-size", &batch_size, "sequences at once; changes speed, never a result");
  options.flag("overwrite", &overwrite, "replace --output when it exists");
  flags.add_to(options);
  common.add_to(options);
  options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  options.require("model", model.model);
  options.require("prompts", prompts);
  if (n == 0 || n > kMostAnswers) {
    throw invalid_input("--n " + std::to_string(n) + " answers to a prompt: choose 1 to " +
                        std::to_string(kMostAnswers));
  }
  if (!output.empty()) data::refuse_existing(real_env(), output, overwrite);
  const std::vector<Json> rows = read_json_lines(prompts);

  tensor::Compute compute(common.threads);
  const LoadedModel loaded = load(compute, model);
  std::vector<llm::GenerationRequest> requests;
  for (size_t i = 0; i < rows.size(); ++i) {
    llm::GenerationRequest request;
    request.prompt = prompt_ids(loaded, rows[i], prompts + ": row " + std::to_string(i + 1));
    request.index = i;
    request.n = n;
    request.max_tokens = flags.max_tokens;
    request.sampling = flags.sampling;
    request.stop = flags.stop;
    requests.push_back(std::move(request));
  }
  llm::GeneratorOptions generator_options;
  generator_options.batch_size = std::max<size_t>(1, batch_size);
  generator_options.seed = common.seed;
  llm::Generator generator(compute, loaded.model, loaded.adapter_or_null(),
                           loaded.codec ? &loaded.codec->tokenizer() : nullptr,
                           loaded.end_of_generation, generator_options);
  Progress progress("generate", "answers", rows.size() * n, common.quiet);
  size_t done = 0, tokens = 0;
  const auto count = [&](const llm::GeneratedSample& sample) {
    tokens += sample.token_ids.size();
    progress.update(++done, std::to_string(tokens) + " tokens");
  };
  if (output.empty()) {
    std::vector<std::string> lines(rows.size() * n);
    generator.run(std::move(requests), [&](const llm::GeneratedSample& sample) {
      count(sample);
      lines[sample.index * n + sample.sample] = sample_row(sample).dump();
    });
    for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  } else {
    data::JsonlWriter writer(real_env(), output, overwrite);
    generator.run(std::move(requests), [&](const llm::GeneratedSample& sample) {
      count(sample);
      writer.write(sample.index * n + sample.sample, sample_row(sample));
    });
    writer.finish();
  }
  progress.finish();
  return 0;
}

}  // namespace hone::cli
