#pragma once
// One answer of a served model with all that decided it: what is judged, sampled into a labelling
// project, exported. The JSON form is docs/formats/answer.md. Immutable values; any thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::feedback {

// What all answers of one request share.
struct Completion {
  std::string id;            // chatcmpl-…, cmpl-…
  std::string organisation;  // whose it is
  std::string caller;        // usr_… or key_…
  std::string asked;         // the name that the request said: the model's, or an alias
  std::string model;         // the name of the model that answered
  std::string model_digest;  // of its files
  std::string fingerprint;   // the variant's digest
  Json settings;             // what the answers were drawn with
  Json messages;             // of a chat: a list; null = a text completion
  bool consented = false;    // the request said "store": true
  int64_t created_at_ms = 0;
};

// What one choice adds.
struct Choice {
  std::string prompt;  // of a text completion
  std::string text;
  Json tool_calls;            // a list, or null
  std::string finish_reason;  // "cancelled" when the client left before the end
  std::vector<int32_t> token_ids;
  std::vector<float> log_probs;  // of these tokens, at temperature 1
};

struct Answer {
  Completion head;
  int64_t index = 0;  // which choice
  Choice choice;

  bool is_chat() const { return !head.messages.is_null(); }
  // The prompt as training rows have it: a list of messages, or a text.
  Json prompt() const { return is_chat() ? head.messages : Json(choice.prompt); }
  // A completion of that prompt with this text, in the same form.
  Json completion(std::string_view text) const;
  // Without the caller: who asked is no part of what was said.
  Json to_json() const;
  // Throws invalid_input.
  static Answer from_json(const Json& json);
};

// A request's answers as long as they are kept.
struct KeptCompletion {
  Completion head;
  std::vector<Choice> choices;

  Answer answer(size_t index) const { return {head, static_cast<int64_t>(index), choices[index]}; }
  size_t bytes() const;  // about what it holds in memory
};
using KeptPointer = std::shared_ptr<const KeptCompletion>;

}  // namespace hone::feedback
