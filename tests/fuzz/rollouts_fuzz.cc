// Recorded rollouts of any bytes: they end in groups that hold together or in one hone::Error.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "data/row_reader.h"
#include "train/recorded_rollouts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  try {
    std::vector<data::Row> rows;
    data::ReadOptions options;
    options.accepted = {data::RowKind::kTokenizedCompletion};
    options.max_line_bytes = 4096;
    data::RowReader reader("f", data::RowFormat::kJsonl, options,
                           [&](data::Row&& row) { rows.push_back(std::move(row)); });
    reader.feed(std::string_view(reinterpret_cast<const char*>(data), size));
    reader.finish();
    const train::RecordedRollouts recorded =
        train::recorded_rollouts(rows, {2, 16, 100, 64, {2}, nullptr});
    if (recorded.groups.size() != recorded.prompts.size()) std::abort();
    for (const train::Group& group : recorded.groups) {
      if (group.completions.size() != 2) std::abort();
      for (const train::Completion& c : group.completions) {
        if (c.ids.empty() || c.log_probs.size() != c.ids.size()) std::abort();
        if (c.rewards.size() != recorded.rewards.size()) std::abort();
        for (float log_prob : c.log_probs) {
          if (!std::isfinite(log_prob) || log_prob > 0) std::abort();
        }
      }
    }
  } catch (const Error& error) {
    if (error.message().empty()) std::abort();
  }
  return 0;
}
