#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/file_job.h"
#include "cli/progress.h"
#include "data/jsonl_writer.h"

namespace hone::cli {

namespace {

constexpr size_t kMostAnswers = 10000;
// Of a token of an answer that waits for its turn to be printed: id, log-probability, text.
constexpr uint64_t kAnswerTokenBytes = 40;

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
  FileJob job;
  SamplingFlags flags;
  size_t n = 1, batch_size = 8;
  Options options("generate", "answers to a file of prompts, batched; outputs in input order.",
                  "--model M --prompts P.jsonl [--output O.jsonl]");
  options.example("hone generate --model m.gguf --prompts p.jsonl --output answers.jsonl",
                  "one sampled answer to each prompt");
  options.example("hone generate --model m.gguf --prompts p.jsonl --temperature 0 --max-tokens 64",
                  "greedy answers on stdout");
  options.example("hone generate --model m.gguf --adapter run/final --prompts p.jsonl --n 4",
                  "four answers each, from a trained adapter");
  job.add_to(options,
             {.input = "prompts",
              .input_help = "rows {\"prompt\": text or messages} or {\"prompt_ids\": [..]}",
              .output_help = "where to; empty = stdout",
              .rows_can_be_bad = false});
  options.count("n", &n, "answers to each prompt");
  options.count("batch-size", &batch_size, "sequences at once; changes speed, never a result");
  flags.add_to(options);
  job.common.add_to(options);
  if (!job.parse(options, arguments)) return 0;
  if (n == 0 || n > kMostAnswers) {
    throw invalid_input("--n " + std::to_string(n) + " answers to a prompt: choose 1 to " +
                        std::to_string(kMostAnswers));
  }
  llm::validate(flags.sampling);
  const std::vector<Json> rows = read_json_lines(job.input);

  LoadedModel loaded = open_model(job.model);
  std::vector<llm::GenerationRequest> requests;
  size_t prompt_tokens = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    llm::GenerationRequest request;
    request.prompt = prompt_ids(loaded, rows[i], job.input + ": row " + std::to_string(i + 1));
    request.index = i;
    request.n = n;
    request.max_tokens = flags.max_tokens;
    request.sampling = flags.sampling;
    request.stop = flags.stop;
    prompt_tokens += request.prompt.size();
    requests.push_back(std::move(request));
  }
  llm::GeneratorOptions generator_options;
  generator_options.batch_size = std::max<size_t>(1, batch_size);
  generator_options.seed = job.common.seed;

  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add(
      "keys, values and activations",
      llm::generation_bytes(loaded.model.config, loaded.lora_rank(), requests, generator_options));
  plan.add("answers", rows.size() * n * flags.max_tokens * kAnswerTokenBytes);
  Json counts = Json::object();
  counts["prompts"] = uint64_t{rows.size()};
  counts["answers"] = uint64_t{rows.size() * n};
  counts["prompt_tokens"] = uint64_t{prompt_tokens};
  if (job.planned_only(plan, "hone generate", std::move(counts),
                       "use a smaller --batch-size or --max-tokens")) {
    return 0;
  }
  tensor::Compute compute(job.common.threads);
  load_weights(compute, loaded);
  llm::Generator generator(compute, loaded.model, loaded.adapter_or_null(),
                           loaded.codec ? &loaded.codec->tokenizer() : nullptr,
                           loaded.end_of_generation, generator_options);
  Progress progress("generate", "answers", rows.size() * n, job.common.quiet);
  size_t done = 0, tokens = 0;
  const char* kept = "nothing was written; the same command starts again";
  generator.on_text = [&](uint64_t, uint64_t, std::string_view) { stop_if_interrupted(kept); };
  const auto count = [&](const llm::GeneratedSample& sample) {
    stop_if_interrupted(kept);
    tokens += sample.token_ids.size();
    progress.update(++done, std::to_string(tokens) + " tokens");
  };
  if (job.output.empty()) {
    std::vector<std::string> lines(rows.size() * n);
    generator.run(std::move(requests), [&](const llm::GeneratedSample& sample) {
      count(sample);
      lines[sample.index * n + sample.sample] = sample_row(sample).dump();
    });
    for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  } else {
    data::JsonlWriter writer(real_env(), job.output, job.overwrite);
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
