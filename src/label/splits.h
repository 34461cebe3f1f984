#pragma once
// Train and held-out, by prompt group (task.group_digest): a prompt and all its comparisons lie on
// one side. The side of a group is a pure function of the project's seed and fraction, so a task
// that is imported after freezing falls where its group already lies.

#include <string>
#include <string_view>

namespace hone::label {

inline constexpr std::string_view kTrain = "train";
inline constexpr std::string_view kHeldout = "heldout";

// kHeldout when the first 8 bytes of SHA-256(seed, zero byte, group) as a fraction of 2^64 are under
// heldout_fraction, else kTrain.
std::string_view split_of_group(std::string_view seed, double heldout_fraction,
                                std::string_view group_digest);

}  // namespace hone::label
