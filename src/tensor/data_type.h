#pragma once
// How numbers are stored: the types of GGUF that Hone reads, with their blocks.
//
// A row of n values of a block type is n / block_size blocks of block_bytes; n must divide.
// The meaning of a stored value is one f32 number, "dequantise first" (docs/numerics.md, D1):
// scale times integer (and fma(d, q, m) where there is a minimum), rounded once to f32.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hone::tensor {

enum class DataType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kIQ4_NL,
  kQ4_K,
  kQ5_K,
  kQ6_K
};

struct DataTypeInfo {
  std::string_view name;  // "F32", "Q4_1": as GGUF tools print it
  size_t block_size;      // values in a block
  size_t block_bytes;
};

const DataTypeInfo& info(DataType type);
std::optional<DataType> data_type_from_name(std::string_view name);  // any case

// Bytes of n values; n must be a multiple of the block size.
size_t storage_bytes(DataType type, size_t n);

}  // namespace hone::tensor
