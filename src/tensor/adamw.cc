#include "tensor/adamw.h"

#include <algorithm>
#include <vector>

#include "tensor/adamw_element.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/adamw.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::CappedTag<double, 8>;

void AdamwPiece(const AdamwConstants& c, const int64_t* gradient, size_t n, float* weights,
                float* first_moment, float* second_moment) {
  const Doubles dd;
  const hn::Rebind<float, Doubles> d;
  const hn::RebindToSigned<Doubles> di;
  const size_t lanes = hn::Lanes(dd);
  const auto scale = hn::Set(dd, c.scale);
  const auto clip = hn::Set(d, c.clip);
  const auto decay = hn::Set(d, c.decay);
  const auto first = hn::Set(d, c.first);
  const auto second = hn::Set(d, c.second);
  const auto beta2 = hn::Set(d, c.beta2);
  const auto step = hn::Set(d, c.step);
  const auto root = hn::Set(d, c.root);
  const auto epsilon = hn::Set(d, c.epsilon);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto wide = hn::Mul(hn::ConvertTo(dd, hn::LoadU(di, gradient + i)), scale);
    const auto g = hn::Mul(hn::DemoteTo(d, wide), clip);
    auto m = hn::LoadU(d, first_moment + i);
    auto v = hn::LoadU(d, second_moment + i);
    const auto w = hn::Mul(hn::LoadU(d, weights + i), decay);
    m = hn::MulAdd(first, hn::Sub(g, m), m);
    v = hn::MulAdd(hn::Mul(second, g), g, hn::Mul(v, beta2));
    const auto below = hn::Add(hn::Div(hn::Sqrt(v), root), epsilon);
    hn::StoreU(m, d, first_moment + i);
    hn::StoreU(v, d, second_moment + i);
    hn::StoreU(hn::NegMulAdd(step, hn::Div(m, below), w), d, weights + i);
  }
  for (; i < n; ++i) {
    adamw_element(c, gradient[i], weights[i], first_moment[i], second_moment[i]);
  }
}

// One block of at most 4096.
GradientNorm NormBlock(const int64_t* gradient, size_t n, double scale) {
  const Doubles d;
  const hn::RebindToSigned<Doubles> di;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN int64_t padded[8] = {};
  const size_t whole = n / 8 * 8;
  std::copy(gradient + whole, gradient + n, padded);
  const auto factor = hn::Set(d, scale);
  HWY_ALIGN double lane[8];
  HWY_ALIGN double large[8];
  for (size_t c = 0; c < 8; c += lanes) {
    auto sum = hn::Zero(d);
    auto largest = hn::Zero(d);
    const auto take = [&](const int64_t* from) HWY_ATTR {
      const auto x = hn::Mul(hn::ConvertTo(d, hn::LoadU(di, from)), factor);
      sum = hn::MulAdd(x, x, sum);
      largest = hn::Max(largest, hn::Abs(x));
    };
    for (size_t i = c; i < whole; i += 8) take(gradient + i);
    take(padded + c);
    hn::Store(sum, d, lane + c);
    hn::Store(largest, d, large + c);
  }
  return {((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])),
          *std::max_element(large, large + 8)};
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(AdamwPiece);
HWY_EXPORT(NormBlock);

namespace {
constexpr size_t kNormBlock = 4096;
constexpr size_t kTaskElements = size_t{1} << 16;
}  // namespace

void adamw(Compute& compute, const AdamwSettings& settings, FixedGradient gradient, size_t n,
           float* weights, float* m, float* v) {
  const AdamwConstants constants = adamw_constants(settings, gradient.exponent);
  const auto piece = &HWY_DYNAMIC_DISPATCH(AdamwPiece);
  compute.pool().run((n + kTaskElements - 1) / kTaskElements, [&](size_t task, size_t) {
    const size_t begin = task * kTaskElements;
    piece(constants, gradient.values + begin, std::min(kTaskElements, n - begin), weights + begin,
          m + begin, v + begin);
  });
}

GradientNorm gradient_norm(Compute& compute, FixedGradient gradient, size_t n) {
  const size_t blocks = (n + kNormBlock - 1) / kNormBlock;
  auto* parts =
      reinterpret_cast<GradientNorm*>(compute.shared_scratch(blocks * sizeof(GradientNorm)));
  const double scale = power_of_two(-gradient.exponent);
  const auto norm_block = &HWY_DYNAMIC_DISPATCH(NormBlock);
  constexpr size_t kBlocksPerTask = kTaskElements / kNormBlock;
  compute.pool().run((blocks + kBlocksPerTask - 1) / kBlocksPerTask, [&](size_t task, size_t) {
    for (size_t b = task * kBlocksPerTask; b < std::min(blocks, (task + 1) * kBlocksPerTask); ++b) {
      parts[b] = norm_block(gradient.values + b * kNormBlock,
                            std::min(kNormBlock, n - b * kNormBlock), scale);
    }
  });
  GradientNorm norm;
  for (size_t b = 0; b < blocks; ++b) {
    norm.sum_of_squares += parts[b].sum_of_squares;
    norm.largest = std::max(norm.largest, parts[b].largest);
  }
  return norm;
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
