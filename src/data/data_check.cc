#include "data/data_check.h"

#include <algorithm>
#include <unordered_set>

#include "seal/digest.h"

namespace hone::data {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

void append_normalised(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (!is_space(c)) {
      out += (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
}

std::string digest_of(const std::string& text) {
  seal::Sha256 sha;
  sha.update(text);
  return sha.hex();
}

// Nothing for rows without a prompt.
std::string prompt_key(const Row& row) {
  if (!row.prompt.is_null()) return "text " + normalised_text(row.prompt);
  if (row.prompt_ids.empty()) return {};
  std::string key = "ids";
  for (const int32_t id : row.prompt_ids) key += " " + std::to_string(id);
  return key;
}

bool is_pair(const Row& row) {
  return row.kind == RowKind::kPreference || row.kind == RowKind::kTokenizedPreference;
}

Row exchanged(Row row) {
  std::swap(row.chosen, row.rejected);
  std::swap(row.chosen_ids, row.rejected_ids);
  return row;
}

bool is_empty_text(const Json& value) { return value.is_string() && value.as_string().empty(); }

// A message list is empty when no message of it says anything.
bool says_nothing(const Json& value) {
  if (!value.is_array()) return is_empty_text(value);
  return std::all_of(value.as_array().begin(), value.as_array().end(), [](const Json& message) {
    const Json* content = message.find("content");
    return content != nullptr && is_empty_text(*content);
  });
}

bool has_empty_field(const Row& row) {
  return says_nothing(row.text) || says_nothing(row.messages) || says_nothing(row.completion) ||
         says_nothing(row.chosen) || says_nothing(row.rejected);
}

LengthSummary summarise(std::vector<uint64_t> lengths) {
  std::sort(lengths.begin(), lengths.end());
  LengthSummary summary;
  for (const uint64_t length : lengths) summary.total += length;
  summary.shortest = lengths.front();
  summary.median = lengths[(lengths.size() - 1) / 2];
  summary.p95 = lengths[(lengths.size() - 1) * 95 / 100];
  summary.longest = lengths.back();
  return summary;
}

void check_contents(const Dataset& dataset, DataReport& report) {
  std::unordered_set<std::string> contents, prompts;
  for (const Row& row : dataset.rows) {
    if (!contents.insert(digest_of(row_content(row))).second) report.duplicates.add(row.line);
    if (std::string prompt = prompt_key(row); !prompt.empty()) prompts.insert(std::move(prompt));
    if (has_empty_field(row)) report.empty_fields.add(row.line);
    if (row.weight == 0.0) report.zero_weight.add(row.line);
    if (!is_pair(row)) continue;
    if (row.chosen == row.rejected && row.chosen_ids == row.rejected_ids) {
      report.equal_pairs.add(row.line);
    } else if (contents.contains(digest_of(row_content(exchanged(row))))) {
      report.contradictions.add(row.line);
    }
  }
  report.distinct_prompts = prompts.size();
}

void check_overlap(const Dataset& dataset, const Dataset& held_out, DataReport& report) {
  report.has_held_out = true;
  std::unordered_set<std::string> contents, prompts;
  for (const Row& row : held_out.rows) {
    contents.insert(digest_of(row_content(row)));
    if (std::string prompt = prompt_key(row); !prompt.empty()) prompts.insert(std::move(prompt));
  }
  for (const Row& row : dataset.rows) {
    if (contents.contains(digest_of(row_content(row)))) report.shared_rows.add(row.line);
    if (const std::string prompt = prompt_key(row); !prompt.empty() && prompts.contains(prompt)) {
      report.shared_prompts.add(row.line);
    }
  }
}

void check_lengths(const Dataset& dataset, const CheckOptions& options, DataReport& report) {
  std::vector<uint64_t> lengths;
  for (const Row& row : dataset.rows) {
    lengths.push_back(options.length(row));
    if (options.max_length > 0 && lengths.back() > options.max_length) {
      report.too_long.add(row.line);
    }
  }
  if (lengths.empty()) return;
  report.has_lengths = true;
  report.lengths = summarise(std::move(lengths));
}

Json finding_json(const Finding& finding) {
  Json json = Json::object();
  json["count"] = finding.count;
  json["lines"] = Json(Json::Array(finding.lines.begin(), finding.lines.end()));
  return json;
}

}  // namespace

void Finding::add(uint64_t line) {
  ++count;
  if (lines.size() < kMostListed) lines.push_back(line);
}

std::string normalised_text(const Json& text_or_messages) {
  std::string out;
  if (text_or_messages.is_string()) {
    append_normalised(out, text_or_messages.as_string());
  } else if (text_or_messages.is_array()) {
    for (const Json& message : text_or_messages.as_array()) {
      const Json* role = message.find("role");
      const Json* content = message.find("content");
      append_normalised(out, "\n");
      if (role != nullptr && role->is_string()) append_normalised(out, role->as_string() + ": ");
      if (content != nullptr && content->is_string()) append_normalised(out, content->as_string());
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

DataReport check_data(const Dataset& dataset, const Dataset* held_out,
                      const CheckOptions& options) {
  DataReport report;
  report.rows = dataset.rows.size();
  report.skipped = dataset.counts.skipped;
  const auto counts = dataset.kind_counts();
  for (size_t kind = 0; kind < counts.size(); ++kind) {
    if (counts[kind] == 0) continue;
    report.kinds.emplace_back(row_kind_name(static_cast<RowKind>(kind)), counts[kind]);
  }
  check_contents(dataset, report);
  if (held_out != nullptr) check_overlap(dataset, *held_out, report);
  if (options.length) check_lengths(dataset, options, report);
  return report;
}

Json DataReport::to_json() const {
  Json json = Json::object();
  json["rows"] = rows;
  json["skipped"] = skipped;
  json["kinds"] = Json::object();
  for (const auto& [kind, count] : kinds) json["kinds"][kind] = count;
  json["distinct_prompts"] = distinct_prompts;
  json["duplicates"] = finding_json(duplicates);
  json["equal_pairs"] = finding_json(equal_pairs);
  json["contradictions"] = finding_json(contradictions);
  json["empty_fields"] = finding_json(empty_fields);
  json["zero_weight"] = finding_json(zero_weight);
  if (has_held_out) {
    json["shared_prompts"] = finding_json(shared_prompts);
    json["shared_rows"] = finding_json(shared_rows);
  }
  if (has_lengths) {
    json["too_long"] = finding_json(too_long);
    json["lengths"] = Json::object();
    json["lengths"]["shortest"] = lengths.shortest;
    json["lengths"]["median"] = lengths.median;
    json["lengths"]["p95"] = lengths.p95;
    json["lengths"]["longest"] = lengths.longest;
    json["lengths"]["total"] = lengths.total;
  }
  return json;
}

}  // namespace hone::data
