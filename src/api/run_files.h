#pragma once
// What a run leaves in its folder, read for showing (docs/formats/run.md): metrics.jsonl while it grows,
// shown.json, before.json and after.json at the end. A file that is not there yet is an empty list;
// every file has a bound.

#include <cstdint>
#include <string>

#include "base/env.h"
#include "base/json.h"

namespace hone::api {

struct MetricsPage {
  Json::Array lines;
  int64_t next_offset = 0;  // byte at which the next page begins; 0 = this was the last
};
// Whole lines from byte `offset` with a step after `after_step`; a line that is half written waits.
MetricsPage read_metrics(Env& env, const std::string& folder, int64_t after_step, int64_t offset,
                         int limit);

// {prompt, before, after}
Json::Array read_shown_answers(Env& env, const std::string& folder);

// {id, prompt, before_margin, after_margin}: the difference of mean log-likelihoods of the chosen and
// the rejected answer; the largest change first. Prompts come from the snapshot's held-out rows.
Json::Array read_margins(Env& env, const std::string& folder, const std::string& snapshot_folder);

}  // namespace hone::api
