#pragma once
// --packing: which rows share a sequence (best fit decreasing; Ding et al., "Fewer Truncations
// Improve Language Modeling", 2024; the bins of TRL's strategy "bfd").
//
// In Hone rows of a sequence never see each other and nothing is padded, packed or not. What packing
// changes is what --per-device-train-batch-size counts: sequences of up to --max-length tokens
// instead of rows, as in TRL.

#include <cstddef>
#include <span>
#include <vector>

namespace hone::train {

// Bins of indices into lengths, in the order in which they were opened; each index stands in one
// bin and the lengths of a bin add up to at most capacity. The longest go first (equal ones in file
// order), each into the fullest bin that has room (the one that became so first).
// Lengths must be 1 to capacity; throws invalid_input else.
std::vector<std::vector<size_t>> pack_best_fit_decreasing(std::span<const size_t> lengths,
                                                          size_t capacity);

}  // namespace hone::train
