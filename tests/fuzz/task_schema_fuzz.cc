// A task schema and an answer to it, both of any bytes: "schema, zero byte, answer". What must hold:
// nothing but an Error comes out; what is read is its own normal form; an answer that is taken is
// taken again, unchanged, from its normalised form, and its choice has only declared classes.

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>

#include "base/check.h"
#include "label/task_answer.h"
#include "label/task_schema.h"

namespace {

using namespace hone;
using namespace hone::label;

constexpr JsonLimits kLimits = {64, size_t{1} << 20};

TaskParts parts_for(const TaskSchema& schema) {
  TaskParts parts;
  if (schema.task_type == "conversation") {
    parts.roles = {"user", "assistant", "user", "assistant"};
  } else if (schema.task_type == "pairwise") {
    parts.response_ids = {"rsp_a", "rsp_b"};
  } else {
    parts.response_ids = {"rsp_a", "rsp_b", "rsp_c"};
  }
  return parts;
}

void check_choice(const TaskSchema& schema, const Answer& answer) {
  const auto classes = main_classes(schema);
  for (const std::string_view part : split_choice(answer.choice)) {
    HONE_CHECK(std::find(classes.begin(), classes.end(), part) != classes.end());
  }
}

void answer_one(const TaskSchema& schema, const Json& json) {
  const TaskParts parts = parts_for(schema);
  ShownOrder swapped(parts.response_ids.size());
  std::iota(swapped.rbegin(), swapped.rend(), 0u);
  try {
    const Answer answer = validate_answer(schema, parts, swapped, json);
    check_choice(schema, answer);
    const Answer again = validate_answer(schema, parts, swapped, answer.answer);
    HONE_CHECK(again.answer.dump() == answer.answer.dump());
    HONE_CHECK(again.choice == answer.choice);
  } catch (const Error& error) {
    HONE_CHECK(!error.message().empty());
  }
  try {
    const Answer gold = validate_gold_answer(schema, parts, json);
    check_choice(schema, gold);
    HONE_CHECK(validate_gold_answer(schema, parts, gold.answer).choice == gold.choice);
  } catch (const Error& error) {
    HONE_CHECK(!error.message().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t zero = bytes.find('\0');
  const auto schema_json = Json::parse(bytes.substr(0, zero), kLimits);
  if (!schema_json) return 0;
  try {
    const TaskSchema schema = parse_task_schema(*schema_json);
    const Json normal = schema.normalised();
    HONE_CHECK(parse_task_schema(normal).normalised().dump() == normal.dump());
    if (zero == std::string_view::npos) return 0;
    const auto answer = Json::parse(bytes.substr(zero + 1), kLimits);
    if (answer) answer_one(schema, *answer);
  } catch (const Error& error) {
    HONE_CHECK(error.code() == ErrorCode::kInvalidInput && !error.message().empty());
  }
  return 0;
}
