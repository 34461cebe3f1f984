#include "llm/formats/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "llm/formats/quote.h"

namespace hone::llm {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in memory");

using tensor::DataType;

constexpr std::string_view kSupportedTypes =
    "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, Q4_K, Q5_K, Q6_K";

struct StoredType {
  uint32_t id;
  std::string_view name;
  std::optional<DataType> type;  // none: known, but not read
};

constexpr std::array<StoredType, 32> kStoredTypes = {{
    {0, "F32", DataType::kF32},
    {1, "F16", DataType::kF16},
    {2, "Q4_0", DataType::kQ4_0},
    {3, "Q4_1", DataType::kQ4_1},
    {6, "Q5_0", DataType::kQ5_0},
    {7, "Q5_1", DataType::kQ5_1},
    {8, "Q8_0", DataType::kQ8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", {}},
    {11, "Q3_K", {}},
    {12, "Q4_K", DataType::kQ4_K},
    {13, "Q5_K", DataType::kQ5_K},
    {14, "Q6_K", DataType::kQ6_K},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", {}},
    {17, "IQ2_XS", {}},
    {18, "IQ3_XXS", {}},
    {19, "IQ1_S", {}},
    {20, "IQ4_NL", DataType::kIQ4_NL},
    {21, "IQ3_S", {}},
    {22, "IQ2_S", {}},
    {23, "IQ4_XS", {}},
    {24, "I8", {}},
    {25, "I16", {}},
    {26, "I32", {}},
    {27, "I64", {}},
    {28, "F64", {}},
    {29, "IQ1_M", {}},
    {30, "BF16", DataType::kBF16},
    {34, "TQ1_0", {}},
    {35, "TQ2_0", {}},
    {39, "MXFP4", {}},
}};

const StoredType* find_stored_type(uint32_t id) {
  for (const StoredType& t : kStoredTypes) {
    if (t.id == id) return &t;
  }
  return nullptr;
}

constexpr std::string_view kTypeNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                           "bool", "string", "array", "u64", "i64", "f64"};

// Bytes of a value of fixed size; 0 for strings and arrays.
size_t fixed_size(GgufType type) {
  constexpr size_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kSizes[static_cast<size_t>(type)];
}

template <typename T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<int64_t> integer_at(GgufType type, const std::byte* p) {
  switch (type) {
    case GgufType::kU8: return load<uint8_t>(p);
    case GgufType::kI8: return load<int8_t>(p);
    case GgufType::kU16: return load<uint16_t>(p);
    case GgufType::kI16: return load<int16_t>(p);
    case GgufType::kU32: return load<uint32_t>(p);
    case GgufType::kI32: return load<int32_t>(p);
    case GgufType::kI64: return load<int64_t>(p);
    case GgufType::kU64: {
      const auto value = load<uint64_t>(p);
      if (value > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    default: return std::nullopt;
  }
}

std::optional<double> number_at(GgufType type, const std::byte* p) {
  if (type == GgufType::kF32) return static_cast<double>(load<float>(p));
  if (type == GgufType::kF64) return load<double>(p);
  const std::optional<int64_t> integer = integer_at(type, p);
  if (!integer) return std::nullopt;
  return static_cast<double>(*integer);
}

std::string found(const GgufValue& value) {
  const std::string_view name = kTypeNames[static_cast<size_t>(value.type)];
  if (!value.is_array()) return std::string(name);
  return "array of " + std::string(kTypeNames[static_cast<size_t>(value.element_type)]);
}

[[noreturn]] void refuse_kind(const GgufValue& value, std::string_view expected) {
  throw invalid_input("GGUF key " + quote(value.key) + ": expected " + std::string(expected) +
                      ", found " + found(value));
}

}  // namespace

bool GgufValue::as_bool() const {
  if (type != GgufType::kBool) refuse_kind(*this, "a bool");
  return load<uint8_t>(bytes.data()) != 0;
}

int64_t GgufValue::as_int() const {
  const std::optional<int64_t> value = integer_at(type, bytes.data());
  if (!value) refuse_kind(*this, "an integer below 2^63");
  return *value;
}

double GgufValue::as_double() const {
  const std::optional<double> value = number_at(type, bytes.data());
  if (!value) refuse_kind(*this, "a number");
  return *value;
}

std::string_view GgufValue::as_string() const {
  if (type != GgufType::kString) refuse_kind(*this, "a string");
  return as_text(bytes.subspan(8));
}

std::vector<std::string_view> GgufValue::as_strings() const {
  if (!is_array() || element_type != GgufType::kString) refuse_kind(*this, "an array of string");
  std::vector<std::string_view> out;
  out.reserve(count);
  for (size_t at = 0; out.size() < count;) {
    const auto length = load<uint64_t>(bytes.data() + at);
    out.push_back(as_text(bytes.subspan(at + 8, length)));
    at += 8 + length;
  }
  return out;
}

std::vector<int64_t> GgufValue::as_ints() const {
  std::vector<int64_t> out;
  const size_t size = is_array() ? fixed_size(element_type) : 0;
  if (size == 0) refuse_kind(*this, "an array of integers");
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const std::optional<int64_t> value = integer_at(element_type, bytes.data() + i * size);
    if (!value) refuse_kind(*this, "an array of integers");
    out.push_back(*value);
  }
  return out;
}

std::vector<float> GgufValue::as_floats() const {
  std::vector<float> out;
  const size_t size = is_array() ? fixed_size(element_type) : 0;
  if (size == 0) refuse_kind(*this, "an array of numbers");
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const std::optional<double> value = number_at(element_type, bytes.data() + i * size);
    if (!value) refuse_kind(*this, "an array of numbers");
    out.push_back(static_cast<float>(*value));
  }
  return out;
}

