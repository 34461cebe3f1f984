#pragma once
// What a token may ask of models (/v1), and how much; columns of access_token. A session has none of
// these bounds. Functions on a Connection or Transaction of control.db.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace hone::label {

inline constexpr size_t kKeyModelsMax = 100;

struct KeyLimits {
  std::vector<std::string> models = {};  // names of models and aliases; empty = all
  std::optional<int64_t> requests_per_day = {}, tokens_per_day = {};  // of a UTC day
  double weight = 1;  // of its turns beside other keys: 0.01 to 100
  int priority = 0;   // -10 to 10; higher goes first, always

  // Whether it has more than others have: who gives that must be allowed to (token.manage).
  bool is_raised() const { return weight > 1 || priority > 0; }
  bool is_bounded() const {
    return !models.empty() || requests_per_day || tokens_per_day || weight < 1 || priority < 0;
  }
};

// Throws invalid_input that says what is out of bounds.
void check_limits(const KeyLimits& limits);

// Without bounds for a token that is not there.
KeyLimits limits_of_token(store::Connection& db, std::string_view token_id);
// Of every living token of the organisation, by key_….
std::map<std::string, KeyLimits> limits_of_tokens(store::Connection& db, int64_t organisation);
// In place of what it had; checks them. Throws not_found.
void set_limits(store::Transaction& tx, int64_t organisation, std::string_view token_id,
                const KeyLimits& limits);

}  // namespace hone::label
