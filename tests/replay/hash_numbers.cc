// Elementary functions, probabilities for sampling, and stored numbers: no pool.

#include <cmath>

#include "hashes.h"
#include "tensor/exp_row.h"
#include "tensor/fixed_point.h"
#include "tensor/math.h"
#include "tensor/quantize.h"

namespace hone::tensor {

namespace {

void hash_functions(Hashes& hashes) {
  const Tensor x = random_tensor(1, 3001, "arguments");
  std::vector<float> exp, sigmoid, silu;
  std::vector<double> exp_64, log_64, pow_64, sine, cosine, softplus;
  for (size_t i = 0; i < x.size(); ++i) {
    const float f = x.data()[i];
    const auto wide = static_cast<double>(f);
    exp.push_back(exp_f32(f * 106.0f));
    sigmoid.push_back(sigmoid_f32(f * 20.0f));
    silu.push_back(silu_f32(f * 20.0f));
    exp_64.push_back(exp_f64(wide * 720));
    log_64.push_back(log_f64(std::fabs(wide) * (i % 2 == 0 ? 1e9 : 1e-300)));
    pow_64.push_back(pow_f64(1.0 + std::fabs(wide) * 1e6, wide));
    const SinCos both = sin_cos_f64(wide * 1e6);
    sine.push_back(both.sin);
    cosine.push_back(both.cos);
    softplus.push_back(softplus_f64(wide * 40));
  }
  hashes.add("exp_f32", exp);
  hashes.add("sigmoid_f32", sigmoid);
  hashes.add("silu_f32", silu);
  hashes.add("exp_f64", exp_64);
  hashes.add("log_f64", log_64);
  hashes.add("pow_f64", pow_64);
  hashes.add("sin_f64", sine);
  hashes.add("cos_f64", cosine);
  hashes.add("softplus_f64", softplus);
  std::vector<float> probabilities(x.size());
  exp_row(x.data(), x.size(), 0.01f, 99.5f, probabilities.data());
  hashes.add("exp_row", probabilities);
}

void hash_fixed_point(Hashes& hashes) {
  const Tensor x = random_tensor(1, 1000, "sums");
  std::vector<int64_t> integers;
  std::vector<uint64_t> flushed;
  for (const int exponent : {-3, 12, 49}) {
    uint64_t lost = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      int64_t value = 0;
      add_fixed(x.data()[i], power_of_two(exponent), &value, &lost);
      integers.push_back(value);
    }
    flushed.push_back(lost);
  }
  hashes.add("fixed_point", integers);
  hashes.add("fixed_point flushed", flushed);
}

void hash_codecs(Hashes& hashes) {
  constexpr size_t kCount = 2560;
  Tensor x = random_tensor(1, kCount, "values");
  for (size_t i = 0; i < kCount; ++i)
    x.data()[i] *= std::ldexp(1.0f, static_cast<int>(i / 32) - 62);
  std::vector<std::byte> stored;
  std::vector<float> values(kCount);
  for (const DataType type : kAllTypes) {
    const std::string name(info(type).name);
    if (can_quantize(type)) {
      stored.resize(storage_bytes(type, kCount));
      quantize_row(type, x.data(), kCount, stored.data());
      hashes.add("quantize " + name, stored);
    } else {
      stored = random_stored(type, 1, kCount);
    }
    dequantize_row(type, stored.data(), kCount, values.data());
    hashes.add("dequantize " + name, values);
  }
  std::vector<float> halves;
  for (uint32_t bits = 0; bits < 0x10000; bits += 7) {
    halves.push_back(f16_to_f32(static_cast<uint16_t>(bits)));
    halves.push_back(bf16_to_f32(f32_to_bf16(halves.back())));
  }
  // A NaN's payload is the CPU's affair.
  for (float& half : halves) half = half == half ? half : 0.0f;
  hashes.add("f16 and bf16", halves);
}

}  // namespace

void hash_numbers(Hashes& hashes) {
  hash_functions(hashes);
  hash_fixed_point(hashes);
  hash_codecs(hashes);
}

}  // namespace hone::tensor