// Reads front to back; every read goes through take(), which knows the end of the file.
class GgufParser {
 public:
  GgufParser(GgufFile& file, std::span<const std::byte> bytes) : file_(file), bytes_(bytes) {}

  void run() {
    read_head();
    for (uint64_t i = 0; i < value_count_; ++i) read_value();
    index_metadata();
    read_alignment();
    for (uint64_t i = 0; i < tensor_count_; ++i) read_tensor();
    index_tensors();
    place_tensors();
  }

 private:
  struct Placed {
    uint64_t offset = 0, size = 0;
  };

  [[noreturn]] void corrupt(const std::string& what) const {
    throw corrupt_data(file_.name_ + ": " + what + ". Download or convert the file again.");
  }
  [[noreturn]] void unsupported(const std::string& what) const {
    throw invalid_input(file_.name_ + ": " + what);
  }

  std::span<const std::byte> take(uint64_t size, std::string_view what) {
    if (size > bytes_.size() - at_) {
      corrupt("truncated GGUF: " + std::string(what) + " at byte " + std::to_string(at_) +
              " needs " + std::to_string(size) + " bytes, " + std::to_string(bytes_.size() - at_) +
              " are left");
    }
    const auto out = bytes_.subspan(at_, size);
    at_ += size;
    return out;
  }
  template <typename T>
  T number(std::string_view what) {
    return load<T>(take(sizeof(T), what).data());
  }
  std::string_view text(std::string_view what) {
    return as_text(take(number<uint64_t>(what), what));
  }

  void read_head() {
    if (bytes_.size() < 4 || as_text(bytes_.first(4)) != "GGUF") {
      corrupt("is not a GGUF file: it does not begin with \"GGUF\"");
    }
    at_ = 4;
    const auto version = number<uint32_t>("the version");
    if (version != 0 && version % 65536 == 0) {
      unsupported("big-endian GGUF is not supported; convert the model on a little-endian machine");
    }
    if (version != 2 && version != 3) {
      unsupported("GGUF version " + std::to_string(version) +
                  " is not supported (2 and 3 are); convert the model again");
    }
    tensor_count_ = number<uint64_t>("the tensor count");
    value_count_ = number<uint64_t>("the metadata count");
    // The smallest tensor entry has 33 bytes, the smallest metadata entry 13.
    const uint64_t left = bytes_.size() - at_;
    if (tensor_count_ > left / 33) {
      corrupt("claims " + std::to_string(tensor_count_) + " tensors, more than the file can hold");
    }
    if (value_count_ > left / 13) {
      corrupt("claims " + std::to_string(value_count_) +
              " metadata entries, more than the file can hold");
    }
  }

