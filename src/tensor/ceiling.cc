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

// Twelve chains hide the latency of a multiply-add on every core in use. Each begins with another
// number, or the compiler would compute equal chains once and the peak would come out too high.
// Returns the operations done; the sum goes out so that the work cannot be left out.
size_t MultiplyAdds(size_t rounds, float* sum) {
#define HONE_CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define HONE_CHAIN_BEGIN(i) auto c##i = hn::Set(d, 0.001f * (i + 1));
#define HONE_CHAIN_STEP(i) c##i = hn::MulAdd(c##i, x, y);
#define HONE_CHAIN_SUM(i) total = hn::Add(total, c##i);
  const hn::CappedTag<float, 16> d;
  const auto x = hn::Set(d, 0.999f), y = hn::Set(d, 0.001f);
  HONE_CHAINS(HONE_CHAIN_BEGIN)
  for (size_t r = 0; r < rounds; ++r) {
    HONE_CHAINS(HONE_CHAIN_STEP)
  }
  auto total = hn::Zero(d);
  HONE_CHAINS(HONE_CHAIN_SUM)
  *sum += hn::GetLane(hn::SumOfLanes(d, total));
  return rounds * 12 * 2 * hn::Lanes(d);
#undef HONE_CHAINS
#undef HONE_CHAIN_BEGIN
#undef HONE_CHAIN_STEP
#undef HONE_CHAIN_SUM
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
