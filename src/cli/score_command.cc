#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/file_job.h"
#include "cli/progress.h"
#include "data/dataset.h"
#include "data/jsonl_writer.h"
#include "llm/scoring.h"
#include "train/teacher_words.h"

namespace hone::cli {

namespace {

// The whole row as the model would read it.
std::vector<int32_t> row_ids(const LoadedModel& loaded, const data::Row& row) {
  using data::RowKind;
  const auto join = [](std::vector<int32_t> a, const std::vector<int32_t>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  switch (row.kind) {
    case RowKind::kText: return loaded.text().encode_text(row.text.as_string());
    case RowKind::kMessages: return loaded.text().encode_chat(row.messages, false).ids;
    case RowKind::kTokenizedLm: return row.input_ids;
    case RowKind::kTokenizedCompletion: return join(row.prompt_ids, row.completion_ids);
    case RowKind::kPromptOnly:
      if (!row.prompt_ids.empty()) return row.prompt_ids;
      return row.conversational() ? loaded.text().encode_chat(row.prompt, true).ids
                                  : loaded.text().encode_text(row.prompt.as_string());
    case RowKind::kPromptCompletion:
    case RowKind::kUnpaired: {
      if (!row.conversational()) {
        return loaded.text().encode_text(row.prompt.as_string() + row.completion.as_string());
      }
      Json messages = row.prompt;
      for (const Json& message : row.completion.as_array()) messages.push_back(message);
      return loaded.text().encode_chat(messages, false).ids;
    }
    default:
      throw invalid_input(row.file + ":" + std::to_string(row.line) +
                          ": a preference row is two texts: hone eval preferences scores those");
  }
}

Json scored_row(size_t index, const std::vector<int32_t>& ids, const llm::ScoredTokens& scored) {
  Json row = Json::object();
  row["index"] = uint64_t{index};
  Json token_ids = Json::array(), log_probs = Json::array();
  for (int32_t id : ids) token_ids.push_back(int64_t{id});
  if (!ids.empty()) log_probs.push_back(nullptr);
  double sum = 0;
  for (float log_prob : scored.log_probs) {
    log_probs.push_back(log_prob);
    sum += static_cast<double>(log_prob);
  }
  row["token_ids"] = std::move(token_ids);
  row["logprobs"] = std::move(log_probs);
  row["sum"] = sum;
  row["is_greedy"] = scored.is_greedy;
  return row;
}

// Every token of a row but the first is a target.
llm::TreeExample whole_row(const std::vector<int32_t>& tokens) {
  llm::TreeExample tree{llm::make_sequence(tokens), {}};
  for (uint32_t i = 1; i < tokens.size(); ++i) tree.targets.push_back({0, i});
  return tree;
}

// Into the file, or without one on stdout.
void write_row(std::optional<data::JsonlWriter>& writer, const Json& row) {
  if (writer) {
    writer->write(row);
  } else {
    std::printf("%s\n", row.dump().c_str());
  }
}

// hone score --top-logprobs: rows as training reads them, with the model's words for each token.
int score_words(const FileJob& job, size_t k) {
  if (k > train::kMaxTeacherWords) {
    throw invalid_input("--top-logprobs " + std::to_string(k) + " is too many: at most " +
                        std::to_string(train::kMaxTeacherWords));
  }
  const data::Dataset dataset = job.load_rows(llm::sft_row_kinds());
  LoadedModel loaded = open_model(job.model);
  if (k > loaded.model.config.vocab_size) {
    throw invalid_input("--top-logprobs " + std::to_string(k) + " is more words than the model's " +
                        std::to_string(loaded.model.config.vocab_size));
  }
  const auto rows = llm::tokenize_sft(dataset.rows, loaded.codec_or_null(), {0, 0, true, true},
                                      loaded.model.config);
  std::vector<llm::TreeExample> trees;
  for (const llm::SftTokens& row : rows) trees.push_back(whole_row(row.tokens));
  const size_t pass_rows = std::max<size_t>(512, llm::least_pass_rows(trees));
  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add("activations", llm::TrainingPass::planned_score_bytes(
                              loaded.model.config, loaded.lora_rank(), pass_rows, {true}));
  Json counts = Json::object();
  counts["rows"] = uint64_t{rows.size()};
  if (job.planned_only(plan, "hone score", std::move(counts), "use shorter rows")) return 0;
  tensor::Compute compute(job.common.threads);
  load_weights(compute, loaded);
  Progress progress("score", "rows", rows.size(), job.common.quiet);
  std::optional<data::JsonlWriter> writer;
  if (!job.output.empty()) writer.emplace(real_env(), job.output, job.overwrite);
  llm::TrainingPass pass(compute, loaded.model, loaded.adapter_or_null(), pass_rows,
                         llm::PassOptions{true});
  for (size_t i = 0; i < trees.size(); ++i) {
    stop_if_interrupted("no file was written; the same command starts again");
    const auto one = std::span(trees).subspan(i, 1);
    std::vector<float> log_probs;
    llm::score_trees(pass, one, [&](size_t, const llm::TreeResult& result) {
      log_probs.assign(result.log_probs.begin(), result.log_probs.end());
    });
    train::teacher_words(pass, one, k, [&](size_t, const train::TeacherWords& words) {
      write_row(writer, train::teacher_row(i, rows[i].tokens, words, log_probs));
    });
    progress.update(i + 1);
  }
  if (writer) writer->finish();
  progress.finish();
  return 0;
}

}  // namespace

int run_score(const Arguments& arguments) {
  FileJob job;
  llm::ScoreOptions score;
  size_t top_words = 0;
  Options options("score", "the log-probability of every token of every row.",
                  "--model M --data D.jsonl [--output O.jsonl]");
  options.example("hone score --model m.gguf --data texts.jsonl --output scores.jsonl",
                  "score rows {\"text\"}, {\"messages\"}, {\"input_ids\"}, ...");
  options.example("hone score --model m.gguf --data texts.jsonl --chunk 7 --batch-size 3",
                  "the same bytes, whatever the cut");
  options.example(
      "hone score --model teacher.gguf --data chats.jsonl --top-logprobs 32 --output "
      "said.jsonl",
      "what a teacher says, for hone train distill --teacher-logprobs elsewhere");
  job.add_to(options,
             {.input_help = "rows (JSONL or CSV)", .output_help = "where to; empty = stdout"});
  options.count("batch-size", &score.batch_size, "rows at once; 0 = as many as fit a pass");
  options.count("chunk", &score.chunk, "tokens of a row at a time; 0 = as many as fit a pass");
  options.count("top-logprobs", &top_words,
                "adds the most likely words of each token and the probability of all others, for "
                "hone train distill --teacher-logprobs; rows are read as training reads them");
  job.common.add_to(options);
  if (!job.parse(options, arguments)) return 0;
  if (top_words > 0) return score_words(job, top_words);
  const data::Dataset dataset = job.load_rows();

  LoadedModel loaded = open_model(job.model);
  std::vector<std::vector<int32_t>> rows;
  size_t tokens = 0;
  for (const data::Row& row : dataset.rows) {
    rows.push_back(row_ids(loaded, row));
    tokens += rows.back().size();
    if (rows.back().size() > loaded.model.config.context_length) {
      throw invalid_input(row.file + ":" + std::to_string(row.line) + ": " +
                          std::to_string(rows.back().size()) +
                          " tokens, but the model's context is " +
                          std::to_string(loaded.model.config.context_length) + ": shorten it");
    }
  }
  MemoryPlan plan;
  plan.add_model(loaded);
  plan.add("keys, values and activations",
           llm::scoring_bytes(loaded.model.config, loaded.lora_rank(), rows, score));
  Json counts = Json::object();
  counts["rows"] = uint64_t{rows.size()};
  counts["tokens"] = uint64_t{tokens};
  if (job.planned_only(plan, "hone score", std::move(counts),
                       "use a smaller --batch-size, or shorter rows")) {
    return 0;
  }
  tensor::Compute compute(job.common.threads);
  load_weights(compute, loaded);
  Progress progress("score", "rows", rows.size(), job.common.quiet);
  std::optional<data::JsonlWriter> writer;
  if (!job.output.empty()) writer.emplace(real_env(), job.output, job.overwrite);
  llm::score_rows(compute, loaded.model, loaded.adapter_or_null(), rows, score,
                  [&](size_t i, const llm::ScoredTokens& scored) {
                    stop_if_interrupted("no file was written; the same command starts again");
                    write_row(writer, scored_row(i, rows[i], scored));
                    progress.update(i + 1);
                  });
  if (writer) writer->finish();
  progress.finish();
  return 0;
}

}  // namespace hone::cli
