// Times of attention and the small row operations at the shape of SmolLM2-135M (30 layers, 9 query
// and 3 kv heads of 64), beside the multiply-add peak of the same run.
// Usage: attention_bench [threads]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tensor/attention.h"
#include "tensor/attention_backward.h"
#include "tensor/ceiling.h"
#include "tensor/rms_norm.h"
#include "tensor/swiglu.h"

namespace hone::tensor {

namespace {

constexpr size_t kLayers = 30, kLength = 512;
const AttentionShape kShape{9, 3, 64, 0.125f, 0};

template <typename Body>
double median_ms(int repeats, const Body& body) {
  std::vector<double> times;
  body();
  for (int i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void fill(Tensor& t) {
  uint32_t state = 1;
  for (size_t i = 0; i < t.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    t.data()[i] = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
}

int run(size_t threads) {
  Compute compute(threads);
  const double peak = measure_fma_peak(compute);
  std::printf("threads %zu, %s, multiply-add peak %.0f GFLOP/s\n", compute.threads(),
              instruction_set(), peak * 1e-9);

  const size_t block = kv_block_floats(64) * 3, blocks = kLength / kKvBlock + 1;
  Tensor kv(kLayers * blocks, block), grads(blocks, block);
  fill(kv);
  std::vector<std::vector<float*>> lists(kLayers);
  std::vector<float*> grad_list;
  for (size_t l = 0; l < kLayers; ++l) {
    for (size_t b = 0; b < blocks; ++b) lists[l].push_back(kv.data() + (l * blocks + b) * block);
  }
  for (size_t b = 0; b < blocks; ++b) grad_list.push_back(grads.data() + b * block);
  Tensor q(kLength, 576), out(kLength, 576), lse(kLength, 9), dout(kLength, 576), dq(kLength, 576);
  fill(q);
  fill(dout);

  const double flops = 4.0 * 64 * 9 * kLayers * kLength * (kLength + 1) / 2;
  const double prefill = median_ms(7, [&] {
    for (size_t l = 0; l < kLayers; ++l) {
      const AttentionRun one{0, kLength, 0, lists[l].data()};
      attention(compute, kShape, q.view(), {&one, 1}, out.view(), lse.view());
    }
  });
  const auto share = [&](double useful, double ms) { return 100.0 * useful / (ms * 1e-3) / peak; };
  std::printf("prefill 512, 30 layers: %.1f ms, %.0f useful GFLOP/s, %.0f %% of the peak\n",
              prefill, flops / prefill * 1e-6, share(flops, prefill));

  const double backward = median_ms(3, [&] {
    for (size_t l = 0; l < kLayers; ++l) {
      const AttentionRun one{0, kLength, 0, lists[l].data()};
      float* const* list = grad_list.data();
      attention_backward(compute, kShape, q.view(), out.view(), lse.view(), dout.view(), {&one, 1},
                         {&list, 1}, dq.view());
    }
  });
  std::printf("backward 512, 30 layers: %.1f ms, %.0f useful GFLOP/s, %.0f %% of the peak\n",
              backward, 2.5 * flops / backward * 1e-6, share(2.5 * flops, backward));

  Tensor flush(64, 1 << 20);
  for (const size_t position : {63, 512}) {
    std::vector<double> times;
    for (int i = 0; i < 9; ++i) {
      fill(flush);
      times.push_back(median_ms(1, [&] {
        for (size_t l = 0; l < kLayers; ++l) {
          const AttentionRun one{0, 1, position, lists[l].data()};
          attention(compute, kShape, q.view(), {&one, 1}, out.view(), {});
        }
      }));
    }
    std::sort(times.begin(), times.end());
    std::printf("decode at position %zu, 30 layers: %.3f ms\n", position, times[4]);
  }
  const double batch = median_ms(9, [&] {
    std::vector<AttentionRun> runs(32);
    for (size_t l = 0; l < kLayers; ++l) {
      for (size_t i = 0; i < 32; ++i) runs[i] = {i, 1, 200, lists[(l + i) % kLayers].data()};
      attention(compute, kShape, q.view(), runs, out.view(), {});
    }
  });
  std::printf("decode of 32 sequences at position 200, 30 layers: %.2f ms\n", batch);

  Tensor gate_up(kLength, 3072), act(kLength, 1536), weight(1, 576);
  fill(gate_up);
  std::printf("swiglu 512 x 1536, 30 layers: %.2f ms\n", median_ms(7, [&] {
                for (size_t l = 0; l < kLayers; ++l) swiglu(compute, gate_up.view(), act.view());
              }));
  std::printf("rms_norm and residual 512 x 576, 60 times: %.2f ms\n", median_ms(7, [&] {
                for (size_t l = 0; l < 60; ++l) {
                  rms_norm(compute, q.view(), weight.data(), 1e-5f, out.view(), nullptr);
                  add_rows(compute, out.view(), dout.view());
                }
              }));
  std::printf("rms_norm of one row, 61 times: %.4f ms\n", median_ms(99, [&] {
                for (size_t l = 0; l < 61; ++l) {
                  rms_norm(compute, {q.data(), 1, 576}, weight.data(), 1e-5f, {out.data(), 1, 576},
                           nullptr);
                }
              }));
  return 0;
}

}  // namespace
}  // namespace hone::tensor

int main(int argc, char** argv) {
  return hone::tensor::run(argc > 1 ? static_cast<size_t>(std::atoi(argv[1])) : 0);
}
