#pragma once
// What a run said and what it earned: completions.jsonl (docs/formats/run.md), read for browsing while it
// grows. The file is read from its beginning, at most kCompletionsBytesMax of it; a line that is half
// written waits, one that cannot be read is passed over.
// Throws Error of the disk. Any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/json.h"

namespace hone::api {

inline constexpr uint64_t kCompletionsBytesMax = uint64_t{256} << 20;
inline constexpr size_t kCompletionsMax = 1'000'000;
inline constexpr size_t kRewardNamesMax = 50;

enum class CompletionOrder { kLogged, kReward, kAdvantage };

struct CompletionQuery {
  std::optional<int64_t> step_from, step_to;
  // Of one reward by name; empty: the sum of those that have a value.
  std::string reward;
  std::optional<double> reward_min, reward_max;
  CompletionOrder order = CompletionOrder::kLogged;
  bool descending = false;
  size_t skip = 0, limit = 50;
  uint64_t bytes = 0;  // of the file, as the first page saw it; 0 = as it is now
};

struct CompletionPage {
  Json::Array items;  // the lines, each with `place`: its number in the log, from 1
  uint64_t found = 0, all = 0;
  uint64_t bytes = 0;  // that were looked at
  bool whole = true;   // false: the file is longer than what is read
  std::vector<std::string> rewards;
  int64_t first_step = 0, last_step = 0;  // of all
};
// Equal values keep the log's order; where there is no such reward a line comes last.
CompletionPage read_completions(Env& env, const std::string& folder, const CompletionQuery& query);

}  // namespace hone::api