  GgufType read_type(std::string_view key) {
    const auto type = number<uint32_t>("a metadata type");
    if (type > static_cast<uint32_t>(GgufType::kF64)) {
      corrupt("metadata key " + quote(key) + " has the unknown type " + std::to_string(type));
    }
    return static_cast<GgufType>(type);
  }

  // One string with its length, without keeping it.
  void skip_text(std::string_view what) { take(number<uint64_t>(what), what); }

  void read_value() {
    GgufValue value;
    value.key = text("a metadata key");
    value.type = read_type(value.key);
    const std::string what = "the value of " + quote(value.key);
    if (value.type == GgufType::kArray) {
      value.element_type = read_type(value.key);
      value.count = number<uint64_t>(what);
    }
    const GgufType element = value.is_array() ? value.element_type : value.type;
    const size_t begin = at_;
    if (element == GgufType::kArray) {
      unsupported("metadata key " + quote(value.key) + " is an array of arrays");
    } else if (element == GgufType::kString) {
      for (uint64_t i = 0; i < value.count; ++i) skip_text(what);
    } else {
      const size_t size = fixed_size(element);
      if (value.count > bytes_.size() / size) {
        corrupt("truncated GGUF: " + what + " claims " + std::to_string(value.count) +
                " elements, more than the file can hold");
      }
      take(value.count * size, what);
    }
    value.bytes = bytes_.subspan(begin, at_ - begin);
    file_.metadata_.push_back(value);
  }

  void index_metadata() {
    auto& index = file_.metadata_by_key_;
    const auto key = [&](uint32_t i) { return file_.metadata_[i].key; };
    for (uint32_t i = 0; i < file_.metadata_.size(); ++i) index.push_back(i);
    std::sort(index.begin(), index.end(), [&](auto a, auto b) { return key(a) < key(b); });
    for (size_t i = 1; i < index.size(); ++i) {
      if (key(index[i - 1]) == key(index[i])) {
        corrupt("metadata key " + quote(key(index[i])) + " appears twice");
      }
    }
  }

  void read_alignment() {
    const GgufValue* value = file_.find("general.alignment");
    if (value == nullptr) return;
    const int64_t alignment = value->as_int();
    if (alignment < 8 || alignment % 8 != 0 || alignment > (1 << 20)) {
      corrupt("general.alignment is " + std::to_string(alignment) +
              "; it must be a multiple of 8, at most 1048576");
    }
    alignment_ = static_cast<uint64_t>(alignment);
  }

  DataType read_tensor_type(std::string_view name) {
    const auto id = number<uint32_t>("a tensor's type");
    const StoredType* stored = find_stored_type(id);
    if (stored != nullptr && stored->type) return *stored->type;
    const std::string type =
        stored != nullptr ? std::string(stored->name) : "type " + std::to_string(id);
    unsupported("tensor " + quote(name) + " is stored as " + type + ", which Hone does not read (" +
                std::string(kSupportedTypes) + "); quantise the model to one of these");
  }

