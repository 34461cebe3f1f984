#pragma once
// One row of training data (docs/formats/training_rows.md), checked: whoever holds a Row need not
// look again whether a role is empty or a weight negative.
//
// Which keys decide the kind, first match wins (the others become provenance):
//   input_ids                               tokenized_lm          (labels: -100 = not trained)
//   prompt_ids + chosen_ids + rejected_ids  tokenized_preference
//   prompt_ids + completion_ids             tokenized_completion  (label: an unpaired judgement)
//   chosen + rejected                       preference            (prompt may be implicit)
//   prompt + completions + labels           stepwise              (a label for each step)
//   prompt + completion + label             unpaired
//   prompt + completion                     prompt_completion
//   messages, then text                     messages, text
//   prompt, or prompt_ids alone             prompt_only
// Names and meanings follow TRL's dataset formats. Strings are taken as they are; message lists go
// through the model's chat template.
//
// A Row owns what it holds. Errors are Results with one clause that fits behind "file:line: ".

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hone::data {

enum class RowKind {
  kText,
  kMessages,
  kPromptCompletion,
  kPreference,
  kUnpaired,
  kPromptOnly,
  kTokenizedLm,
  kTokenizedCompletion,
  kTokenizedPreference,
  kStepwise,
};
// "text", "messages", "prompt_completion", ...
std::string_view row_kind_name(RowKind kind);

inline constexpr int32_t kNotTrained = -100;  // a label that the loss leaves out

struct Row {
  RowKind kind = RowKind::kText;

  // Strings, or arrays of messages {role, content, ...}; in one row all are the one or the other.
  // null where the kind has none. text and messages kinds use `text` and `messages` only.
  Json text, messages, prompt, completion, chosen, rejected;
  bool conversational() const;  // message lists, not strings

  // Already tokenised; nothing is added to them.
  std::vector<int32_t> input_ids, prompt_ids, completion_ids, chosen_ids, rejected_ids;
  std::vector<int32_t> token_labels;  // as long as input_ids, or empty: every token is trained

  std::optional<bool> label;  // unpaired, or tokenized_completion

  // Stepwise: an answer's steps, and whether each is right (1) or not (0); as long.
  std::vector<std::string> steps;
  std::vector<uint8_t> step_labels;
  double weight = 1.0;       // finite, >= 0
  double probability = 1.0;  // [0, 1]: how sure that chosen is better, or that label is right
  double margin = 0.0;       // finite: by how much chosen is better (reward models)

  std::string id;                    // empty when the row has none
  std::vector<std::string> labels;   // ids of the annotations that the row came from
  Json provenance = Json::object();  // keys that mean nothing to Hone, as they were

  std::string file;
  uint64_t line = 0;  // from 1; of the record's first line in CSV
};

// accepted: the kinds the caller can use, in the order it prefers them (sft may prefer messages in
// a file that has preferences too); empty: any kind, in the order above.
Result<Row> row_from_json(Json object, std::span<const RowKind> accepted = {});

// The row's content as canonical JSON: what makes two rows the same, whatever their id, weight,
// probability and provenance. (Digest it; it can be long.)
std::string row_content(const Row& row);

// A stable name for the row in reports: its id, or "line-17".
std::string row_name(const Row& row);

// What chosen and rejected share at their start, by TRL's rule: strings by character, where a space
// right before the difference stays with the answers; message lists by whole message. When one is
// the start of the other, its last character or message stays with the answer, so that no answer
// is empty.
struct SplitPreference {
  Json prompt, chosen, rejected;
};
Result<SplitPreference> split_shared_prompt(const Json& chosen, const Json& rejected);

}  // namespace hone::data
