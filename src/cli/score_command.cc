#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "data/dataset.h"
#include "data/jsonl_writer.h"
#include "llm/scoring.h"

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

}  // namespace

int run_score(const Arguments& arguments) {
  CommonOptions common;
  ModelOptions model;
  std::string data_path, output, on_bad_row = "fail";
  llm::ScoreOptions score;
  bool overwrite = false;
  Options options("score", "the log-probability of every token of every row.",
                  "--model M --data D.jsonl [--output O.jsonl]");
  options.example("hone score --model m.gguf --data texts.jsonl --output scores.jsonl",
                  "score rows {\"text\"}, {\"messages\"}, {\"input_ids\"}, ...");
  options.example("hone score --model m.gguf --data texts.jsonl --chunk 7 --batch-size 3",
                  "the same bytes, whatever the cut");
  model.add_to(options);
  options.text("data", &data_path, "FILE", "rows (JSONL or CSV)");
  options.text("output", &output, "FILE.jsonl", "where to; empty = stdout");
  options.count("batch-size", &score.batch_size, "rows at once; 0 = as many as fit a pass");
  options.count("chunk", &score.chunk, "tokens of a row at a time; 0 = as many as fit a pass");
  options.choice("on-bad-row", &on_bad_row, {"fail", "skip"}, "a line that cannot be read");
  options.flag("overwrite", &overwrite, "replace --output when it exists");
  common.add_to(options);
  options.parse(arguments);
  if (options.wants_help()) {
    std::fputs(options.help().c_str(), stdout);
    return 0;
  }
  options.require("model", model.model);
  options.require("data", data_path);
  if (!output.empty()) data::refuse_existing(real_env(), output, overwrite);
  data::ReadOptions read;
  read.on_bad_row = on_bad_row == "skip" ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
  const data::Dataset dataset = data::load_dataset(real_env(), data_path, read);

  tensor::Compute compute(common.threads);
  const LoadedModel loaded = load(compute, model);
  std::vector<std::vector<int32_t>> rows;
  for (const data::Row& row : dataset.rows) {
    rows.push_back(row_ids(loaded, row));
    if (rows.back().size() > loaded.model.config.context_length) {
      throw invalid_input(row.file + ":" + std::to_string(row.line) + ": " +
                          std::to_string(rows.back().size()) +
                          " tokens, but the model's context is " +
                          std::to_string(loaded.model.config.context_length) + ": shorten it");
    }
  }
  Progress progress("score", "rows", rows.size(), common.quiet);
  std::optional<data::JsonlWriter> writer;
  if (!output.empty()) writer.emplace(real_env(), output, overwrite);
  llm::score_rows(compute, loaded.model, loaded.adapter_or_null(), rows, score,
                  [&](size_t i, const llm::ScoredTokens& scored) {
                    const Json row = scored_row(i, rows[i], scored);
                    if (writer) {
                      writer->write(row);
                    } else {
                      std::printf("%s\n", row.dump().c_str());
                    }
                    progress.update(i + 1);
                  });
  if (writer) writer->finish();
  progress.finish();
  return 0;
}

}  // namespace hone::cli
