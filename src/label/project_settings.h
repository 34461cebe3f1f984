#pragma once
// What settings a project may have. Internal to projects.cc. Errors: FieldError, conflict.

#include <string_view>

#include "label/projects.h"

namespace hone::label {

void check_settings(const Project& project);
void check_state_change(std::string_view from, std::string_view to);

}  // namespace hone::label
