#include "tensor/math.h"

#include <bit>
#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tensor/simd_targets.h"
#include "tensor/targets_for_test.h"
#include "tensor/test_numbers.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/math_test.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "tensor/lanes-inl.h"
#include "tensor/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {

void LogOf(const float* x, size_t n, float* out) {
  const Floats d;
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    StoreCount(Log(d, LoadCount(d, x + i, count)), d, out + i, count);
  });
}

void ExpAndSigmoid(const float* x, size_t n, float* e, float* s) {
  const Floats d;
  ForVectors(d, n, [&](size_t i, size_t count) HWY_ATTR {
    const auto v = LoadCount(d, x + i, count);
    StoreCount(Exp(d, v), d, e + i, count);
    StoreCount(Sigmoid(d, v), d, s + i, count);
  });
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(ExpAndSigmoid);
HWY_EXPORT(LogOf);

namespace {

std::vector<float> exp_arguments() {
  std::vector<float> x = {0.0f,
                          -0.0f,
                          88.72f,
                          88.73f,
                          1e30f,
                          -1e30f,
                          -87.3f,
                          -88.0f,
                          -100.0f,
                          -103.9f,
                          -103.98f,
                          -104.0f,
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(),
                          1e-30f};
  for (float v : test_numbers(200000, 1)) {
    x.push_back(v * 105.0f);
    x.push_back(v);
  }
  return x;
}

double units_in_last_place(double got, long double expected) {
  const double scale = std::nextafter(std::fabs(static_cast<double>(expected)), 1e308) -
                       std::fabs(static_cast<double>(expected));
  return static_cast<double>(std::fabs(static_cast<long double>(got) - expected)) / scale;
}

TEST(Math, ExpF32IsWithinOneAndAHalfUnitsAndKeepsItsEnds) {
  double worst = 0.0;
  for (const float x : exp_arguments()) {
    const long double expected = std::exp(static_cast<long double>(x));
    const float got = exp_f32(x);
    if (x > 88.722839f) {
      EXPECT_EQ(got, std::numeric_limits<float>::infinity()) << x;
    } else if (x < -103.98f) {
      EXPECT_EQ(got, 0.0f) << x;
    } else {
      const float nearest = static_cast<float>(expected);
      const float unit = std::nextafter(nearest, 3e38f) - nearest;
      worst =
          std::max(worst, static_cast<double>(std::fabs((static_cast<long double>(got) - expected) /
                                                        static_cast<long double>(unit))));
    }
  }
  EXPECT_LT(worst, 1.5);
  EXPECT_TRUE(std::isnan(exp_f32(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_EQ(exp_f32(0.0f), 1.0f);
  EXPECT_EQ(sigmoid_f32(-200.0f), 0.0f);
  EXPECT_EQ(sigmoid_f32(0.0f), 0.5f);
  EXPECT_EQ(silu_f32(100.0f), 100.0f);
}

TEST(Math, VectorFormsHaveTheBitsOfTheScalarForms) {
  const std::vector<float> x = exp_arguments();
  for_each_instruction_set([&] {
    std::vector<float> e(x.size()), s(x.size()), expected_e(x.size()), expected_s(x.size());
    HWY_DYNAMIC_DISPATCH(ExpAndSigmoid)(x.data(), x.size(), e.data(), s.data());
    for (size_t i = 0; i < x.size(); ++i) {
      expected_e[i] = exp_f32(x[i]);
      expected_s[i] = sigmoid_f32(x[i]);
    }
    EXPECT_EQ(count_different(e, expected_e), 0u);
    EXPECT_EQ(count_different(s, expected_s), 0u);
  });
}

TEST(Math, LogF32IsWithinTwoUnitsAndItsVectorFormHasItsBits) {
  std::vector<float> x = {1.0f,
                          std::numeric_limits<float>::min(),
                          std::numeric_limits<float>::max(),
                          std::nextafter(1.0f, 0.0f),
                          std::nextafter(1.0f, 2.0f),
                          0.70710678f,
                          1.4142135f,
                          0.5f,
                          2.0f};
  for (const float v : test_numbers(200000, 7)) {
    const float size = std::fabs(v);
    if (size < 1e-30f) continue;
    x.insert(x.end(), {size, 1.0f + v * 0.3f, size * 1e30f});
  }
  std::vector<float> expected;
  double worst = 0.0;
  for (const float v : x) {
    expected.push_back(log_f32(v));
    const long double exact = std::log(static_cast<long double>(v));
    const float nearest = std::fabs(static_cast<float>(exact));
    const float unit = std::nextafter(nearest, 3e38f) - nearest;
    worst = std::max(
        worst, static_cast<double>(std::fabs(static_cast<long double>(expected.back()) - exact) /
                                   static_cast<long double>(unit)));
  }
  EXPECT_LT(worst, 2.0);
  EXPECT_EQ(log_f32(1.0f), 0.0f);
  for_each_instruction_set([&] {
    std::vector<float> got(x.size());
    HWY_DYNAMIC_DISPATCH(LogOf)(x.data(), x.size(), got.data());
    EXPECT_EQ(count_different(got, expected), 0u);
  });
}

TEST(Math, DoubleFormsAreAccurate) {
  double exp_worst = 0, log_worst = 0, pow_worst = 0, sin_worst = 0, plus_worst = 0;
  for (const float f : test_numbers(100000, 2)) {
    const double x = static_cast<double>(f);
    const auto wide = [](double v) { return static_cast<long double>(v); };
    exp_worst = std::max(exp_worst, units_in_last_place(exp_f64(x * 700), std::exp(wide(x * 700))));
    for (const double v : {std::fabs(x) * 1e-3, 1.0 + x * 0.5, std::fabs(x) * 1e300, 1e-310}) {
      if (v == 0.0 || v == 1.0) continue;
      log_worst = std::max(log_worst, units_in_last_place(log_f64(v), std::log(wide(v))));
    }
    const double base = 1.0 + std::fabs(x) * 1e6;
    pow_worst =
        std::max(pow_worst, units_in_last_place(pow_f64(base, x), std::pow(wide(base), wide(x))));
    const SinCos got = sin_cos_f64(x * 1e6);
    sin_worst = std::max(sin_worst,
                         static_cast<double>(std::fabs(wide(got.sin) - std::sin(wide(x * 1e6)))));
    sin_worst = std::max(sin_worst,
                         static_cast<double>(std::fabs(wide(got.cos) - std::cos(wide(x * 1e6)))));
    plus_worst = std::max(
        plus_worst, units_in_last_place(softplus_f64(x * 40), std::log1p(std::exp(wide(x * 40)))));
  }
  EXPECT_LT(exp_worst, 2.0);
  EXPECT_LT(log_worst, 2.0);
  EXPECT_LT(pow_worst, 4.0);
  EXPECT_LT(sin_worst, 4e-16);
  EXPECT_LT(plus_worst, 4.0);
  EXPECT_EQ(log_f64(1.0), 0.0);
  EXPECT_EQ(log_f64(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(log_f64(-1.0)));
  EXPECT_EQ(exp_f64(1000.0), std::numeric_limits<double>::infinity());
  EXPECT_EQ(exp_f64(-1000.0), 0.0);
  EXPECT_EQ(pow_f64(10000.0, 0.5), 100.0);
  EXPECT_EQ(softplus_f64(1e6), 1e6);
  EXPECT_EQ(softplus_f64(-1e6), 0.0);
}

}  // namespace
}  // namespace hone::tensor
#endif  // HWY_ONCE
