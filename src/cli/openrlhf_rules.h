#pragma once
// What OpenRLHF 0.11 calls our settings, method by method (export_openrlhf.cc).

#include <span>
#include <string>

#include "cli/export_run.h"

namespace hone::cli {

struct OpenRlhfMethod {
  const char* name;
  const char* module;
  std::span<const Rule> rules, optimizer, common;
  const char* model;  // the option that names it
  WriteRow row = plain_row;
};
// Throws invalid_input for a method that it has not.
const OpenRlhfMethod& openrlhf_method(const std::string& name);

}  // namespace hone::cli
