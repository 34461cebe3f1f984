#pragma once
// The values of a template, with Python's semantics where a chat template can see them.
//
// A text remembers where each of its bytes came from (Origin): the template's own text and
// literals, or data. An operation on texts keeps the origin of each byte where it can follow it,
// and otherwise marks the whole result as data: in doubt a byte is the user's.
//
// Values are cheap to copy (shared, immutable apart from namespaces, loops and iterators). Errors:
// TemplateError, which the renderer turns into one sentence with the line. Every walk over a value
// charges the Budget, so that neither size nor sharing can make one last for ever.
//
// After Jinja2 3.1's documentation (jinja.palletsprojects.com) and the Python language reference.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::llm::jinja {

// Where a byte came from. 0: the template. Bits: data, inside a generation block, of an assistant
// message, the message's role; above them the message's index plus one.
using Origin = uint32_t;
inline constexpr Origin kFromTemplate = 0;
inline constexpr Origin kFromData = 1;
inline constexpr Origin kGenerated = 2;
inline constexpr Origin kAssistant = 4;
inline constexpr Origin kRoleField = 8;
inline constexpr int kMessageShift = 8;
// What two texts make when they can no longer be told apart.
Origin mix(Origin a, Origin b);

struct TemplateError {
  std::string message;
  int line = 0;
};
[[noreturn]] void fail(std::string message);

// The bounds of one rendering (decisions 4.6). Exceeding any is a TemplateError.
struct Budget {
  int64_t steps_left = 1'000'000;
  size_t max_bytes = 4u << 20;
  std::chrono::steady_clock::time_point deadline;
  int64_t next_clock_check = 0;

  void charge(int64_t steps) {
    steps_left -= steps;
    if (steps_left < next_clock_check) check();
  }
  // Before `bytes` of text come into being.
  void charge_text(size_t bytes) {
    if (bytes > max_bytes) too_long();
    charge(static_cast<int64_t>(bytes / 64) + 1);
  }

 private:
  void check();
  [[noreturn]] void too_long() const;
};

// Text under construction: bytes and the runs of equal origin that cover them.
struct Text {
  struct Run {
    size_t end;
    Origin origin;
  };
  std::string bytes;
  std::vector<Run> runs;
  bool markup = false;  // Jinja2's Markup: `+` escapes what is joined to it

  Text() = default;
  Text(std::string_view text, Origin origin) { append(text, origin); }
  void append(std::string_view text, Origin origin);
  void append(const Text& other);
  void append_slice(const Text& other, size_t begin, size_t end);
  Text slice(size_t begin, size_t end) const;
  // The one origin that stands for all of it.
  Origin origin() const;
  void mark(Origin bits);
};

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kText,
  kSequence,
  kDict,
  kNamespace,
  kCallable,
  kLoop,
  kCycler,
};

struct Object {
  Object() = default;
  Object(const Object&) = default;
  Object& operator=(const Object&) = default;
  virtual ~Object() = default;
  int depth = 0;  // of nested containers; a namespace counts nothing, the interpreter empties it
};

class Value;
struct Sequence;
struct Dict;
struct Namespace;
struct Callable;
struct Loop;
struct Cycler;
struct UndefinedHint;
enum class SequenceType : uint8_t { kList, kTuple, kRange, kItems, kKeys, kValues, kIterator };

class Value {
 public:
  Value() = default;  // undefined, without a name
  static Value none() { return Value(Kind::kNone); }
  static Value undefined(std::string hint);
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value real(double value);
  static Value text(Text text);
  static Value text(std::string_view text, Origin origin = kFromTemplate);
  static Value list(std::vector<Value> items);
  static Value sequence(SequenceType type, std::vector<Value> items);
  static Value dict(std::vector<std::pair<Value, Value>> items);
  static Value object(Kind kind, std::shared_ptr<Object> object);

  Kind kind() const { return kind_; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_text() const { return kind_ == Kind::kText; }
  bool is_dict() const { return kind_ == Kind::kDict; }
  bool is_sequence() const { return kind_ == Kind::kSequence; }
  bool is_sequence(SequenceType type) const;
  bool is_float() const { return kind_ == Kind::kFloat; }
  // A bool counts as an integer, as in Python.
  bool is_int() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_int() || is_float(); }

  int64_t as_int() const { return int_; }
  double as_double() const { return is_float() ? real_ : static_cast<double>(int_); }
  const Text& as_text() const;
  const std::string& bytes() const { return as_text().bytes; }
  Sequence& as_sequence() const;
  const Dict& as_dict() const;
  Namespace& as_namespace() const;
  const Callable& as_callable() const;
  Loop& as_loop() const;
  Cycler& as_cycler() const;
  std::string undefined_hint() const;  // "'x' is undefined"
  const Object* identity() const { return object_.get(); }
  int depth() const { return object_ ? object_->depth : 0; }

 private:
  explicit Value(Kind kind) : kind_(kind) {}
  Kind kind_ = Kind::kUndefined;
  union {
    int64_t int_ = 0;
    double real_;
  };
  std::shared_ptr<Object> object_;
};

struct TextObject : Object {
  Text text;
};
struct UndefinedHint : Object {
  std::string hint;
};
struct Sequence : Object {
  SequenceType type = SequenceType::kList;
  std::vector<Value> items;               // of an iterator: what is left
  int64_t start = 0, stop = 0, step = 1;  // of a range, for its repr
};
struct Dict : Object {
  std::vector<std::pair<Value, Value>> items;
  const Value* find(std::string_view key) const;
  const Value* find(const Value& key, Budget& budget) const;
};
struct Namespace : Object {
  std::vector<std::pair<std::string, Value>> items;
};
struct Cycler : Object {
  bool joiner = false;
  std::vector<Value> items;
  size_t position = 0;
  Value separator;
};

// One level more than what is held; fails beyond the bound that keeps destructors off the stack's end.
int depth_around(const std::vector<Value>& held);

std::string_view type_name(const Value& value);  // Python's: "str", "NoneType", ...
bool truthy(const Value& value);
bool equal(const Value& a, const Value& b, Budget& budget);
bool less(const Value& a, const Value& b, Budget& budget);  // fails when there is no order
// Python's `needle in haystack`.
bool contains(const Value& haystack, const Value& needle, Budget& budget);
// What `for` sees; takes what an iterator still holds.
std::vector<Value> iterate(const Value& value, Budget& budget);
// Dict literals and dict(): a later equal key replaces the value of an earlier one.
Value make_dict(std::vector<std::pair<Value, Value>> items, Budget& budget);

Text to_text(const Value& value, Budget& budget);  // str(value)
Text repr(const Value& value, Budget& budget);     // repr(value)
std::string float_repr(double value);

}  // namespace hone::llm::jinja
