#include "tensor/adamw.h"

#include <algorithm>
#include <vector>

#include "tensor/adamw_element.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/adamw.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::CappedTag<double, 8>;

// The lines of the gradient are in the cache: setting them to zero here costs their way back only.
void AdamwPiece(const AdamwConstants& c, int64_t* HWY_RESTRICT gradient, size_t n,
                float* HWY_RESTRICT weights, float* HWY_RESTRICT first_moment,
                float* HWY_RESTRICT second_moment) {
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
    hn::StoreU(hn::Zero(di), di, gradient + i);
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
    gradient[i] = 0;
  }
}

constexpr size_t kAheadIntegers = 256;  // 2 KB

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
    for (size_t i = c; i < whole; i += 8) {
      hwy::Prefetch(gradient + i + kAheadIntegers);
      take(gradient + i);
    }
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
constexpr size_t kTaskElements = size_t{1} << 16;  // of one tensor

struct Piece {
  size_t tensor, begin, end;
};

std::vector<Piece> pieces_of(std::span<const AdamwTensor> tensors) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); ++i) {
    for (size_t begin = 0; begin < tensors[i].n; begin += kTaskElements) {
      pieces.push_back({i, begin, std::min(tensors[i].n, begin + kTaskElements)});
    }
  }
  return pieces;
}

}  // namespace

void adamw(Compute& compute, const AdamwSettings& settings, std::span<const AdamwTensor> tensors) {
  std::vector<AdamwConstants> constants;
  for (const AdamwTensor& tensor : tensors) constants.push_back(adamw_constants(settings, tensor));
  const std::vector<Piece> pieces = pieces_of(tensors);
  const auto update = &HWY_DYNAMIC_DISPATCH(AdamwPiece);
  compute.pool().run(pieces.size(), [&](size_t task, size_t) {
    const auto [index, begin, end] = pieces[task];
    const AdamwTensor& tensor = tensors[index];
    update(constants[index], tensor.gradient.values + begin, end - begin, tensor.weights + begin,
           tensor.m + begin, tensor.v + begin);
  });
}

std::vector<GradientNorm> gradient_norms(Compute& compute, std::span<const AdamwTensor> tensors) {
  const std::vector<Piece> pieces = pieces_of(tensors);
  constexpr size_t kBlocks = kTaskElements / kNormBlock;
  std::vector<GradientNorm> parts(pieces.size() * kBlocks);
  const auto norm_block = &HWY_DYNAMIC_DISPATCH(NormBlock);
  compute.pool().run(pieces.size(), [&](size_t task, size_t) {
    const auto [index, begin, end] = pieces[task];
    const FixedGradient& gradient = tensors[index].gradient;
    const double scale = power_of_two(-gradient.exponent);
    GradientNorm* part = &parts[task * kBlocks];
    for (size_t at = begin; at < end; at += kNormBlock) {
      *part++ = norm_block(gradient.values + at, std::min(kNormBlock, end - at), scale);
    }
  });
  std::vector<GradientNorm> norms(tensors.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    GradientNorm& norm = norms[pieces[i].tensor];
    const size_t blocks = (pieces[i].end - pieces[i].begin + kNormBlock - 1) / kNormBlock;
    for (size_t b = i * kBlocks; b < i * kBlocks + blocks; ++b) {
      norm.sum_of_squares += parts[b].sum_of_squares;
      norm.largest = std::max(norm.largest, parts[b].largest);
    }
  }
  return norms;
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
