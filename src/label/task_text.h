#pragma once
// Pieces of a task's body for lists. Internal to this room and to whoever shows tasks.

#include <string>
#include <string_view>

namespace hone::label {

// The first 200 characters of the prompt (of a conversation: of its last user message), in one line;
// "" when the body is no JSON or was erased.
std::string prompt_start(std::string_view body);

}  // namespace hone::label
