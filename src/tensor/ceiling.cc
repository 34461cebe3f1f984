#include "tensor/ceiling.h"

#include <chrono>
#include <vector>

#include "base/check.h"
#include "tensor/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/ceiling.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hone::tensor::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Ten chains hide the latency of a multiply-add on every core in use. Returns the operations done;
// the sum goes out so that the work cannot be left out.
size_t MultiplyAdds(size_t rounds, float* sum) {
  const hn::CappedTag<float, 16> d;
  const auto x = hn::Set(d, 0.999f), y = hn::Set(d, 0.001f);
  auto a = y, b = y, c = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y;
  for (size_t r = 0; r < rounds; ++r) {
    a = hn::MulAdd(a, x, y);
    b = hn::MulAdd(b, x, y);
    c = hn::MulAdd(c, x, y);
    e = hn::MulAdd(e, x, y);
    f = hn::MulAdd(f, x, y);
    g = hn::MulAdd(g, x, y);
    h = hn::MulAdd(h, x, y);
    i = hn::MulAdd(i, x, y);
    j = hn::MulAdd(j, x, y);
    k = hn::MulAdd(k, x, y);
  }
  const auto total = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)),
                             hn::Add(hn::Add(f, g), hn::Add(hn::Add(h, i), hn::Add(j, k))));
  *sum += hn::GetLane(hn::SumOfLanes(d, total));
  return rounds * 10 * 2 * hn::Lanes(d);
}

// Four streams of loads side by side, as many as keep the memory busy.
void ReadAll(const float* data, size_t count, float* sum) {
  const hn::CappedTag<float, 16> d;
  const size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (size_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
    a = hn::Add(a, hn::Load(d, data + i));
    b = hn::Add(b, hn::Load(d, data + i + lanes));
    c = hn::Add(c, hn::Load(d, data + i + 2 * lanes));
    e = hn::Add(e, hn::Load(d, data + i + 3 * lanes));
  }
  *sum += hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

}  // namespace hone::tensor::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hone::tensor {

HWY_EXPORT(MultiplyAdds);
HWY_EXPORT(ReadAll);

namespace {

// A cache line each, so that threads do not write into one another's.
struct alignas(64) Sink {
  float value = 0;
};

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

double measure_fma_peak(Compute& compute) {
  constexpr size_t kRounds = 20000, kTasksAThread = 100;
  const auto multiply_adds = &HWY_DYNAMIC_DISPATCH(MultiplyAdds);
  std::vector<Sink> sinks(compute.threads());
  std::vector<double> operations(compute.threads(), 0.0);
  const double begin = now_seconds();
  compute.pool().run(kTasksAThread * compute.threads(), [&](size_t, size_t thread) {
    operations[thread] += static_cast<double>(multiply_adds(kRounds, &sinks[thread].value));
  });
  const double seconds = now_seconds() - begin;
  double total = 0;
  for (double count : operations) total += count;
  return total / seconds;
}

double measure_read_bandwidth(Compute& compute, const Buffer& buffer) {
  constexpr size_t kPiece = size_t{1} << 20;  // bytes
  HONE_CHECK(buffer.bytes() >= kPiece);
  const auto read_all = &HWY_DYNAMIC_DISPATCH(ReadAll);
  const size_t pieces = buffer.bytes() / kPiece;
  std::vector<Sink> sinks(compute.threads());
  const double begin = now_seconds();
  compute.pool().run(pieces, [&](size_t piece, size_t thread) {
    read_all(buffer.as<float>() + piece * (kPiece / sizeof(float)), kPiece / sizeof(float),
             &sinks[thread].value);
  });
  return static_cast<double>(pieces * kPiece) / (now_seconds() - begin);
}

}  // namespace hone::tensor
#endif  // HWY_ONCE
