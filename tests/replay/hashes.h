#pragma once
// What the replay program's parts share: where the lines go, and fixed pseudo-random data.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/compute.h"
#include "tensor/data_type.h"
#include "tensor/memory.h"

namespace hone::tensor {

// Prints one 64-bit FNV-1a hash a line and keeps one over all of them.
class Hashes {
 public:
  void add(const std::string& operation, const void* data, size_t bytes);
  template <typename T>
  void add(const std::string& operation, const std::vector<T>& values) {
    add(operation, values.data(), values.size() * sizeof(T));
  }
  void add(const std::string& operation, const Tensor& values) {
    add(operation, values.data(), values.size() * sizeof(float));
  }
  void print_total() const;

 private:
  uint64_t total_ = 0xcbf29ce484222325u;
};

// Uniform in [-1, 1); the same for the same name and size.
Tensor random_tensor(size_t rows, size_t cols, std::string_view name);
// n rows of k values of any type: the writer's bytes where there is one, else raw blocks with
// scales below 0.05 in size.
std::vector<std::byte> random_stored(DataType type, size_t n, size_t k);

inline constexpr DataType kAllTypes[] = {DataType::kF32,  DataType::kF16,  DataType::kBF16,
                                         DataType::kQ8_0, DataType::kQ4_0, DataType::kQ4_1,
                                         DataType::kQ5_0, DataType::kQ5_1, DataType::kIQ4_NL,
                                         DataType::kQ4_K, DataType::kQ5_K, DataType::kQ6_K};

// The parts, one file each.
void hash_products(Compute& compute, Hashes& hashes);   // matmul, head, embedding: gradients too
void hash_attention(Compute& compute, Hashes& hashes);  // forward, gradient, blocks
void hash_rows(Compute& compute, Hashes& hashes);       // norm, rope, swiglu, adamw
void hash_numbers(Hashes& hashes);                      // elementary functions, stored types

}  // namespace hone::tensor
