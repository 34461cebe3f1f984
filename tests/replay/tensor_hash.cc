// Prints one 64-bit FNV-1a hash per operation of the tensor room on fixed pseudo-random data, and a
// total. The lines must be the same on every instruction set, number of threads and machine: that
// is Hone's replay promise for tensors (docs/numerics.md). Sizes are small and odd, so that an
// emulated machine is done in seconds.
//
//   tensor_hash [--target AVX2] [--threads N]

#include <hwy/targets.h>

#include <cstdio>
#include <cstring>

#include "base/rng.h"
#include "hashes.h"
#include "tensor/quantize.h"

namespace hone::tensor {

void Hashes::add(const std::string& operation, const void* data, size_t bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  const auto step = [](uint64_t at, uint8_t byte) { return (at ^ byte) * 0x100000001b3u; };
  for (size_t i = 0; i < bytes; ++i) hash = step(hash, static_cast<const uint8_t*>(data)[i]);
  for (int shift = 0; shift < 64; shift += 8) {
    total_ = step(total_, static_cast<uint8_t>(hash >> shift));
  }
  std::printf("%-28s %016llx\n", operation.c_str(), static_cast<unsigned long long>(hash));
}

void Hashes::print_total() const {
  std::printf("%-28s %016llx\n", "total", static_cast<unsigned long long>(total_));
}

Tensor random_tensor(size_t rows, size_t cols, std::string_view name) {
  Tensor tensor(rows, cols);
  Rng rng(1, rng_stream(name, rows, cols));
  for (size_t i = 0; i < tensor.size(); ++i) {
    tensor.data()[i] = static_cast<float>(rng.uniform() * 2.0 - 1.0);
  }
  return tensor;
}

std::vector<std::byte> random_stored(DataType type, size_t n, size_t k) {
  const size_t row_bytes = storage_bytes(type, k);
  std::vector<std::byte> stored(n * row_bytes);
  if (can_quantize(type)) {
    const Tensor values = random_tensor(n, k, "weights");
    for (size_t i = 0; i < n; ++i) {
      quantize_row(type, values.view().row(i), k, stored.data() + i * row_bytes);
    }
    return stored;
  }
  Rng rng(2, rng_stream(info(type).name, n, k));
  for (std::byte& byte : stored) byte = static_cast<std::byte>(rng.below(256));
  const size_t block = info(type).block_bytes;
  const bool two_scales =
      type == DataType::kQ5_1 || type == DataType::kQ4_K || type == DataType::kQ5_K;
  for (size_t at = type == DataType::kQ6_K ? block - 2 : 0; at < stored.size(); at += block) {
    for (size_t i = 0; i < (two_scales ? 2u : 1u); ++i) {
      const uint16_t scale = f32_to_f16(static_cast<float>(rng.uniform() * 0.1 - 0.05));
      std::memcpy(stored.data() + at + 2 * i, &scale, 2);
    }
  }
  return stored;
}

namespace {

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
  Hashes hashes;
  hash_products(compute, hashes);
  hash_attention(compute, hashes);
  hash_rows(compute, hashes);
  hash_numbers(hashes);
  hashes.print_total();
  return 0;
}

}  // namespace
}  // namespace hone::tensor

int main(int argc, char** argv) {
  try {
    return hone::tensor::run({argv, static_cast<size_t>(argc)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
