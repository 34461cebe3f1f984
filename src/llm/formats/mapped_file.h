#pragma once
// A file mapped read-only. Model files are mapped only while a model is loaded: what is kept after
// that is copied out, so that a file replaced or cut while serving does not matter.
//
// Errors: not_found, unavailable (with the system's reason), invalid_input for a folder.
// Ownership: the bytes live as long as this object. Thread rule: const, any thread.

#include <cstddef>
#include <span>
#include <string>

namespace hone::llm {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

  // These bytes need not stay in memory: a model that is being packed is not held twice. Reading
  // them again reads the file again. Bytes that are not of this file are left alone.
  void forget(std::span<const std::byte> part) const;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace hone::llm
