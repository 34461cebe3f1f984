#include "cli/export_run.h"

#include <algorithm>

#include "base/env.h"
#include "base/error.h"

namespace hone::cli {

namespace {

const Rule* rule_of(const std::string& setting,
                    std::initializer_list<std::span<const Rule>> lists) {
  for (const std::span<const Rule> rules : lists) {
    for (const Rule& rule : rules) {
      if (setting == rule.ours) return &rule;
    }
  }
  return nullptr;
}

bool is_neutral(const Rule& rule, const Json& value) {
  if (rule.neutral == nullptr) return false;
  if (std::string_view(rule.neutral) == "*") return true;
  const Json neutral = Json::parse(rule.neutral).value();
  // 0 and 0.0 are one value, whichever kind of number holds it.
  if (neutral.is_number() && value.is_number()) return neutral.as_double() == value.as_double();
  return neutral == value;
}

void apply(const Rule& rule, const ExportSource& source, const Json& ours, Export& out) {
  const bool neutral = is_neutral(rule, ours);
  if (rule.refusal != nullptr && !neutral) {
    throw invalid_input(std::string(rule.ours) + " is " + ours.dump() + ": " + rule.refusal);
  }
  if (rule.theirs != nullptr) {
    const Json theirs = rule.value == nullptr ? ours : rule.value(source, ours);
    const std::string remark = rule.remark == nullptr || neutral ? "" : rule.remark;
    if (!theirs.is_null() || rule.says_null) {
      out.set(rule.theirs, theirs);
      out.carried.push_back(
          {rule.ours, ours.dump(), std::string(rule.theirs) + " " + theirs.dump(), remark});
      return;
    }
    out.carried.push_back(
        {rule.ours, ours.dump(), std::string(rule.theirs) + " at its default", remark});
  } else if (neutral) {
    out.without_effect.emplace_back(rule.ours);
  } else {
    out.lost.push_back({rule.ours, ours.dump(), rule.remark == nullptr ? "" : rule.remark});
  }
}

std::string count_of(size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// 72 columns, every further line behind the indentation.
std::string paragraph(const std::string& text, const std::string& indent) {
  constexpr size_t kWidth = 88;
  std::string out = indent, line;
  const std::string next(indent.size(), ' ');
  size_t column = indent.size();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const size_t length = end - begin;
    if (column > indent.size() && column + 1 + length > kWidth) {
      out += "\n" + next;
      column = next.size();
    } else if (column > indent.size()) {
      out += ' ';
      ++column;
    }
    out += text.substr(begin, length);
    column += length;
    begin = end + 1;
  }
  return out + "\n";
}

}  // namespace

bool Export::has(std::string_view option) const {
  return std::any_of(options.begin(), options.end(),
                     [&](const auto& entry) { return entry.first == option; });
}

void apply_rules(const ExportSource& source, std::initializer_list<std::span<const Rule>> lists,
                 Export& out) {
  for (const auto& [key, value] : source.settings.as_object()) {
    if (const Rule* rule = rule_of(key, lists)) {
      apply(*rule, source, value, out);
    } else {
      out.lost.push_back({key, value.dump(),
                          "this version of hone export-run does not know it: look whether " +
                              out.target + " has its like"});
    }
  }
}

data::Row likelier(data::Row row) {
  if (row.probability >= 0.5) return row;
  std::swap(row.chosen, row.rejected);
  row.margin = -row.margin;
  if (row.label) row.label = !*row.label;
  return row;
}

Json plain_row(const data::Row& row, const ExportRows& rows) {
  Json json = Json::object();
  const auto put = [&](const char* key, const Json& value) {
    if (!value.is_null()) json[key] = value;
  };
  put("text", row.text);
  put("messages", row.messages);
  put("prompt", row.prompt);
  put("completion", row.completion);
  put("chosen", row.chosen);
  put("rejected", row.rejected);
  if (row.label) json["label"] = *row.label;
  if (rows.margins) json["margin"] = row.margin;
  if (row.kind == data::RowKind::kPromptOnly) {  // columns that rewards read
    for (const auto& [key, value] : row.provenance.as_object()) json[key] = value;
  }
  return json;
}

std::string rows_text(const data::Dataset& rows, const ExportRows& all, WriteRow write) {
  std::string text;
  for (const data::Row& row : rows.rows) {
    if (row.weight == 0) continue;
    write(likelier(row), all).dump_to(text);
    text += '\n';
  }
  return text;
}

void note_rows(const ExportSource& source, const ExportRows& rows, const char* target,
               Export& out) {
  size_t weighted = 0, zero = 0, unsure = 0, turned = 0, provenance = 0;
  for (const data::Row& row : rows.train.rows) {
    weighted += row.weight != 1 && row.weight != 0 ? 1 : 0;
    zero += row.weight == 0 ? 1 : 0;
    unsure += row.probability != 1 ? 1 : 0;
    turned += row.probability < 0.5 ? 1 : 0;
    provenance += !row.id.empty() || !row.labels.empty() ||
                          (row.kind != data::RowKind::kPromptOnly && row.provenance.size() > 0)
                      ? 1
                      : 0;
  }
  if (zero == rows.train.rows.size()) {
    throw invalid_input(rows.train.path + ": every row has weight 0: there is nothing to export");
  }
  const std::string t = target;
  if (weighted > 0) {
    out.notes.push_back(count_of(weighted, "training row") + " with a weight other than 1: " + t +
                        " reads no weights, each counts once.");
  }
  if (zero > 0) {
    out.notes.push_back(count_of(zero, "training row") + " with weight 0 left out.");
  }
  if (unsure > 0) {
    out.notes.push_back(
        count_of(unsure, "training row") + " with a probability other than 1: " + t +
        " takes every label as certain" +
        (turned > 0 ? "; " + std::to_string(turned) +
                          " of them below 0.5 are written the other way round, as is likelier."
                    : "."));
  }
  if (provenance > 0) {
    out.notes.push_back("ids, labels and other columns of " + count_of(provenance, "training row") +
                        " are not written: line numbers are those of the source" +
                        (zero > 0 ? " without the rows of weight 0." : "."));
  }
  if (rows.train.counts.skipped > 0) {
    out.notes.push_back(count_of(rows.train.counts.skipped, "line") +
                        " of the training file could not be read and were left out.");
  }
  if (!source.is_run) return;
  out.notes.push_back(
      "A manifest does not keep how often a run logged, saved and evaluated: hone train's defaults "
      "stand in the config.");
}

std::string model_name(const ExportSource& source, const char* file, const std::string& given,
                       Export& out) {
  const auto digest = source.digests.find(file);
  const std::string sha =
      digest == source.digests.end() ? "" : " (the run's digest: sha256 " + digest->second + ")";
  if (!given.empty()) {
    out.models += paragraph(std::string(file) + ": " + given + ", as it was named" + sha +
                                ". Its weights are not checked here.",
                            "  ");
    return given;
  }
  const auto path = source.paths.find(file);
  std::string option = file;
  std::replace(option.begin(), option.end(), '_', '-');
  const std::string where = path == source.paths.end() ? "MODEL" : path->second;
  out.models += paragraph(
      std::string(file) + ": the folder " + file + "/ beside this file, which is not there yet" +
          sha + ". Write it with: hone model export " + where + " --output " + file +
          " --type F32 (a quantised file's weights as they are computed with: the original of the "
          "Hugging Face hub differs from them). Or export again with --" +
          option + " NAME.",
      "  ");
  return std::string("./") + file;
}

std::string readme_text(const ExportSource& source, const ExportRows& rows, const Export& what) {
  std::string text = "hone train " + source.method + ", for " + what.target + "\n";
  text += paragraph("Written by hone export-run from " + source.from + "; program " +
                        source.program + ", numerics recipe " + source.recipe + ", seed " +
                        std::to_string(source.seed) + ".",
                    "");
  text += "\nRun\n" + what.run_command + "\nModels\n" + what.models;
  text += "\nData (sha256 of the files that were read)\n";
  for (const auto& [name, digest] : source.digests) text += "  " + name + " " + digest + "\n";
  text += "  " + count_of(rows.train.rows.size(), "training row");
  if (rows.held_out) text += ", " + count_of(rows.held_out->rows.size(), "held-out row");
  text += "\n";
  for (const std::string& note : what.notes) text += paragraph(note, "  ");
  text += "\nNot carried over\n";
  for (const NotCarried& lost : what.lost) {
    text += paragraph(lost.ours + " = " + lost.value + ": " + lost.consequence + ".", "  ");
  }
  text += paragraph(
      "the bits: order of rows, random streams and rounding are the other program's, so its curves "
      "resemble this run's and are not equal to them. Nothing it trains can be replayed by hone "
      "replay.",
      "  ");
  text += "\nCarried over (ours = value -> theirs)\n";
  for (const Carried& one : what.carried) {
    text += paragraph(one.ours + " = " + one.value + " -> " + one.theirs +
                          (one.remark.empty() ? "" : "; " + one.remark),
                      "  ");
  }
  if (!what.without_effect.empty()) {
    std::string names;
    for (const std::string& name : what.without_effect) names += (names.empty() ? "" : ", ") + name;
    text += "\nAt a value that asks for nothing, or of this machine's memory alone\n" +
            paragraph(names, "  ");
  }
  return text;
}

}  // namespace hone::cli
