// hone data check: what is in a file of training rows, before anything long starts.

#include <algorithm>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "data/data_check.h"
#include "data/dataset.h"
#include "llm/formats/model_file.h"
#include "llm/tokenized_rows.h"

namespace hone::cli {

namespace {

constexpr size_t kMostRefusals = 5;  // messages that are shown

struct CheckFlags {
  std::string model, eval_data, method, on_bad_row = "fail";
  llm::TokenizeOptions cut;
  CommonOptions common;
};

// What training would make of the rows.
struct TokenCounts {
  uint64_t tokens = 0, trained = 0;  // after the cuts; a shared prompt counts once
  uint64_t rows_cut = 0, tokens_cut = 0;
  uint64_t refused = 0;
  std::vector<std::string> refusals;  // the first of them: "file:line: reason"

  void refuse(const Error& error) {
    ++refused;
    if (refusals.size() < kMostRefusals) refusals.push_back(error.message());
  }
  void add(uint64_t row_tokens, uint64_t row_trained, uint64_t row_cut) {
    tokens += row_tokens;
    trained += row_trained;
    tokens_cut += row_cut;
    rows_cut += row_cut > 0 ? 1 : 0;
  }
};

// Tokenises rows for one method.
class Tokeniser {
 public:
  Tokeniser(std::string method, const std::optional<llm::TextCodec>& codec,
            const llm::ModelConfig& model, const llm::TokenizeOptions& cut)
      : method_(std::move(method)), codec_(codec ? &*codec : nullptr), model_(model), cut_(cut) {}

  void count(const data::Row& row, TokenCounts& counts) const {
    try {
      if (method_ == "dpo") {
        const auto pair = llm::tokenize_preferences({row}, codec_, cut_, model_).front();
        counts.add(pair.prompt.size() + pair.chosen.size() + pair.rejected.size(),
                   pair.chosen_tokens() + pair.rejected_tokens(), pair.cut);
      } else {
        const auto text = llm::tokenize_sft({row}, codec_, cut_, model_).front();
        counts.add(text.tokens.size(), text.trained_tokens(), text.cut);
      }
    } catch (const Error& error) {
      counts.refuse(error);
    }
  }

  // Tokens of the row's longest path before any cut; 0 when the row cannot be tokenised at all.
  size_t whole_length(const data::Row& row) const {
    constexpr size_t kNoBound = SIZE_MAX / 4;
    llm::TokenizeOptions whole = cut_;
    whole.max_length = whole.max_prompt_length = 0;
    try {
      if (method_ == "dpo") {
        const auto pair = llm::tokenize_preference_row(row, codec_, whole, kNoBound);
        return pair.prompt.size() + std::max(pair.chosen.size(), pair.rejected.size());
      }
      return llm::tokenize_sft_row(row, codec_, whole, kNoBound).tokens.size();
    } catch (const Error&) {
      return 0;  // count() says why
    }
  }

