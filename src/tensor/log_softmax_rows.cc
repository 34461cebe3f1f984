#include "tensor/log_softmax_rows.h"

#include <cmath>
#include <limits>

#include "tensor/lanes_reference.h"
#include "tensor/math.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/log_softmax_rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/lanes-inl.h"
#include "tensor/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

TileSum SumTile(const float* HWY_RESTRICT logits, size_t n, size_t begin) {
  const Floats d;
  const size_t lanes = hn::Lanes(d);
  const auto lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  const size_t whole = n / 16 * 16;
  HWY_ALIGN float tail[16];
  for (size_t i = 0; i < 16; ++i) {
    tail[i] = whole + i < n ? logits[whole + i] : -std::numeric_limits<float>::infinity();
  }
  auto largest = lowest;
  for (size_t i = 0; i < whole; i += lanes) largest = hn::Max(largest, hn::LoadU(d, logits + i));
  for (size_t i = 0; i < 16; i += lanes) largest = hn::Max(largest, hn::Load(d, tail + i));
  const auto max = hn::MaxOfLanes(d, largest);
  TileSum out;
  out.max = hn::GetLane(max);

  HWY_ALIGN float sums[16];
  HWY_ALIGN float weighted[16];
  for (size_t c = 0; c < 16; c += lanes) {
    auto sum = hn::Zero(d);
    auto weight = hn::Zero(d);
    for (size_t i = c; i < whole; i += 16) {
      const auto t = hn::Sub(hn::LoadU(d, logits + i), max);
      const auto p = Exp(d, t);
      sum = hn::Add(sum, p);
      weight = hn::MulAdd(p, t, weight);
    }
    // Behind the row: weight exactly 0, and 0 in the place of -infinity.
    const auto logit = hn::Load(d, tail + c);
    const auto inside = hn::Gt(logit, lowest);
    const auto t = hn::IfThenElseZero(inside, hn::Sub(logit, max));
    const auto p = hn::IfThenElseZero(inside, Exp(d, t));
    hn::Store(hn::Add(sum, p), d, sums + c);
    hn::Store(hn::MulAdd(p, t, weight), d, weighted + c);
  }
  out.sum = Tree16(sums);
  out.weighted = Tree16(weighted);

  size_t at = 0;
  for (; at + lanes <= n; at += lanes) {
    if (!hn::AllFalse(d, hn::Eq(hn::LoadU(d, logits + at), max))) break;
  }
  while (at + 1 < n && logits[at] != out.max) ++at;
  out.argmax = static_cast<int32_t>(begin + at);
  return out;
}

void TileGradient(float* HWY_RESTRICT logits, size_t n, float lse, float coefficient_sum) {
  const Floats d;
  const auto sum = hn::Set(d, lse);
  const auto factor = hn::Set(d, -coefficient_sum);
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto p = Exp(d, hn::Sub(LoadCount(d, logits + i, count), sum));
    StoreCount(hn::Mul(factor, p), d, logits + i, count);
  });
}

void TileEntropyGradient(float* HWY_RESTRICT logits, size_t n, float lse, float coefficient_sum,
                         EntropyTerm term) {
  const Floats d;
  const auto sum = hn::Set(d, lse), entropy = hn::Set(d, term.entropy);
  const auto by_entropy = hn::Set(d, -term.by_entropy), factor = hn::Set(d, -coefficient_sum);
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto a = hn::Sub(LoadCount(d, logits + i, count), sum);
    const auto slope = hn::MulAdd(by_entropy, hn::Add(a, entropy), factor);
    StoreCount(hn::Mul(Exp(d, a), slope), d, logits + i, count);
  });
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(SumTile);
HWY_EXPORT(TileGradient);
HWY_EXPORT(TileEntropyGradient);

TileSum tile_sum(const float* logits, size_t n, size_t begin) {
  return HWY_DYNAMIC_DISPATCH(SumTile)(logits, n, begin);
}

void tile_gradient(float* logits, size_t n, float lse, float coefficient_sum) {
  HWY_DYNAMIC_DISPATCH(TileGradient)(logits, n, lse, coefficient_sum);
}

void tile_gradient(float* logits, size_t n, float lse, float coefficient_sum, EntropyTerm term) {
  HWY_DYNAMIC_DISPATCH(TileEntropyGradient)(logits, n, lse, coefficient_sum, term);
}

TileSum tile_sum_reference(const float* logits, size_t n, size_t begin) {
  TileSum out{logits[0], 0.0f, 0.0f, static_cast<int32_t>(begin)};
  for (size_t i = 1; i < n; ++i) {
    if (logits[i] > out.max) {
      out.max = logits[i];
      out.argmax = static_cast<int32_t>(begin + i);
    }
  }
  std::array<float, 16> sum{}, weighted{};
  for (size_t i = 0; i < n; ++i) {
    const float t = logits[i] - out.max;
    const float p = exp_f32(t);
    sum[i % 16] += p;
    weighted[i % 16] = std::fma(p, t, weighted[i % 16]);
  }
  out.sum = tree_16(sum);
  out.weighted = tree_16(weighted);
  return out;
}

void tile_gradient_reference(float* logits, size_t n, float lse, float coefficient_sum) {
  for (size_t i = 0; i < n; ++i) logits[i] = -coefficient_sum * exp_f32(logits[i] - lse);
}

void tile_gradient_reference(float* logits, size_t n, float lse, float coefficient_sum,
                             EntropyTerm term) {
  for (size_t i = 0; i < n; ++i) {
    const float a = logits[i] - lse;
    logits[i] = exp_f32(a) * std::fma(-term.by_entropy, a + term.entropy, -coefficient_sum);
  }
}

void join_tile(TileSum& into, const TileSum& next) {
  const float e = exp_f32(-std::fabs(into.max - next.max));
  if (into.max >= next.max) {
    into.weighted =
        std::fma(e, std::fma(next.sum, next.max - into.max, next.weighted), into.weighted);
    into.sum = std::fma(next.sum, e, into.sum);
  } else {
    into.weighted =
        std::fma(e, std::fma(into.sum, into.max - next.max, into.weighted), next.weighted);
    into.sum = std::fma(into.sum, e, next.sum);
    into.max = next.max;
    into.argmax = next.argmax;
  }
}

HeadRowResult finish_tiles(const TileSum& sum) {
  const double log = log_f64(static_cast<double>(sum.sum));
  return {
      static_cast<float>(static_cast<double>(sum.max) + log), sum.argmax, sum.max,
      static_cast<float>(log - static_cast<double>(sum.weighted) / static_cast<double>(sum.sum))};
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
