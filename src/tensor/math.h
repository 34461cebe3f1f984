#pragma once
// The elementary functions of the numerics contract, as plain scalar C++: same operations in the
// same order as the vector forms in math-inl.h, so the same bits on every CPU with IEEE
// arithmetic. Nothing in Hone whose bits matter calls libm's exp, log, sin, cos or pow.

namespace hone::tensor {

// e^x in f32, error below 1.5 units in the last place; 0 below -103.97, infinity above 88.72.
float exp_f32(float x);
// ln x in f32 for positive normal x, error below 2 units in the last place; exactly 0 at 1.
float log_f32(float x);
// 1 / (1 + e^-x) and x / (1 + e^-x), each from exp_f32 and IEEE division.
float sigmoid_f32(float x);
float silu_f32(float x);
// ln(1 + e^x) without overflow; log(sigmoid(x)) = -softplus(-x). In f64 for losses.
double softplus_f64(double x);

// f64 forms, error of a few units in the last place: for losses, schedules and tables.
double exp_f64(double x);
double log_f64(double x);                      // -infinity at 0, NaN below
double pow_f64(double base, double exponent);  // base > 0
struct SinCos {
  double sin, cos;
};
SinCos sin_cos_f64(double angle);  // |angle| <= 2^30

}  // namespace hone::tensor
