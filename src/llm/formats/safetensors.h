#pragma once
// safetensors: u64 header length, a JSON header, packed row-major data (docs/formats/safetensors.md).
// Reads F32, F16, BF16; every length is bounded by the file; data must be packed without holes or
// overlaps, as the format demands.
//
// Errors: corrupt_data for bytes that lie, invalid_input for types that Hone does not read.
// Ownership: the file owns its mapping; tensors are views that die with it.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/env.h"
#include "llm/formats/mapped_file.h"
#include "tensor/data_type.h"

namespace hone::llm {

struct SafetensorsTensor {
  std::string name;
  tensor::DataType type = tensor::DataType::kF32;
  std::vector<size_t> shape;
  std::span<const std::byte> bytes;
};

// Where a tensor lies in its file.
struct SafetensorsEntry {
  std::string name;
  tensor::DataType type = tensor::DataType::kF32;
  std::vector<size_t> shape;
  uint64_t offset = 0, bytes = 0;  // from the file's begin
};
// Reads and checks the header only, for files too large to be in memory beside what they hold.
std::vector<SafetensorsEntry> read_safetensors_layout(Env& env, const std::string& path);

class SafetensorsFile {
 public:
  static std::unique_ptr<SafetensorsFile> open(const std::string& path);
  // The bytes must outlive the result. `name` stands in messages.
  static std::unique_ptr<SafetensorsFile> parse(std::string name, std::span<const std::byte> bytes);

  const std::string& name() const { return name_; }
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }  // in order of offsets
  // MappedFile::forget, where the bytes are a mapping of ours.
  void forget(std::span<const std::byte> bytes) const {
    if (mapping_ != nullptr) mapping_->forget(bytes);
  }

 private:
  SafetensorsFile() = default;

  std::unique_ptr<MappedFile> mapping_;
  std::string name_;
  std::vector<SafetensorsTensor> tensors_;
};

// Declare everything, append the bytes in the declared order in pieces of any size, finish. The file
// appears under its name, synced, at finish(); a writer destroyed before removes what it wrote.
class SafetensorsWriter {
 public:
  SafetensorsWriter(Env& env, std::string path);
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  // F32, F16 or BF16.
  void declare(const std::string& tensor, tensor::DataType type, std::vector<size_t> shape);
  void append(std::span<const std::byte> bytes);
  void finish();

 private:
  struct Declared {
    std::string name;
    tensor::DataType type;
    std::vector<size_t> shape;
    uint64_t bytes;
  };
  void begin_data();

  Env& env_;
  std::string path_, partial_;
  std::unique_ptr<WritableFile> file_;
  std::vector<Declared> declared_;
  uint64_t total_ = 0, written_ = 0;
  bool data_begun_ = false, finished_ = false;
};

}  // namespace hone::llm
