// How fast matmul is, as shares of what this machine can do in the same run: the f32 FMA peak of
// its widest vectors, and the rate at which all threads read memory. SmolLM2-135M's 30 layers.
//
//   matmul_bench [--threads N] [--target AVX2] [--only gemm|decode|rows|dx|dw|lora]

#include <hwy/targets.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tensor/matmul.h"
#include "tensor/matmul_kernels.h"
#include "tensor/quantize.h"

using namespace hone;
using namespace hone::tensor;

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Median seconds of a few runs, after one to warm up.
template <typename Body>
double median_s(const Body& body, int repeats = 5) {
  body();
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const double start = now_s();
    body();
    times.push_back(now_s() - start);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

template <int kWidth>
[[gnu::noinline]] double fma_loop(long rounds) {
#if defined(__x86_64__)
  if constexpr (kWidth == 64) {
    asm volatile(
        "1:\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm0\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm1\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm2\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm3\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm4\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm5\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm6\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm7\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm8\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm9\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm10\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm11\n\t"
        "dec %0\n\t jnz 1b\n\t vzeroupper" : "+r"(rounds)::"cc", "xmm0", "xmm1", "xmm2", "xmm3",
        "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
    return 12 * 16 * 2;
  } else {
    asm volatile(
        "1:\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm0\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm1\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm2\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm3\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm4\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm5\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm6\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm7\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm8\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm9\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm10\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm11\n\t"
        "dec %0\n\t jnz 1b\n\t vzeroupper" : "+r"(rounds)::"cc", "xmm0", "xmm1", "xmm2", "xmm3",
        "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
    return 12 * 8 * 2;
  }
#else
  return static_cast<double>(rounds & 0);
#endif
}

double peak_gflops(Compute& compute) {
  const bool wide = std::strcmp(instruction_set(), "AVX3") == 0;
  const long rounds = 4'000'000;
  double per_round = 0.0;
  const double s = median_s(
      [&] {
        std::vector<double> flops(compute.threads());
        compute.pool().run(compute.threads(), [&](size_t task, size_t) {
          flops[task] = wide ? fma_loop<64>(rounds) : fma_loop<32>(rounds);
        });
        per_round = flops[0];
      },
      3);
  return per_round * static_cast<double>(rounds) * static_cast<double>(compute.threads()) / s / 1e9;
}

double read_gbytes_per_s(Compute& compute, size_t bytes) {
  Buffer buffer(bytes);
  std::memset(buffer.data(), 1, bytes);
  std::vector<uint64_t> sums(64);
  const double s = median_s([&] {
    compute.pool().run(64, [&](size_t task, size_t) {
      const auto* words = buffer.as<uint64_t>() + task * (bytes / 8 / 64);
      uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
      for (size_t i = 0; i < bytes / 8 / 64; i += 8) {
        a += words[i], b += words[i + 1], c += words[i + 2], d += words[i + 3];
        e += words[i + 4], f += words[i + 5], g += words[i + 6], h += words[i + 7];
      }
      sums[task] = a + b + c + d + e + f + g + h;
    });
  });
  return static_cast<double>(bytes) / s / 1e9 + static_cast<double>(sums[0] & 0);
}

PanelMatrix weights(Compute& compute, DataType type, size_t n, size_t k, uint64_t salt) {
  std::vector<float> row(k);
  std::vector<std::byte> bytes(n * storage_bytes(type, k));
  Rng rng(3, rng_stream("bench", salt));
  for (float& v : row) v = static_cast<float>(rng.uniform() - 0.5);
  for (size_t i = 0; i < n; ++i) {
    quantize_row(type, row.data(), k, bytes.data() + i * storage_bytes(type, k));
    row[i % k] += 0.01f;
  }
  return PanelMatrix::pack(compute, type, n, k, bytes.data());
}

constexpr size_t kLayers = 30, kDim = 576, kHidden = 1536, kVocabulary = 49152;

struct Model {
  std::vector<PanelMatrix> qkv, o, gate_up, down;
  PanelMatrix head;
  double bytes = 0.0;

  Model(Compute& compute, DataType type, DataType head_type) {
    for (size_t i = 0; i < kLayers; ++i) {
      qkv.push_back(weights(compute, type, 960, kDim, i));
      o.push_back(weights(compute, type, kDim, kDim, i));
      gate_up.push_back(weights(compute, type, 2 * kHidden, kDim, i));
      down.push_back(weights(compute, type, kDim, kHidden, i));
      bytes += static_cast<double>(qkv[i].bytes() + o[i].bytes() + gate_up[i].bytes() +
                                   down[i].bytes());
    }
    head = weights(compute, head_type, kVocabulary, kDim, 99);
    bytes += static_cast<double>(head.bytes());
  }
};

struct Activations {
  Tensor x, wide, out;
  explicit Activations(size_t rows, size_t vocabulary)
      : x(rows, kDim), wide(rows, kHidden), out(rows, std::max(2 * kHidden, vocabulary)) {
    for (size_t i = 0; i < x.size(); ++i) x.data()[i] = 0.01f * static_cast<float>(i % 97) - 0.4f;
    for (size_t i = 0; i < wide.size(); ++i) {
      wide.data()[i] = 0.01f * static_cast<float>(i % 89) - 0.4f;
    }
  }
};

constexpr double kLayerWeights = 960.0 * 576 + 576.0 * 576 + 3072.0 * 576 + 576.0 * 1536;

void forward(Compute& compute, const Model& model, Activations& a, bool head) {
  const auto one = [&](const Tensor& x, const PanelMatrix& w) {
    const MatmulPart part{x.view(), &w, {a.out.data(), x.rows(), w.rows(), a.out.cols()}};
    matmul(compute, {&part, 1});
  };
  for (size_t i = 0; i < kLayers; ++i) {
    one(a.x, model.qkv[i]);
    one(a.x, model.o[i]);
    one(a.x, model.gate_up[i]);
    one(a.wide, model.down[i]);
  }
  if (head) one(a.x, model.head);
}

void report_flops(const char* what, const char* type, size_t rows, double flops, double s,
                  double peak) {
  std::printf("%-10s %-5s M=%-4zu %8.2f ms %8.1f GFLOP/s %5.1f %% of peak\n", what, type, rows,
              s * 1e3, flops / s / 1e9, 100.0 * flops / s / 1e9 / peak);
  std::fflush(stdout);
}

void bench_rows(Compute& compute, const Model& model, const char* type, size_t rows, double peak) {
  Activations a(rows, 0);
  const double s = median_s([&] { forward(compute, model, a, false); }, 3);
  report_flops("forward", type, rows, 2.0 * static_cast<double>(rows) * kLayers * kLayerWeights, s,
               peak);
}

void bench_decode(Compute& compute, const Model& model, const char* type) {
  Activations a(1, kVocabulary);
  const double s = median_s([&] { forward(compute, model, a, true); }, 15);
  const double rate = read_gbytes_per_s(
      compute, static_cast<size_t>(model.bytes) / (64 * 64) * (64 * 64));
  std::printf("decode     %-5s M=1    %8.2f ms %8.1f tokens/s %6.1f GB/s, %5.1f %% of a plain read of "
              "as many bytes (%.1f GB/s)\n", type, s * 1e3, 1.0 / s, model.bytes / s / 1e9,
              100.0 * model.bytes / s / 1e9 / rate, rate);
  std::fflush(stdout);
}

void bench_gradients(Compute& compute, const Model& model, const char* type, double peak, bool dx,
                     bool dw) {
  const size_t rows = 512;
  Activations a(rows, 0);
  Tensor dx_out(rows, kHidden);
  const double flops = 2.0 * static_cast<double>(rows) * kLayers * kLayerWeights;
  const auto each = [&](const auto& body) {
    for (size_t i = 0; i < kLayers; ++i) {
      body(a.x, model.qkv[i]);
      body(a.x, model.o[i]);
      body(a.x, model.gate_up[i]);
      body(a.wide, model.down[i]);
    }
  };
  for (size_t i = 0; i < a.out.size(); ++i) a.out.data()[i] = 0.01f * static_cast<float>(i % 83) - 0.4f;
  if (dx) {
    report_flops("dX", type, rows, flops, median_s([&] {
      each([&](const Tensor& x, const PanelMatrix& w) {
        const MatmulInputTerm term{View<float>(a.out.data(), rows, w.rows(), a.out.cols()), &w};
        matmul_backward_input(compute, {&term, 1},
                              View<float>(dx_out.data(), rows, x.cols(), dx_out.cols()), false);
      });
    }, 3), peak);
  }
  if (dw) {
    Buffer gradient(sizeof(int64_t) * 3072 * 576);
    const TokenGroup groups[] = {{0, 256}, {256, 512}};
    report_flops("dW", "fixed", rows, flops, median_s([&] {
      each([&](const Tensor& x, const PanelMatrix& w) {
        matmul_backward_weight(compute, View<float>(a.out.data(), rows, w.rows(), a.out.cols()),
                               x.view(), groups, {gradient.as<int64_t>(), 30});
      });
    }, 3), peak);
  }
}

// r = 16 beside gate and up: A [16, 576], B [3072, 16].
void bench_lora(Compute& compute, double peak) {
  const size_t rows = 512, rank = 16;
  const PanelMatrix a = weights(compute, DataType::kF32, rank, kDim, 1);
  const PanelMatrix b = weights(compute, DataType::kF32, 2 * kHidden, rank, 2);
  Tensor x(rows, kDim), u(rows, rank), y(rows, 2 * kHidden), du(rows, rank), dx(rows, kDim);
  for (size_t i = 0; i < y.size(); ++i) y.data()[i] = 0.001f * static_cast<float>(i % 83);
  Buffer gradient(sizeof(int64_t) * 3072 * 16 * 2);
  const TokenGroup groups[] = {{0, 256}, {256, 512}};
  const double fa = 2.0 * rows * rank * kDim, fb = 2.0 * rows * rank * 2 * kHidden;
  const MatmulPart pa{x.view(), &a, u.view()};
  const MatmulPart pb{u.view(), &b, y.view(), nullptr, true, 0.5f};
  report_flops("lora A", "f32", rows, fa, median_s([&] { matmul(compute, {&pa, 1}); }, 21), peak);
  report_flops("lora B", "f32", rows, fb, median_s([&] { matmul(compute, {&pb, 1}); }, 21), peak);
  const MatmulInputTerm tb{y.view(), &b, 0.5f}, ta{u.view(), &a, 1.0f};
  report_flops("lora dB x", "f32", rows, fb, median_s([&] {
    matmul_backward_input(compute, {&tb, 1}, du.view(), false); }, 21), peak);
  report_flops("lora dA x", "f32", rows, fa, median_s([&] {
    matmul_backward_input(compute, {&ta, 1}, dx.view(), true); }, 21), peak);
  report_flops("lora dW B", "fixed", rows, fb, median_s([&] {
    matmul_backward_weight(compute, y.view(), u.view(), groups, {gradient.as<int64_t>(), 20});
  }, 21), peak);
  report_flops("lora dW A", "fixed", rows, fa, median_s([&] {
    matmul_backward_weight(compute, u.view(), x.view(), groups, {gradient.as<int64_t>(), 20});
  }, 21), peak);
}

}  // namespace

int main(int argc, char** argv) {
  size_t threads = 0;
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i], value = argv[i + 1];
    if (option == "--threads") threads = std::stoul(value);
    if (option == "--only") only = value;
    if (option == "--target") {
      for (int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
        if (value == hwy::TargetName(rest & -rest)) hwy::SetSupportedTargetsForTest(rest & -rest);
      }
    }
  }
  const auto wanted = [&](const char* what) { return only.empty() || only == what; };
  Compute compute(threads);
  const double peak = peak_gflops(compute);
  std::printf("%s, %zu threads, FMA peak %.1f GFLOP/s\n", instruction_set(), compute.threads(), peak);
  struct Kind {
    const char* name;
    DataType type, head;
  };
  for (const Kind& kind : {Kind{"F32", DataType::kF32, DataType::kF32},
                           {"F16", DataType::kF16, DataType::kF16},
                           {"Q8_0", DataType::kQ8_0, DataType::kQ8_0},
                           {"Q4_1", DataType::kQ4_1, DataType::kQ8_0}}) {
    const Model model(compute, kind.type, kind.head);
    const bool main_types = kind.type == DataType::kF32 || kind.type == DataType::kQ4_1;
    if (wanted("decode")) bench_decode(compute, model, kind.name);
    for (size_t rows : {2, 4, 8, 32}) {
      if (wanted("rows")) bench_rows(compute, model, kind.name, rows, peak);
    }
    if (!main_types) continue;
    if (wanted("gemm")) bench_rows(compute, model, kind.name, 512, peak);
    if (wanted("dx") || wanted("dw")) {
      bench_gradients(compute, model, kind.name, peak, wanted("dx"), wanted("dw"));
    }
  }
  if (wanted("lora")) bench_lora(compute, peak);
  return 0;
}
