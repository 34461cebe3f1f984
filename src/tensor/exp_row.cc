#include "tensor/exp_row.h"

#include "tensor/math.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/exp_row.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/lanes-inl.h"
#include "tensor/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

void ExpRow(const float* x, size_t n, float divisor, float shift, float* out) {
  const Floats d;
  const auto by = hn::Set(d, divisor), minus = hn::Set(d, shift);
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(Exp(d, hn::Sub(hn::Div(hn::LoadU(d, x + i), by), minus)), d, out + i);
  }
  if (i < n)
    StoreTail(Exp(d, hn::Sub(hn::Div(LoadTail(d, x + i, n - i), by), minus)), d, out + i, n - i);
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(ExpRow);

void exp_row(const float* x, size_t n, float divisor, float shift, float* out) {
  HWY_DYNAMIC_DISPATCH(ExpRow)(x, n, divisor, shift, out);
}

void exp_row_reference(const float* x, size_t n, float divisor, float shift, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = exp_f32(x[i] / divisor - shift);
}

}  // namespace hone::tensor
#endif