  void read_tensor() {
    GgufTensor tensor;
    tensor.name = text("a tensor's name");
    const std::string who = "tensor " + quote(tensor.name);
    const auto dimensions = number<uint32_t>("a tensor's dimensions");
    if (dimensions == 0 || dimensions > 4) {
      corrupt(who + " has " + std::to_string(dimensions) + " dimensions; 1 to 4 are possible");
    }
    uint64_t elements = 1;
    for (uint32_t d = 0; d < dimensions; ++d) {
      const auto size = number<uint64_t>("a tensor's shape");
      // No type stores more than 2 values in a byte.
      if (size == 0 || size > 2 * bytes_.size() / elements) {
        corrupt(who + " has an impossible shape: dimension " + std::to_string(d) + " is " +
                std::to_string(size) + " and the file has " + std::to_string(bytes_.size()) +
                " bytes");
      }
      if (d == 0) tensor.cols = size;
      elements *= size;
    }
    tensor.dimensions = dimensions;
    tensor.rows = elements / tensor.cols;
    tensor.type = read_tensor_type(tensor.name);
    const tensor::DataTypeInfo& type = tensor::info(tensor.type);
    if (tensor.cols % type.block_size != 0) {
      corrupt(who + " has rows of " + std::to_string(tensor.cols) + " values, no multiple of the " +
              std::to_string(type.block_size) + " that " + std::string(type.name) + " needs");
    }
    Placed place;
    place.offset = number<uint64_t>("a tensor's offset");
    place.size = tensor::storage_bytes(tensor.type, elements);
    if (place.offset % alignment_ != 0) {
      corrupt(who + " begins at offset " + std::to_string(place.offset) +
              ", which is not aligned to " + std::to_string(alignment_));
    }
    file_.tensors_.push_back(tensor);
    places_.push_back(place);
  }

  void index_tensors() {
    auto& index = file_.tensors_by_name_;
    const auto name = [&](uint32_t i) { return file_.tensors_[i].name; };
    for (uint32_t i = 0; i < file_.tensors_.size(); ++i) index.push_back(i);
    std::sort(index.begin(), index.end(), [&](auto a, auto b) { return name(a) < name(b); });
    for (size_t i = 1; i < index.size(); ++i) {
      if (name(index[i - 1]) == name(index[i])) {
        corrupt("tensor " + quote(name(index[i])) + " appears twice");
      }
    }
  }

  void place_tensors() {
    if (file_.tensors_.empty()) return;
    const uint64_t begin = (at_ + alignment_ - 1) / alignment_ * alignment_;
    const uint64_t room = begin <= bytes_.size() ? bytes_.size() - begin : 0;
    std::vector<uint32_t> order = file_.tensors_by_name_;
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return places_[a].offset < places_[b].offset; });
    uint64_t end = 0;
    uint32_t last = 0;
    for (uint32_t i : order) {
      GgufTensor& tensor = file_.tensors_[i];
      const Placed& place = places_[i];
      const std::string who = "tensor " + quote(tensor.name);
      if (place.offset > room || place.size > room - place.offset) {
        corrupt("truncated GGUF: " + who + " lies outside the file (offset " +
                std::to_string(place.offset) + ", " + std::to_string(place.size) + " bytes, " +
                std::to_string(room) + " bytes of data)");
      }
      if (place.offset < end) {
        corrupt(who + " overlaps tensor " + quote(file_.tensors_[last].name));
      }
      end = place.offset + place.size;
      last = i;
      tensor.bytes = bytes_.subspan(begin + place.offset, place.size);
    }
  }

  GgufFile& file_;
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  uint64_t tensor_count_ = 0, value_count_ = 0;
  uint64_t alignment_ = 32;
  std::vector<Placed> places_;
};

std::unique_ptr<GgufFile> GgufFile::open(const std::string& path) {
  auto mapping = std::make_unique<MappedFile>(path);
  auto file = parse(path, mapping->bytes());
  file->mapping_ = std::move(mapping);
  return file;
}

std::unique_ptr<GgufFile> GgufFile::parse(std::string name, std::span<const std::byte> bytes) {
  std::unique_ptr<GgufFile> file(new GgufFile);
  file->name_ = std::move(name);
  GgufParser(*file, bytes).run();
  return file;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto at = std::lower_bound(
      metadata_by_key_.begin(), metadata_by_key_.end(), key,
      [&](uint32_t i, std::string_view wanted) { return metadata_[i].key < wanted; });
  if (at == metadata_by_key_.end() || metadata_[*at].key != key) return nullptr;
  return &metadata_[*at];
}

const GgufValue& GgufFile::at(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    throw invalid_input(name_ + ": the metadata key " + quote(key) + " is missing");
  }
  return *value;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto at = std::lower_bound(
      tensors_by_name_.begin(), tensors_by_name_.end(), name,
      [&](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (at == tensors_by_name_.end() || tensors_[*at].name != name) return nullptr;
  return &tensors_[*at];
}

}  // namespace hone::llm
