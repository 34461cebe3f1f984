#include "llm/grammar/utf8_sets.h"

#include <algorithm>

namespace hone::llm::grammar {
namespace {

struct Bytes {
  std::array<uint8_t, 4> at;
  size_t length = 0;
};

Bytes encode(uint32_t c) {
  const auto tail = [c](int shift) { return static_cast<uint8_t>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) return {{static_cast<uint8_t>(c)}, 1};
  if (c < 0x800) return {{static_cast<uint8_t>(0xC0 | (c >> 6)), tail(0)}, 2};
  if (c < 0x10000) return {{static_cast<uint8_t>(0xE0 | (c >> 12)), tail(6), tail(0)}, 3};
  return {{static_cast<uint8_t>(0xF0 | (c >> 18)), tail(12), tail(6), tail(0)}, 4};
}

void fill(std::bitset<256>& set, uint8_t first, uint8_t last) {
  for (unsigned b = first; b <= last; ++b) set.set(b);
}

void split(uint32_t first, uint32_t last, std::vector<ByteSequence>& out);

// Cuts where a whole block of 64^k characters begins or ends inside; true when it did.
bool cut_at_blocks(uint32_t first, uint32_t last, std::vector<ByteSequence>& out) {
  for (int k = 1; k < 4; ++k) {
    const uint32_t low = (1u << (6 * k)) - 1;
    if ((first & ~low) == (last & ~low)) continue;
    if ((first & low) != 0) {
      split(first, first | low, out);
      split((first | low) + 1, last, out);
      return true;
    }
    if ((last & low) != low) {
      split(first, (last & ~low) - 1, out);
      split(last & ~low, last, out);
      return true;
    }
  }
  return false;
}

void split(uint32_t first, uint32_t last, std::vector<ByteSequence>& out) {
  for (const uint32_t end : {0x7Fu, 0x7FFu, 0xFFFFu}) {
    if (first <= end && last > end) {
      split(first, end, out);
      split(end + 1, last, out);
      return;
    }
  }
  if (last >= 0x80 && cut_at_blocks(first, last, out)) return;
  const Bytes a = encode(first), b = encode(last);
  ByteSequence sequence;
  sequence.length = a.length;
  for (size_t i = 0; i < a.length; ++i) fill(sequence.sets[i], a.at[i], b.at[i]);
  out.push_back(sequence);
}

// Sequences that differ in one place become one.
void merge(std::vector<ByteSequence>& sequences) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    for (size_t j = i + 1; j < sequences.size();) {
      ByteSequence& a = sequences[i];
      const ByteSequence& b = sequences[j];
      size_t differences = 0, place = 0;
      for (size_t k = 0; k < 4 && a.length == b.length; ++k) {
        if (a.sets[k] != b.sets[k]) {
          ++differences;
          place = k;
        }
      }
      if (a.length == b.length && differences <= 1) {
        a.sets[place] |= b.sets[place];
        sequences.erase(sequences.begin() + static_cast<std::ptrdiff_t>(j));
      } else {
        ++j;
      }
    }
  }
}

}  // namespace

std::vector<ByteSequence> utf8_sequences(const CodePoints& characters) {
  std::vector<ByteSequence> out;
  for (const CodePointRange& range : characters) split(range.first, range.last, out);
  std::stable_sort(out.begin(), out.end(), [](const ByteSequence& a, const ByteSequence& b) {
    return a.length < b.length;
  });
  // All of one length lie together; large sets (thousands of ranges) are left as they are.
  ByteSequence ascii;
  ascii.length = 1;
  size_t singles = 0;
  for (; singles < out.size() && out[singles].length == 1; ++singles) {
    ascii.sets[0] |= out[singles].sets[0];
  }
  if (singles > 0) {
    out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(singles));
    out.insert(out.begin(), ascii);
  }
  if (out.size() <= 256) merge(out);
  return out;
}

}  // namespace hone::llm::grammar
