#pragma once
// The five columns models, requests_per_day, tokens_per_day, weight, priority of access_token, as
// KeyLimits. Internal to this room.

#include "label/identity.h"
#include "label/json_lists.h"

namespace hone::label {

inline KeyLimits read_limits(const store::Row& row, size_t first) {
  return {.models = text_list(row.text(first)),
          .requests_per_day = row.optional_int64(first + 1),
          .tokens_per_day = row.optional_int64(first + 2),
          .weight = row.real(first + 3),
          .priority = static_cast<int>(row.int64(first + 4))};
}

}  // namespace hone::label
