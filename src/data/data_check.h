#pragma once
// What is wrong or doubtful in a file of rows, before anything long starts. No model is needed:
// lengths come from a callback that knows the tokenizer.
//
// Sameness: exact duplicates by row_content; prompts by normalised text (message lists as "role:
// content" lines; ASCII letters in lower case, runs of white space as one space, none at the ends;
// token ids as they are). Time and memory grow with the rows. Lists of lines keep the first
// kMostListed; counts are whole.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "data/dataset.h"

namespace hone::data {

struct CheckOptions {
  size_t max_length = 0;                          // tokens; 0: nothing counts as too long
  std::function<size_t(const Row&)> length = {};  // empty: lengths are left out
};

struct Finding {
  static constexpr size_t kMostListed = 10;
  uint64_t count = 0;
  std::vector<uint64_t> lines;  // in the checked file
  void add(uint64_t line);
};

struct LengthSummary {
  uint64_t shortest = 0, median = 0, p95 = 0, longest = 0, total = 0;
};

struct DataReport {
  uint64_t rows = 0, skipped = 0;
  std::vector<std::pair<std::string, uint64_t>> kinds;  // those that occur
  uint64_t distinct_prompts = 0;                        // of rows that have a prompt
  Finding duplicates;                                   // rows whose whole content came before
  Finding equal_pairs;                                  // chosen equals rejected: nothing to learn
  Finding contradictions;  // the pair came before with its sides exchanged
  Finding empty_fields;    // an empty text, completion, chosen or rejected
  Finding zero_weight;     // weight 0: counts for nothing
  Finding too_long;        // over max_length

  bool has_held_out = false;
  Finding shared_prompts;  // the prompt also stands in the held-out file
  Finding shared_rows;     // the whole row does

  bool has_lengths = false;
  LengthSummary lengths;

  Json to_json() const;
};

// held_out: nullptr when there is none.
DataReport check_data(const Dataset& dataset, const Dataset* held_out, const CheckOptions& options);

// "the cat" for "  The\n cat "; used for prompts above, and by others who look for overlap.
std::string normalised_text(const Json& text_or_messages);

}  // namespace hone::data
