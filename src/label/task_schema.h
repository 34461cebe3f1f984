#pragma once
// What a task asks: questions in JSON, docs/formats/task_schema.md, version 1. Parsed from strangers'
// bytes (tests/fuzz/task_schema_fuzz.cc), always kept in the normal form that normalised() gives:
// every field written out, in one order.
//
// Errors are FieldError (invalid_input with a JSON pointer). Pure; a TaskSchema is immutable and may
// be read from any thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace hone::label {

// invalid_input about one place of a JSON document; the message starts with the pointer too, so that
// nothing is lost where only an Error travels on.
class FieldError : public Error {
 public:
  FieldError(std::string field, const std::string& message)
      : Error(ErrorCode::kInvalidInput, field.empty() ? message : field + ": " + message),
        field_(std::move(field)) {}
  const std::string& field() const { return field_; }

 private:
  std::string field_;  // RFC 6901: "/questions/0/name"
};

enum class QuestionKind { kComparison, kRanking, kRating, kChoice, kFlags, kChecklist, kText };
std::string_view question_kind_name(QuestionKind kind);

// What a question is about: the task as a whole, each response, or each turn of a conversation.
enum class Subject { kTask, kResponse, kTurn };
enum class Turns { kAssistant, kUser, kAll };
enum class Rationale { kOff, kOptional, kRequired };

struct Option {
  std::string name, title, key;
};

struct Strength {  // of a comparison
  std::string title;
  std::vector<std::string> labels;  // 1..n
  bool required = false;
};

struct Question {
  std::string name;
  QuestionKind kind = QuestionKind::kComparison;
  std::string title, help;
  bool required = true;
  Subject subject = Subject::kTask;
  Turns turns = Turns::kAssistant;
  bool tie = true, both_bad = true;       // comparison
  std::optional<Strength> strength;       // comparison
  bool ties = true;                       // ranking
  int64_t min = 1, max = 5;               // rating
  std::map<int64_t, std::string> labels;  // rating: words for some numbers
  std::vector<Option> options;            // choice, flags, checklist (its items)
  size_t max_chars = 20000;               // text
  bool prefill_response = false;          // text
};

struct TaskSchema {
  std::string task_type;
  std::vector<Question> questions;  // the first is the main one
  Rationale rationale = Rationale::kOptional;
  std::vector<std::string> skip_reasons;

  const Question& main() const { return questions.front(); }
  Json normalised() const;
};

inline constexpr size_t kQuestionsMax = 20, kOptionsMax = 50, kSchemaTitleChars = 300;
inline constexpr size_t kSchemaBytesMax = size_t{256} * 1024;
inline constexpr size_t kResponsesMax = 10;  // of one task

// "pairwise", "ranking", ... that work today.
const std::vector<std::string>& task_types();
// Throws FieldError for a type that is none, and for `spans` and `steps`, which come later.
void check_task_type(std::string_view task_type);

TaskSchema parse_task_schema(const Json& json);
// The schema that a project of this type has when it brings none.
TaskSchema built_in_schema(std::string_view task_type);

// The classes that the main question's answers fall into, in an order that does not depend on the
// task; empty for text. An answer is a list of parts, each of one class:
//   comparison         one part: first, second, tie, both_bad (import order)
//   rating, choice     one part; one a response or turn where it is about those
//   flags, checklist   one part an option: yes, no
//   ranking            one part a pair of responses (0,1), (0,2), … (1,2), …: first, second, tie
std::vector<std::string> main_classes(const TaskSchema& schema);

}  // namespace hone::label
