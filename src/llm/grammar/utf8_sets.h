#pragma once
// A set of characters as sequences of byte sets: what UTF-8 makes of its ranges.

#include <array>
#include <bitset>
#include <cstddef>
#include <vector>

#include "llm/grammar/syntax.h"

namespace hone::llm::grammar {

struct ByteSequence {
  std::array<std::bitset<256>, 4> sets;
  size_t length = 0;
};

// Together they match exactly the set; the one-byte characters are one sequence, the first.
std::vector<ByteSequence> utf8_sequences(const CodePoints& characters);

}  // namespace hone::llm::grammar
