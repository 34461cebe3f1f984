// Prints one 64-bit FNV-1a hash per operation on fixed pseudo-random data. The lines must be the
// same on every instruction set, number of threads and machine: that is Hone's replay promise for
// tensors (docs/numerics.md).
//
//   tensor_hash [--target AVX2] [--threads N]

#include <hwy/targets.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "tensor/matmul.h"
#include "tensor/quantize.h"

using namespace hone;
using namespace hone::tensor;

namespace {

uint64_t fnv1a(const void* data, size_t bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < bytes; ++i) {
    hash = (hash ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3u;
  }
  return hash;
}

void print_hash(const std::string& operation, const void* data, size_t bytes) {
  std::printf("%-28s %016llx\n", operation.c_str(),
              static_cast<unsigned long long>(fnv1a(data, bytes)));
}

Tensor random_tensor(size_t rows, size_t cols, std::string_view name) {
  Tensor tensor(rows, cols);
  Rng rng(1, rng_stream(name, rows, cols));
  for (size_t i = 0; i < tensor.size(); ++i) {
    tensor.data()[i] = static_cast<float>(rng.uniform() * 2.0 - 1.0);
  }
  return tensor;
}

PanelMatrix random_weights(Compute& compute, DataType type, size_t n, size_t k) {
  const Tensor values = random_tensor(n, k, "weights");
  const size_t row_bytes = storage_bytes(type, k);
  std::vector<std::byte> stored(n * row_bytes);
  for (size_t i = 0; i < n; ++i) {
    quantize_row(type, values.view().row(i), k, stored.data() + i * row_bytes);
  }
  return PanelMatrix::pack(compute, type, n, k, stored.data());
}

void hash_matmul(Compute& compute) {
  constexpr size_t kN = 130, kK = 576;
  for (DataType type : {DataType::kF32, DataType::kF16, DataType::kBF16, DataType::kQ8_0,
                        DataType::kQ4_0, DataType::kQ4_1}) {
    const std::string name(info(type).name);
    const PanelMatrix w = random_weights(compute, type, kN, kK);
    for (size_t m : {1, 7, 33}) {
      const Tensor x = random_tensor(m, kK, "x");
      Tensor y(m, kN);
      const MatmulPart part{x.view(), &w, y.view()};
      matmul(compute, {&part, 1});
      print_hash("matmul " + name + " M=" + std::to_string(m), y.data(), y.size() * sizeof(float));
    }
    const Tensor dy = random_tensor(33, kN, "dy");
    Tensor dx(33, kK);
    const MatmulInputTerm term{dy.view(), &w, 0.75f};
    matmul_backward_input(compute, {&term, 1}, dx.view(), false);
    print_hash("backward_input " + name, dx.data(), dx.size() * sizeof(float));
  }
}

void hash_weight_gradient(Compute& compute) {
  constexpr size_t kN = 100, kK = 255;
  const Tensor dy = random_tensor(300, kN, "dy"), x = random_tensor(300, kK, "x");
  const TokenGroup groups[] = {{0, 17}, {17, 273}, {273, 300}};
  std::vector<int64_t> gradient((kN + 15) / 16 * 16 * kK);
  matmul_backward_weight(compute, dy.view(), x.view(), groups, {gradient.data(), 40});
  print_hash("backward_weight", gradient.data(), gradient.size() * sizeof(int64_t));
}

int run(std::span<char* const> args) {
  size_t threads = 2;
  for (size_t i = 1; i + 1 < args.size(); i += 2) {
    const std::string option = args[i], value = args[i + 1];
    if (option == "--threads") {
      threads = std::stoul(value);
    } else if (option == "--target") {
      int64_t chosen = 0;
      for (int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
        if (value == hwy::TargetName(rest & -rest)) chosen = rest & -rest;
      }
      if (chosen == 0) {
        std::printf("skipped: this CPU has no %s\n", value.c_str());
        return 0;
      }
      hwy::SetSupportedTargetsForTest(chosen);
      if (value != instruction_set()) {
        std::printf("skipped: Hone is not compiled for %s\n", value.c_str());
        return 0;
      }
    } else {
      std::fprintf(stderr, "unknown option %s\n", option.c_str());
      return 2;
    }
  }
  Compute compute(threads);
  hash_matmul(compute);
  hash_weight_gradient(compute);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv, static_cast<size_t>(argc)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
