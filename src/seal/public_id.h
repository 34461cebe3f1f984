#pragma once
// Public ids: a prefix that says the kind and 128 random bits in base32, "tsk_01h9…" (Crockford's
// letters in lower case: no i, l, o, u). Nothing of an id tells when or in which order it was made:
// order would give gold tasks away. Any thread.

#include <string>
#include <string_view>

#include "base/env.h"

namespace hone::seal {

inline constexpr size_t kIdLetters = 26;  // behind the prefix

// prefix: "tsk_".
std::string new_id(Env& env, std::string_view prefix);

// Whether a text from outside has the form of such an id: says nothing of whether it exists.
bool is_id(std::string_view text, std::string_view prefix);

}  // namespace hone::seal
