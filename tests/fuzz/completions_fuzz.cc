// A run's log of completions of any bytes, as its page reads it. The first byte says what is asked
// for; what comes out is a part of the log in the order that was asked for, whatever the page.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "api/completions_log.h"
#include "base/error.h"
#include "base/fault_env.h"

namespace {

using hone::api::CompletionOrder;
using hone::api::CompletionPage;
using hone::api::CompletionQuery;

void require(bool good) {
  if (!good) std::abort();
}

CompletionQuery query_of(uint8_t byte) {
  CompletionQuery query;
  constexpr CompletionOrder kOrders[] = {CompletionOrder::kLogged, CompletionOrder::kReward,
                                         CompletionOrder::kAdvantage};
  query.order = kOrders[byte % 3];
  query.descending = (byte & 4) != 0;
  if ((byte & 8) != 0) query.reward = "exact";
  if ((byte & 16) != 0) query.reward_min = 0.25;
  if ((byte & 32) != 0) query.step_from = 2;
  query.limit = (byte & 64) != 0 ? 2 : 50;
  return query;
}

std::optional<double> value_of(const hone::Json& item, const CompletionQuery& query) {
  const hone::Json* from =
      query.order == CompletionOrder::kAdvantage ? &item : item.find("rewards");
  const std::string name = query.order == CompletionOrder::kAdvantage ? "advantage" : query.reward;
  const hone::Json* value =
      from != nullptr && from->is_object() && !name.empty() ? from->find(name) : nullptr;
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->as_double();
}

void check(const CompletionPage& page, const CompletionQuery& query) {
  require(page.found <= page.all && page.items.size() <= query.limit);
  require(page.rewards.size() <= hone::api::kRewardNamesMax);
  require(page.all == 0 || page.first_step <= page.last_step);
  int64_t before = 0;
  std::optional<double> last;
  for (const hone::Json& item : page.items) {
    const int64_t place = item.at("place").as_int();
    require(place >= 1 && static_cast<uint64_t>(place) <= page.all);
    const int64_t step = item.at("step").as_int();
    require(step >= page.first_step && step <= page.last_step);
    require(!query.step_from || step >= *query.step_from);
    if (query.order == CompletionOrder::kLogged) {
      require(before == 0 || (query.descending ? place < before : place > before));
    }
    before = place;
    if (query.order != CompletionOrder::kAdvantage && query.reward.empty()) continue;  // a sum
    if (query.order == CompletionOrder::kLogged) continue;
    const std::optional<double> value = value_of(item, query);
    if (&item != &page.items.front() && value) {
      require(last && (query.descending ? *value <= *last : *value >= *last));
    }
    last = value;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  hone::FaultEnv env;
  env.create_directories("run");
  hone::write_file_atomically(env, "run/completions.jsonl", bytes);
  CompletionQuery query = query_of(data[0]);
  const CompletionPage first = hone::api::read_completions(env, "run", query);
  check(first, query);
  // The next page goes on where this one ends, of the same bytes.
  query.skip = first.items.size();
  query.bytes = first.bytes;
  const CompletionPage second = hone::api::read_completions(env, "run", query);
  check(second, query);
  require(second.found == first.found && second.all == first.all);
  require(first.items.size() + second.items.size() <= first.found);
  require(first.found <= query.limit || first.items.size() == query.limit);
  return 0;
}