 private:
  std::string method_;
  const llm::TextCodec* codec_;
  const llm::ModelConfig& model_;
  llm::TokenizeOptions cut_;
};

bool holds_preferences(const data::Dataset& dataset) {
  return std::any_of(dataset.rows.begin(), dataset.rows.end(), [](const data::Row& row) {
    return row.kind == data::RowKind::kPreference ||
           row.kind == data::RowKind::kTokenizedPreference;
  });
}

data::Dataset load_rows(const CheckFlags& flags, const std::string& path) {
  data::ReadOptions options;
  options.on_bad_row = flags.on_bad_row == "skip" ? data::OnBadRow::kSkip : data::OnBadRow::kFail;
  if (flags.method == "sft") options.accepted = llm::sft_row_kinds();
  if (flags.method == "dpo") options.accepted = llm::preference_row_kinds();
  return data::load_dataset(real_env(), path, options);
}

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string rows_text(uint64_t count) { return grouped(count) + (count == 1 ? " row" : " rows"); }

void print_line(const char* key, const std::string& value) {
  std::printf("  %-16s %s\n", key, value.c_str());
}

void print_finding(const char* key, const data::Finding& finding, const char* what) {
  if (finding.count == 0) {
    print_line(key, "none");
    return;
  }
  std::string lines;
  for (uint64_t line : finding.lines) lines += (lines.empty() ? "" : ", ") + std::to_string(line);
  if (finding.lines.size() < finding.count) lines += ", ...";
  print_line(key, rows_text(finding.count) + " " + what + " (line" +
                      (finding.count == 1 ? " " : "s ") + lines + ")");
}

void print_lengths(const data::DataReport& report, const TokenCounts& counts, size_t limit) {
  const data::LengthSummary& l = report.lengths;
  print_line("lengths", "shortest " + grouped(l.shortest) + ", median " + grouped(l.median) +
                            ", 95 % up to " + grouped(l.p95) + ", longest " + grouped(l.longest) +
                            " tokens");
  print_line("cut", counts.rows_cut == 0
                        ? "nothing (up to " + grouped(limit) + " tokens fit)"
                        : rows_text(counts.rows_cut) + " longer than " + grouped(limit) +
                              " tokens; " + grouped(counts.tokens_cut) +
                              " tokens would be left out");
  const double share = counts.tokens == 0 ? 0
                                          : 100.0 * static_cast<double>(counts.trained) /
                                                static_cast<double>(counts.tokens);
  char percent[32];
  std::snprintf(percent, sizeof percent, " (%.0f %%)", share);
  print_line("trained on", grouped(counts.trained) + " of " + grouped(counts.tokens) + " tokens" +
                               percent + "; the rest is read only");
}

void print_report(const std::string& path, const std::string& method,
                  const data::DataReport& report, const TokenCounts* counts, size_t limit) {
  std::string kinds;
  for (const auto& [kind, count] : report.kinds) {
    kinds += (kinds.empty() ? "" : ", ") + grouped(count) + " " + kind;
  }
  std::printf("%s: %s for %s (%s)\n", path.c_str(), rows_text(report.rows).c_str(), method.c_str(),
              kinds.c_str());
  if (report.skipped > 0) print_line("skipped", rows_text(report.skipped) + " that cannot be read");
  if (report.distinct_prompts > 0)
    print_line("prompts", grouped(report.distinct_prompts) + " different");
  if (counts != nullptr && report.has_lengths) print_lengths(report, *counts, limit);
  print_finding("duplicates", report.duplicates, "came before");
  if (method == "dpo") {
    print_finding("equal pairs", report.equal_pairs, "have nothing to learn");
    print_finding("contradictions", report.contradictions, "came before with sides exchanged");
  }
  print_finding("empty answers", report.empty_fields, "say nothing");
  print_finding("weight 0", report.zero_weight, "count for nothing");
  if (report.has_held_out) {
    print_finding("held-out rows", report.shared_rows, "also stand in the held-out file");
    print_finding("held-out prompts", report.shared_prompts,
                  "have a prompt of the held-out file: its result would look too good");
  }
  if (counts == nullptr) return;
  if (counts->refused == 0) {
    print_line("refused", "none: training takes every row");
    return;
  }
  print_line("refused", rows_text(counts->refused) + " that training would not take:");
  for (const std::string& reason : counts->refusals) std::printf("    %s\n", reason.c_str());
}

Json to_json(const std::string& path, const std::string& method, const data::Dataset& dataset,
             const data::DataReport& report, const TokenCounts* counts) {
  Json json = Json::object();
  json["data"] = path;
  json["digest"] = dataset.digest;
  json["method"] = method;
  const Json findings = report.to_json();
  for (const auto& [key, value] : findings.as_object()) json[key] = value;
  if (counts == nullptr) return json;
  json["tokens"] = counts->tokens;
  json["trained_tokens"] = counts->trained;
  json["rows_cut"] = counts->rows_cut;
  json["tokens_cut"] = counts->tokens_cut;
  json["refused"] = counts->refused;
  Json refusals = Json::array();
  for (const std::string& reason : counts->refusals) refusals.push_back(reason);
  json["refusals"] = std::move(refusals);
  return json;
}

int check(const std::string& path, const CheckFlags& flags) {
  const data::Dataset dataset = load_rows(flags, path);
  std::optional<data::Dataset> held_out;
  if (!flags.eval_data.empty()) held_out = load_rows(flags, flags.eval_data);
  std::string method = flags.method;
  if (method == "auto") method = holds_preferences(dataset) ? "dpo" : "sft";

  std::optional<TokenCounts> counts;
  data::CheckOptions options;
  llm::ModelConfig model;
  std::optional<llm::TextCodec> codec;
  std::optional<Tokeniser> tokeniser;
  if (!flags.model.empty()) {
    if (!real_env().exists(flags.model)) {
      throw not_found("--model " + flags.model + ": there is no such file or folder");
    }
    model = llm::ModelFile::open(flags.model)->config();
    codec = llm::load_text_codec(flags.model);
    tokeniser.emplace(method, codec, model, flags.cut);
    options.max_length = flags.cut.max_length == 0
                             ? model.context_length
                             : std::min(flags.cut.max_length, model.context_length);
    options.length = [&](const data::Row& row) { return tokeniser->whole_length(row); };
    counts.emplace();
    for (const data::Row& row : dataset.rows) tokeniser->count(row, *counts);
  } else if (!flags.common.quiet) {
    std::fprintf(stderr, "note: without --model there are no lengths, cuts or masks\n");
  }
  const data::DataReport report =
      data::check_data(dataset, held_out ? &*held_out : nullptr, options);
  if (flags.common.json) {
    std::printf("%s\n",
                to_json(path, method, dataset, report, counts ? &*counts : nullptr).dump().c_str());
  } else {
    print_report(path, method, report, counts ? &*counts : nullptr, options.max_length);
  }
  return counts && counts->refused > 0 ? 3 : 0;
}

int run_check(const Arguments& arguments) {
  CheckFlags flags;
  flags.method = "auto";
  Options options("data check", "what is in a file of rows, and what training would make of it.",
                  "D.jsonl --model M [--eval-data E.jsonl]");
  options.example("hone data check pairs.jsonl --model m.gguf",
                  "rows, kinds, lengths, cuts, masks, duplicates, equal pairs");
  options.example("hone data check pairs.jsonl --model m.gguf --eval-data held.jsonl --json",
                  "and the overlap with the held-out file, for programs");
  options.example("hone data check chats.jsonl --model m.gguf --method sft --assistant-only-loss",
                  "how many tokens would be trained");
  options.text("model", &flags.model, "MODEL", "whose tokenizer and context count");
  options.text("eval-data", &flags.eval_data, "FILE", "held-out rows to compare with");
  options.choice("method", &flags.method, {"auto", "sft", "dpo"},
                 "what the rows are for; auto = dpo when there are preferences");
  options.count("max-length", &flags.cut.max_length, "tokens of a row; 0 = no cut");
  options.count("max-prompt-length", &flags.cut.max_prompt_length,
                "last tokens of a prompt that are kept; 0 = all");
  options.flag("completion-only-loss", &flags.cut.completion_only_loss,
               "of prompt-completion rows: the prompt is not trained (default true)");
  options.flag("assistant-only-loss", &flags.cut.assistant_only_loss,
               "of message rows: only what the assistant says is trained");
  options.choice("on-bad-row", &flags.on_bad_row, {"fail", "skip"}, "what a bad line does");
  flags.common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() != 1) throw invalid_input("hone data check needs one file of rows");
  return check(words[0], flags);
}

}  // namespace

int run_data(const Arguments& arguments) {
  constexpr Object kObjects[] = {
      {"check", "what is in a file of rows, before training", run_check}};
  return run_object("data", "files of rows.", kObjects, arguments);
}

}  // namespace hone::cli
