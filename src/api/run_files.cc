#include "api/run_files.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/error.h"

namespace hone::api {
namespace {

constexpr uint64_t kPieceBytes = 256 * 1024;
constexpr uint64_t kShownBytesMax = 16ull << 20;
constexpr uint64_t kReportBytesMax = 64ull << 20;
constexpr uint64_t kRowsBytesMax = 256ull << 20;
constexpr std::string_view kMargin = "likelihood_margin";

Json read_json_file(Env& env, const std::string& path, uint64_t max_bytes) {
  if (!env.exists(path)) return {};
  Result<Json> parsed = Json::parse(env.read_file(path, max_bytes));
  if (!parsed) throw Error(ErrorCode::kCorruptData, "a file of this run cannot be read", path);
  return std::move(*parsed);
}

std::map<std::string, double> margins_of(const Json& report) {
  std::map<std::string, double> margins;
  const Json* items = report.find("items");
  if (items == nullptr || !items->is_array()) return margins;
  for (const Json& item : items->as_array()) {
    const Json* values = item.find("values");
    const Json* margin = values == nullptr ? nullptr : values->find(kMargin);
    if (margin != nullptr && margin->is_number()) {
      margins[item.at("id").as_string()] = margin->as_double();
    }
  }
  return margins;
}

// By the id of each row, or by its number where it has none.
std::map<std::string, Json> held_out_prompts(Env& env, const std::string& folder) {
  std::map<std::string, Json> prompts;
  const std::string path = folder + "/heldout.jsonl";
  if (!env.exists(path)) return prompts;
  const std::string text = env.read_file(path, kRowsBytesMax);
  size_t number = 0;
  for (size_t from = 0; from < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', from), text.size());
    Result<Json> row = Json::parse(std::string_view(text).substr(from, end - from));
    from = end + 1;
    if (!row) continue;
    const Json* id = row->find("id");
    const Json* prompt = row->find("prompt");
    if (prompt == nullptr) continue;
    prompts[std::to_string(number)] = *prompt;
    if (id != nullptr && id->is_string()) prompts[id->as_string()] = *prompt;
  }
  return prompts;
}

}  // namespace

MetricsPage read_metrics(Env& env, const std::string& folder, int64_t after_step, int64_t offset,
                         int limit) {
  MetricsPage page;
  const std::string path = folder + "/metrics.jsonl";
  if (offset < 0 || !env.exists(path)) return page;
  uint64_t at = static_cast<uint64_t>(offset);
  std::string held;
  while (true) {
    const std::string piece = env.read_range(path, at + held.size(), kPieceBytes);
    if (piece.empty()) return page;
    held += piece;
    size_t from = 0;
    for (size_t end = held.find('\n', from); end != held.npos; end = held.find('\n', from)) {
      Result<Json> line = Json::parse(std::string_view(held).substr(from, end - from));
      from = end + 1;
      if (!line || !line->is_object()) continue;
      const Json* step = line->find("step");
      if (step == nullptr || !step->is_integer() || step->as_int() <= after_step) continue;
      page.lines.push_back(std::move(*line));
      if (page.lines.size() == static_cast<size_t>(limit)) {
        page.next_offset = static_cast<int64_t>(at + from);
        return page;
      }
    }
    at += from;
    held.erase(0, from);
    if (held.size() > (size_t{1} << 20)) return page;  // no line of ours is that long
  }
}

Json::Array read_shown_answers(Env& env, const std::string& folder) {
  Json::Array items;
  const Json shown = read_json_file(env, folder + "/shown.json", kShownBytesMax);
  if (shown.is_null()) return items;
  const Json::Array& prompts = shown.at("prompts").as_array();
  const Json::Array& before = shown.at("before").as_array();
  const Json::Array& after = shown.at("after").as_array();
  const size_t count = std::min({prompts.size(), before.size(), after.size()});
  for (size_t i = 0; i < count; ++i) {
    Json entry = Json::object();
    entry["prompt"] = prompts[i];
    entry["before"] = before[i];
    entry["after"] = after[i];
    items.push_back(std::move(entry));
  }
  return items;
}

Json::Array read_margins(Env& env, const std::string& folder, const std::string& snapshot_folder) {
  const auto before = margins_of(read_json_file(env, folder + "/before.json", kReportBytesMax));
  const auto after = margins_of(read_json_file(env, folder + "/after.json", kReportBytesMax));
  struct Row {
    std::string id;
    double before, after;
  };
  std::vector<Row> rows;
  for (const auto& [id, margin] : before) {
    const auto other = after.find(id);
    if (other != after.end()) rows.push_back({id, margin, other->second});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::fabs(a.after - a.before) > std::fabs(b.after - b.before);
  });
  const auto prompts =
      rows.empty() ? std::map<std::string, Json>() : held_out_prompts(env, snapshot_folder);
  Json::Array items;
  for (const Row& row : rows) {
    const auto prompt = prompts.find(row.id);
    Json entry = Json::object();
    entry["id"] = row.id;
    entry["prompt"] = prompt == prompts.end() ? Json("") : prompt->second;
    entry["before_margin"] = row.before;
    entry["after_margin"] = row.after;
    items.push_back(std::move(entry));
  }
  return items;
}

}  // namespace hone::api
