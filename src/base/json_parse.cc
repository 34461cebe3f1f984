// Reading: Boost.JSON's SAX parser drives the builder below; the library's own double conversion
// is not used, because it is not correctly rounded.

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/json.h"

namespace hone {
namespace {

using boost::json::error_code;
using boost::json::string_view;

// The power of ten of the first digit that is not zero; only its sign matters to the caller, who
// knows that the number is far too large or far too small.
int64_t decimal_magnitude(std::string_view text) {
  size_t mark = text.find_first_of("eE");
  std::string_view digits = text.substr(0, mark);
  int64_t exponent = 0;
  if (mark != std::string_view::npos) {
    const char* from = text.data() + mark + 1;
    if (*from == '+') ++from;
    std::from_chars(from, text.data() + text.size(), exponent);
  }
  size_t first = digits.find_first_of("123456789");
  size_t point = std::min(digits.find('.'), digits.size());
  if (first == std::string_view::npos) return 0;
  return exponent + static_cast<int64_t>(point) - static_cast<int64_t>(first);
}

// False when the number is larger than any double. One that is too small rounds to zero.
bool parse_double(std::string_view text, double& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    if (decimal_magnitude(text) > 0) return false;
    value = text.front() == '-' ? -0.0 : 0.0;
    return true;
  }
  return error == std::errc() && std::isfinite(value);
}

// A key that stands twice in the object, or nullptr.
const std::string* find_repeated_key(const Json::Object& object) {
  if (object.size() < 12) {
    for (size_t i = 1; i < object.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (object[i].first == object[j].first) return &object[i].first;
    return nullptr;
  }
  // Sorting and not hashing: nobody can choose keys that make it slow.
  std::vector<const std::string*> keys;
  keys.reserve(object.size());
  for (const auto& member : object) keys.push_back(&member.first);
  std::sort(keys.begin(), keys.end(), [](auto* a, auto* b) { return *a < *b; });
  auto twice =
      std::adjacent_find(keys.begin(), keys.end(), [](auto* a, auto* b) { return *a == *b; });
  return twice == keys.end() ? nullptr : *twice;
}

// Called by the parser; returns false (with any error code) to stop it.
class Builder {
 public:
  // NOLINTBEGIN(readability-identifier-naming): the parser asks for these names
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);
  // NOLINTEND(readability-identifier-naming)

  Json take() { return std::move(root_); }
  const std::string& reason() const { return reason_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code&) {
    open_.emplace_back();
    return true;
  }
  bool on_object_end(size_t, error_code& error) {
    if (const std::string* key = find_repeated_key(open_.back().object)) {
      return stop("the key \"" + *key + "\" stands twice in one object", error);
    }
    Json done(std::move(open_.back().object));
    open_.pop_back();
    return add(std::move(done));
  }
  bool on_array_begin(error_code&) {
    open_.emplace_back();
    open_.back().is_array = true;
    return true;
  }
  bool on_array_end(size_t, error_code&) {
    Json done(std::move(open_.back().array));
    open_.pop_back();
    return add(std::move(done));
  }

  bool on_key_part(string_view part, size_t, error_code&) { return keep(part); }
  bool on_key(string_view part, size_t, error_code&) {
    keep(part);
    open_.back().key = take_text();
    return true;
  }
  bool on_string_part(string_view part, size_t, error_code&) { return keep(part); }
  bool on_string(string_view part, size_t, error_code&) {
    keep(part);
    return add(Json(take_text()));
  }

  bool on_number_part(string_view part, error_code&) { return keep(part); }
  bool on_int64(int64_t value, string_view part, error_code&) {
    keep(part);
    bool minus_zero = value == 0 && text_.front() == '-';
    text_.clear();
    return add(minus_zero ? Json(-0.0) : Json(value));
  }
  bool on_uint64(uint64_t value, string_view, error_code&) {
    text_.clear();
    return add(Json(value));
  }
  bool on_double(double, string_view part, error_code& error) {
    keep(part);
    double value = 0;
    if (!parse_double(text_, value)) {
      return stop("the number " + text_.substr(0, 40) + " is beyond the range of a double", error);
    }
    text_.clear();
    return add(Json(value));
  }

  bool on_bool(bool value, error_code&) { return add(Json(value)); }
  bool on_null(error_code&) { return add(Json()); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  struct Open {
    bool is_array = false;
    Json::Array array;
    Json::Object object;
    std::string key;
  };

  bool keep(string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }
  std::string take_text() {
    std::string text = text_;  // a copy of the right size; text_ keeps its capacity
    text_.clear();
    return text;
  }
  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_array) {
      open_.back().array.push_back(std::move(value));
    } else {
      open_.back().object.emplace_back(std::move(open_.back().key), std::move(value));
    }
    return true;
  }
  bool stop(std::string reason, error_code& error) {
    reason_ = std::move(reason);
    error = boost::json::error::syntax;
    return false;
  }

  Json root_;
  std::vector<Open> open_;
  std::string text_;
  std::string reason_;
};

Error bad_json(size_t byte, const std::string& reason) {
  return invalid_input("not valid JSON: at byte " + std::to_string(byte) + ": " + reason);
}

std::string reason_of(const error_code& error, const JsonLimits& limits) {
  if (error == boost::json::error::too_deep) {
    return "nested deeper than " + std::to_string(limits.max_depth) + " levels";
  }
  if (error == boost::json::error::incomplete) return "the text ends too early";
  return error.message();
}

}  // namespace

Result<Json> Json::parse(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(ErrorCode::kTooLarge, "this JSON has " + std::to_string(text.size()) +
                                           " bytes, more than the bound of " +
                                           std::to_string(limits.max_bytes));
  }
  boost::json::parse_options options;
  options.max_depth = limits.max_depth;
  boost::json::basic_parser<Builder> parser(options);
  error_code error;
  size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (error) {
    const std::string& reason = parser.handler().reason();
    return bad_json(read, reason.empty() ? reason_of(error, limits) : reason);
  }
  size_t rest = text.find_first_not_of(" \t\r\n", read);
  if (rest != std::string_view::npos) return bad_json(rest, "something follows the document");
  return parser.handler().take();
}

}  // namespace hone
