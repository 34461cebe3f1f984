#pragma once
// GGUF version 3 (and 2, which has the same layout), little-endian: docs/formats/gguf.md.
//
// The reader trusts nothing: every length is bounded by the file, every tensor lies inside the data
// section, aligned, without overlap, under a name of its own, in a type that Hone reads. Parsing
// copies nothing but small tables; arrays and strings are views into the bytes.
//
// Errors: corrupt_data for bytes that lie, invalid_input for what Hone does not support; the message
// begins with the source's name.
// Ownership: GgufFile owns its mapping; values and tensors are views that die with it.
// Thread rule: const after opening, any thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "llm/formats/mapped_file.h"
#include "tensor/data_type.h"

namespace hone::llm {

enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// One metadata value. The accessors throw invalid_input "KEY: expected ..., found ..." when the
// type is another; integers of any width are one kind.
class GgufValue {
 public:
  GgufType type = GgufType::kU8;
  GgufType element_type = GgufType::kU8;  // arrays
  uint64_t count = 1;                     // elements of an array; 1 otherwise
  std::string_view key;
  std::span<const std::byte> bytes;  // the payload as stored (arrays: elements only)

  bool is_array() const { return type == GgufType::kArray; }
  bool as_bool() const;
  int64_t as_int() const;
  double as_double() const;  // any number
  std::string_view as_string() const;
  std::vector<std::string_view> as_strings() const;
  std::vector<int64_t> as_ints() const;
  std::vector<float> as_floats() const;
};

struct GgufTensor {
  std::string_view name;
  tensor::DataType type = tensor::DataType::kF32;
  size_t rows = 0;  // all slower dimensions together; 1 for a vector
  size_t cols = 0;  // the fastest dimension
  size_t dimensions = 0;
  std::span<const std::byte> bytes;
};

class GgufFile {
 public:
  static std::unique_ptr<GgufFile> open(const std::string& path);
  // The bytes must outlive the result. `name` stands in messages.
  static std::unique_ptr<GgufFile> parse(std::string name, std::span<const std::byte> bytes);

  const std::string& name() const { return name_; }
  // The value of that key, or nullptr.
  const GgufValue* find(std::string_view key) const;
  const GgufValue& at(std::string_view key) const;  // throws invalid_input that names the key
  const std::vector<GgufValue>& metadata() const { return metadata_; }  // in the file's order
  const GgufTensor* find_tensor(std::string_view name) const;
  const std::vector<GgufTensor>& tensors() const { return tensors_; }  // in the file's order
  // MappedFile::forget, where the bytes are a mapping of ours.
  void forget(std::span<const std::byte> bytes) const {
    if (mapping_ != nullptr) mapping_->forget(bytes);
  }

 private:
  friend class GgufParser;
  GgufFile() = default;

  std::unique_ptr<MappedFile> mapping_;
  std::string name_;
  std::vector<GgufValue> metadata_;
  std::vector<GgufTensor> tensors_;
  std::vector<uint32_t> metadata_by_key_, tensors_by_name_;  // sorted
};

// A metadata entry with its own memory, as the writer takes it.
struct GgufEntry {
  std::string key;
  std::string encoded;  // type and payload as in the file
};
GgufEntry gguf_string(std::string key, std::string_view value);
GgufEntry gguf_u32(std::string key, uint32_t value);
GgufEntry gguf_f32(std::string key, float value);
GgufEntry gguf_bool(std::string key, bool value);
GgufEntry gguf_strings(std::string key, std::span<const std::string> values);
GgufEntry gguf_i32s(std::string key, std::span<const int32_t> values);
GgufEntry gguf_f32s(std::string key, std::span<const float> values);
GgufEntry gguf_copy(const GgufValue& value);

// Writes a GGUF file front to back without holding the tensors: declare everything, then append the
// tensors' bytes in the declared order, in pieces of any size, then finish. The file appears under
// its name, synced, at finish(); a writer that is destroyed before removes what it wrote.
class GgufWriter {
 public:
  GgufWriter(Env& env, std::string path);
  ~GgufWriter();
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;

  void add(const GgufEntry& entry);
  // A vector has rows == 0. Types: those of tensor::can_quantize; cols a multiple of the block.
  void declare(const std::string& tensor, tensor::DataType type, size_t rows, size_t cols);
  void append(std::span<const std::byte> bytes);
  void finish();

 private:
  void begin_data();

  Env& env_;
  std::string path_, partial_;
  std::unique_ptr<WritableFile> file_;
  std::string metadata_, infos_;
  uint64_t entries_ = 0;
  std::vector<uint64_t> sizes_;  // bytes of each tensor
  uint64_t next_offset_ = 0;
  size_t tensor_ = 0;     // the one being written
  uint64_t written_ = 0;  // bytes of it
  bool data_begun_ = false, finished_ = false;
};

}  // namespace hone::llm
