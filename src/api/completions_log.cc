#include "api/completions_log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>

namespace hone::api {
namespace {

constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
constexpr uint64_t kLineBytesMax = uint64_t{16} << 20;
constexpr double kStepMax = 1e15;

struct Place {
  uint64_t offset = 0, bytes = 0;
  int64_t number = 0;  // in the log, from 1
  double value = 0;    // to order by; NaN = has none
};

double number_at(const Json& line, std::string_view name) {
  const Json* value = line.find(name);
  return value != nullptr && value->is_number() ? value->as_double()
                                                : std::numeric_limits<double>::quiet_NaN();
}

double reward_of(const Json& line, const std::string& name) {
  const Json* rewards = line.find("rewards");
  if (rewards == nullptr || !rewards->is_object()) return std::nan("");
  if (!name.empty()) return number_at(*rewards, name);
  double sum = 0;
  bool any = false;
  for (const auto& [key, value] : rewards->as_object()) {
    if (!value.is_number()) continue;
    sum += value.as_double();
    any = true;
  }
  return any ? sum : std::nan("");
}

// One pass over the file: what fits the query, by its place.
class Reading {
 public:
  Reading(const CompletionQuery& query, CompletionPage& page) : query_(query), page_(page) {}

  void take(std::string_view text, uint64_t offset) {
    Result<Json> line = Json::parse(text);
    if (!line || !line->is_object()) return;
    const Json* step_at = line->find("step");
    if (step_at == nullptr || !step_at->is_integer()) return;
    if (std::abs(step_at->as_double()) > kStepMax) return;  // no run is that long
    const int64_t step = step_at->as_int();
    page_.first_step = page_.all == 0 ? step : std::min(page_.first_step, step);
    page_.last_step = page_.all == 0 ? step : std::max(page_.last_step, step);
    ++page_.all;
    note_rewards(*line);
    const double reward = reward_of(*line, query_.reward);
    if (query_.step_from && step < *query_.step_from) return;
    if (query_.step_to && step > *query_.step_to) return;
    // Written so that a line without the reward does not pass.
    if (query_.reward_min && !(reward >= *query_.reward_min)) return;
    if (query_.reward_max && !(reward <= *query_.reward_max)) return;
    const double value =
        query_.order == CompletionOrder::kAdvantage ? number_at(*line, "advantage") : reward;
    places_.push_back({offset, text.size(), static_cast<int64_t>(page_.all), value});
  }
  bool full() const { return page_.all >= kCompletionsMax; }

  std::vector<Place> ordered() {
    page_.rewards.assign(rewards_.begin(), rewards_.end());
    if (query_.order == CompletionOrder::kLogged) {
      if (query_.descending) std::reverse(places_.begin(), places_.end());
      return std::move(places_);
    }
    std::stable_sort(places_.begin(), places_.end(), [&](const Place& a, const Place& b) {
      if (std::isnan(a.value) || std::isnan(b.value)) {
        return !std::isnan(a.value) && std::isnan(b.value);
      }
      return query_.descending ? a.value > b.value : a.value < b.value;
    });
    return std::move(places_);
  }

 private:
  void note_rewards(const Json& line) {
    const Json* rewards = line.find("rewards");
    if (rewards == nullptr || !rewards->is_object()) return;
    for (const auto& [name, value] : rewards->as_object()) {
      if (rewards_.size() < kRewardNamesMax) rewards_.emplace(name);
    }
  }

  const CompletionQuery& query_;
  CompletionPage& page_;
  std::vector<Place> places_;
  std::set<std::string> rewards_;
};

void read_lines(Env& env, const std::string& path, uint64_t end, Reading& reading) {
  std::string held;
  for (uint64_t at = 0; !reading.full();) {
    const uint64_t from = at + held.size();
    if (from >= end) return;
    const std::string piece = env.read_range(path, from, std::min(kPieceBytes, end - from));
    if (piece.empty()) return;
    held += piece;
    size_t begin = 0;
    for (size_t stop = held.find('\n'); stop != held.npos && !reading.full();
         stop = held.find('\n', begin)) {
      reading.take(std::string_view(held).substr(begin, stop - begin), at + begin);
      begin = stop + 1;
    }
    at += begin;
    held.erase(0, begin);
    if (held.size() > kLineBytesMax) return;  // no line of ours is that long
  }
}

}  // namespace

CompletionPage read_completions(Env& env, const std::string& folder, const CompletionQuery& query) {
  CompletionPage page;
  const std::string path = folder + "/completions.jsonl";
  if (!env.exists(path)) return page;
  const uint64_t size = env.file_size(path);
  const uint64_t wanted = query.bytes == 0 ? size : std::min(size, query.bytes);
  page.bytes = std::min(wanted, kCompletionsBytesMax);
  page.whole = wanted <= kCompletionsBytesMax;
  Reading reading(query, page);
  read_lines(env, path, page.bytes, reading);
  if (reading.full()) page.whole = false;
  const std::vector<Place> places = reading.ordered();
  page.found = places.size();
  for (size_t i = query.skip; i < places.size() && page.items.size() < query.limit; ++i) {
    Result<Json> line = Json::parse(env.read_range(path, places[i].offset, places[i].bytes));
    if (!line || !line->is_object()) continue;  // the run was started over meanwhile
    (*line)["place"] = places[i].number;
    page.items.push_back(std::move(*line));
  }
  return page;
}

}  // namespace hone::api
