#pragma once
// Train and held-out, by prompt group (task.group_digest): a prompt and all its comparisons lie on
// one side. The side of a group is a pure function of the project's seed and fraction, so a task
// that is imported after freezing falls where its group already lies.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "label/permissions.h"
#include "label/projects.h"

namespace hone::label {

class Organisation;

inline constexpr std::string_view kTrain = "train";
inline constexpr std::string_view kHeldout = "heldout";

// kHeldout when the first 8 bytes of SHA-256(seed, zero byte, group) as a fraction of 2^64 are under
// heldout_fraction, else kTrain.
std::string_view split_of_group(std::string_view seed, double heldout_fraction,
                                std::string_view group_digest);

struct SplitCounts {
  int64_t train = 0, heldout = 0, none = 0;  // tasks, gold ones too
};
SplitCounts split_counts(store::Connection& db, int64_t project);

// Fixes the project's splits for ever and gives every task its side, in writes of its own (a page of
// tasks each, so that labelling goes on). seed: at most 100 bytes; nothing = a random one. Conflict when
// they are frozen already, or when the project has another version than if_version; invalid_input for
// a fraction outside [0, 0.5]. A freeze that a crash cut short is finished by finish_splits.
SplitCounts freeze_splits(Organisation& organisation, const Actor& actor, std::string_view project,
                          double heldout_fraction, std::optional<std::string> seed = std::nullopt,
                          std::optional<int64_t> if_version = std::nullopt);
// Gives their side to the tasks of a frozen project that have none; nothing for others.
void finish_splits(Organisation& organisation, int64_t project);

// A set of prompts that stand on both sides, the slow and obvious way: by the texts themselves
// (data::normalised_text; what is equal to the byte is equal there too), not by group_digest.
class PromptOverlap {
 public:
  PromptOverlap();
  ~PromptOverlap();
  PromptOverlap(const PromptOverlap&) = delete;
  PromptOverlap& operator=(const PromptOverlap&) = delete;

  void add(const Json& prompt, std::string_view split);  // 24 bytes of memory a prompt
  uint64_t count() const { return count_; }              // prompts on both sides
  const std::vector<std::string>& examples() const { return examples_; }  // at most 5

 private:
  struct Seen;
  std::unique_ptr<Seen> seen_;
  uint64_t count_ = 0;
  std::vector<std::string> examples_;
};
// Over every task of the project. Throws conflict that names a prompt when one stands on both sides.
void check_splits(Organisation& organisation, const Project& project);

}  // namespace hone::label
