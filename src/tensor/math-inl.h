// exp_f32, log_f32, sigmoid_f32 and silu_f32 of math.h on vectors: the same operations in the same order.
#if defined(HONE_TENSOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HONE_TENSOR_MATH_INL_H_
#undef HONE_TENSOR_MATH_INL_H_
#else
#define HONE_TENSOR_MATH_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V lowest = hn::Set(d, -104.0f);
  const V highest = hn::Set(d, 89.0f);
  // Comparisons, not Min and Max: those differ between instruction sets where NaN is concerned.
  x = hn::IfThenElse(hn::Lt(x, lowest), lowest, x);
  x = hn::IfThenElse(hn::Gt(x, highest), highest, x);
  const V magic = hn::Set(d, 0x1.8p23f);
  const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.715476p0f), magic);
  const V n = hn::Sub(shifted, magic);
  V r = hn::MulAdd(n, hn::Set(d, -0x1.62e43p-1f), x);
  r = hn::MulAdd(n, hn::Set(d, 0x1.05c61p-29f), r);
  V p = hn::MulAdd(hn::Set(d, 0x1.6d1106p-10f), r, hn::Set(d, 0x1.120b6cp-7f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.55551ap-5f));
  p = hn::MulAdd(p, r, hn::Set(d, 0x1.5554dcp-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
  const auto k = hn::Sub(hn::BitCast(di, shifted), hn::Set(di, 0x4b400000));
  const auto half = hn::ShiftRight<1>(k);
  const auto rest = hn::Sub(k, half);
  const auto bias = hn::Set(di, 127);
  const V power_half = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V power_rest = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(rest, bias)));
  return hn::Mul(hn::Mul(p, power_half), power_rest);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto bits = hn::BitCast(di, x);
  const auto k = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));
  const V f = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(k))), hn::Set(d, 1.0f));
  const V s = hn::Div(f, hn::Add(hn::Set(d, 2.0f), f));
  const V z = hn::Mul(s, s);
  V p = hn::MulAdd(z, hn::Set(d, 0x1.745d18p-3f), hn::Set(d, 0x1.c71c72p-3f));
  p = hn::MulAdd(p, z, hn::Set(d, 0x1.24924ap-2f));
  p = hn::MulAdd(p, z, hn::Set(d, 0x1.99999ap-2f));
  p = hn::MulAdd(p, z, hn::Set(d, 0x1.555556p-1f));
  const V n = hn::ConvertTo(d, k);
  const V low = hn::MulAdd(n, hn::Set(d, 0x1.0bfbe8p-15f), hn::Add(s, s));
  return hn::MulAdd(n, hn::Set(d, 0x1.62ep-1f), hn::MulAdd(hn::Mul(s, z), p, low));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, Exp(d, hn::Neg(x))));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Silu(D d, V x) {
  return hn::Div(x, hn::Add(hn::Set(d, 1.0f), Exp(d, hn::Neg(x))));
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
