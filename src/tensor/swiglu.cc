#include "tensor/swiglu.h"

#include "base/check.h"
#include "tensor/row_tasks.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/swiglu.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/lanes-inl.h"
#include "tensor/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

void SwigluRow(const float* gate_up, size_t n, float* y) {
  const Floats d;
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto gate = LoadCount(d, gate_up + i, count);
    const auto up = LoadCount(d, gate_up + n + i, count);
    StoreCount(hn::Mul(Silu(d, gate), up), d, y + i, count);
  });
}

void SwigluRowBackward(const float* gate_up, const float* dy, size_t n, float* dgate_up) {
  const Floats d;
  const auto one = hn::Set(d, 1.0f);
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto gate = LoadCount(d, gate_up + i, count);
    const auto up = LoadCount(d, gate_up + n + i, count);
    const auto grad = LoadCount(d, dy + i, count);
    const auto sum = hn::Add(one, Exp(d, hn::Neg(gate)));
    const auto s = hn::Div(one, sum);
    const auto slope = hn::Mul(s, hn::MulAdd(gate, hn::Sub(one, s), one));
    StoreCount(hn::Mul(hn::Mul(grad, up), slope), d, dgate_up + i, count);
    StoreCount(hn::Mul(grad, hn::Div(gate, sum)), d, dgate_up + n + i, count);
  });
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(SwigluRow);
HWY_EXPORT(SwigluRowBackward);

void swiglu(Compute& compute, View<const float> gate_up, View<float> y) {
  HONE_CHECK(gate_up.rows == y.rows && gate_up.cols == 2 * y.cols);
  const auto row = &HWY_DYNAMIC_DISPATCH(SwigluRow);
  for_row_pieces(compute, y.rows, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) row(gate_up.row(r), y.cols, y.row(r));
  });
}

void swiglu_backward(Compute& compute, View<const float> gate_up, View<const float> dy,
                     View<float> dgate_up) {
  HONE_CHECK(gate_up.rows == dy.rows && gate_up.cols == 2 * dy.cols);
  HONE_CHECK(dgate_up.rows == dy.rows && dgate_up.cols == gate_up.cols);
  const auto row = &HWY_DYNAMIC_DISPATCH(SwigluRowBackward);
  for_row_pieces(compute, dy.rows, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) row(gate_up.row(r), dy.row(r), dy.cols, dgate_up.row(r));
  });
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
