#include "base/rng.h"

#include <bit>
#include <cmath>

#include "base/check.h"

namespace hone {
namespace {

// The natural logarithm with the same bits everywhere: + - * / only. For finite x > 0 that is not
// subnormal; error below 2 units in the last place. log m = 2 atanh((m - 1) / (m + 1)).
double log_same_bits(double x) {
  uint64_t bits = std::bit_cast<uint64_t>(x);
  auto exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  double s = (m - 1) / (m + 1);
  double square = s * s;  // at most 0.0295: eleven terms leave less than 1e-18
  double sum = 0;
  for (int odd = 23; odd >= 3; odd -= 2) sum = sum * square + 1.0 / odd;
  double tail = 2 * s * square * sum;
  constexpr double kLn2High = 0x1.62e42fefa3800p-1;  // low bits zero: times an exponent is exact
  constexpr double kLn2Low = 0x1.ef35793c76730p-45;
  auto e = static_cast<double>(exponent);
  return e * kLn2High + (2 * s + (tail + e * kLn2Low));
}

template <size_t N>
double polynomial(const double (&coefficients)[N], double x) {
  double sum = 0;
  for (size_t i = N; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

// The quantile of the standard normal: algorithm AS 241, PPND16 (Wichura, Applied Statistics 37,
// 1988), relative error about 1e-16 in its own arithmetic.
double normal_quantile(double p) {
  static constexpr double kA[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                  1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                  4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                  3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr double kB[] = {1.0,
                                  4.2313330701600911252e+1,
                                  6.8718700749205790830e+2,
                                  5.3941960214247511077e+3,
                                  2.1213794301586595867e+4,
                                  3.9307895800092710610e+4,
                                  2.8729085735721942674e+4,
                                  5.2264952788528545610e+3};
  static constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                  5.76949722146069140550e0,  3.64784832476320460504e0,
                                  1.27045825245236838258e0,  2.41780725177450611770e-1,
                                  2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double kD[] = {1.0,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
  static constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                  1.78482653991729133580e0,  2.96560571828504891230e-1,
                                  2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                  2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double kF[] = {1.0,
                                  5.99832206555887937690e-1,
                                  1.36929880922735805310e-1,
                                  1.48753612908506148525e-2,
                                  7.86869131145613259100e-4,
                                  1.84631831751005468180e-5,
                                  1.42151175831644588870e-7,
                                  2.04426310338993978564e-15};
  double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * polynomial(kA, r) / polynomial(kB, r);
  }
  double r = std::sqrt(-log_same_bits(q < 0 ? p : 1 - p));
  double x = r <= 5 ? polynomial(kC, r - 1.6) / polynomial(kD, r - 1.6)
                    : polynomial(kE, r - 5) / polynomial(kF, r - 5);
  return q < 0 ? -x : x;
}

// A bijection that spreads every input bit (Stafford's mix 13, as in SplitMix64).
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

}  // namespace

std::array<uint32_t, 4> philox4x32_10(std::array<uint32_t, 4> counter,
                                      std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

uint64_t rng_stream(std::string_view name, uint64_t index, uint64_t sub_index) {
  uint64_t hash = 0xCBF29CE484222325ull;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  // Mixed between the parts, so that (1, 0) and (0, 1) differ.
  return mix(mix(mix(hash) + index) + sub_index);
}

uint64_t Rng::next_u64() {
  auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  auto words = philox4x32_10({low(counter_), high(counter_), low(stream_), high(stream_)},
                             {low(seed_), high(seed_)});
  ++counter_;
  return uint64_t{words[1]} << 32 | words[0];
}

double Rng::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

// Lemire, "Fast random integer generation in an interval", 2019.
uint64_t Rng::below(uint64_t bound) {
  HONE_CHECK(bound > 0);
  __extension__ using Wide = unsigned __int128;
  Wide product = Wide{next_u64()} * bound;
  if (static_cast<uint64_t>(product) < bound) {
    uint64_t threshold = (0 - bound) % bound;
    while (static_cast<uint64_t>(product) < threshold) product = Wide{next_u64()} * bound;
  }
  return static_cast<uint64_t>(product >> 64);
}

double Rng::normal() {
  // 52 bits and a half: never 0 or 1, symmetric, exact.
  return normal_quantile((static_cast<double>(next_u64() >> 12) + 0.5) * 0x1p-52);
}

}  // namespace hone
