#include "tensor/data_type.h"

#include <array>

#include "base/check.h"

namespace hone::tensor {
namespace {

constexpr std::array<DataTypeInfo, 12> kInfos = {{
    {"F32", 1, 4},
    {"F16", 1, 2},
    {"BF16", 1, 2},
    {"Q8_0", 32, 34},
    {"Q4_0", 32, 18},
    {"Q4_1", 32, 20},
    {"Q5_0", 32, 22},
    {"Q5_1", 32, 24},
    {"IQ4_NL", 32, 18},
    {"Q4_K", 256, 144},
    {"Q5_K", 256, 176},
    {"Q6_K", 256, 210},
}};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool equals_any_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (upper(a[i]) != upper(b[i])) return false;
  }
  return true;
}

}  // namespace

const DataTypeInfo& info(DataType type) { return kInfos[static_cast<size_t>(type)]; }

std::optional<DataType> data_type_from_name(std::string_view name) {
  for (size_t i = 0; i < kInfos.size(); ++i) {
    if (equals_any_case(name, kInfos[i].name)) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

size_t storage_bytes(DataType type, size_t n) {
  const DataTypeInfo& t = info(type);
  HONE_CHECK(n % t.block_size == 0);
  return n / t.block_size * t.block_bytes;
}

}  // namespace hone::tensor
