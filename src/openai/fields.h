#pragma once
// Strict reading of a JSON object: every field has a type and a range, and one that nobody asked for
// is refused by name, so that no option is believed to work that does not.
//
// A null is as good as absent, as OpenAI has it. 3.0 is a whole number. Errors are RequestError
// (invalid_input) with the field as `param`. One thread.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::openai {

// The body as JSON: UTF-8, at most 100 deep. Throws RequestError.
Json parse_body(const std::string& text);

class Fields {
 public:
  // where: what stands before names in messages and params, "response_format." or nothing. Throws
  // when the value is no object. The value must outlive this.
  explicit Fields(const Json& value, std::string where = {});

  // The field when it is there and not null; taken, so that finish() does not mind it.
  const Json* take(std::string_view name);
  const Json& require(std::string_view name);

  std::optional<bool> flag(std::string_view name);
  std::optional<int64_t> integer(std::string_view name, int64_t min, int64_t max);
  std::optional<double> number(std::string_view name, double min, double max);
  std::optional<std::string> text(std::string_view name, size_t max_bytes);
  // One of these words.
  std::optional<std::string> word(std::string_view name,
                                  std::initializer_list<std::string_view> words);
  // A string, or a list of at most max_count strings; empty when absent.
  std::vector<std::string> texts(std::string_view name, size_t max_count, size_t max_bytes);
  std::vector<int32_t> token_ids(std::string_view name, size_t max_count);

  // Taken without a look: fields that change nothing here.
  void ignore(std::initializer_list<std::string_view> names);
  // Refused when it says anything but null or false.
  void refuse(std::string_view name, std::string_view why);
  // Refuses the first field that nobody took.
  void finish() const;

  std::string name_of(std::string_view name) const { return where_ + std::string(name); }

 private:
  const Json& value_;
  const std::string where_;
  std::vector<std::string_view> taken_;
};

// A token id, or RequestError.
int32_t token_id(const Json& value, const std::string& name);
// A whole number, also when it is written 3.0; nothing for another value.
std::optional<int64_t> whole_number(const Json& value);

}  // namespace hone::openai
