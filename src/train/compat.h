#pragma once
// --compat: the formulas of another trainer, as the switches of a method's config
// (train/conventions.h). A profile says how things are computed, never how much: learning rates,
// coefficients and clips stay what the options say, but for verl's dual clip of 3, which its loss has
// whether it is asked for or not. Checked against OpenRLHF 0.11, verl and LLaMA-Factory by their own
// code (tests/golden/train/compat.json); docs/training.md has the table.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "train/online_config.h"
#include "train/orpo.h"
#include "train/ppo.h"

namespace hone::train {

enum class Compat { kTrl, kOpenrlhf, kVerl, kLlamaFactory };
std::string_view name(Compat compat);
std::vector<std::string> compat_names();
std::optional<Compat> compat_from_name(std::string_view name);

// Sets the switches of a config that is otherwise complete; kTrl changes nothing. Throws
// invalid_input that names the option where the peer has no such method, or where an option asks for
// what the peer does not compute.
void set_compat(Compat compat, DpoConfig& config);
void set_compat(Compat compat, OrpoConfig& config);
void set_compat(Compat compat, GrpoConfig& config);
void set_compat(Compat compat, RlooConfig& config);
void set_compat(Compat compat, PpoConfig& config);

}  // namespace hone::train
