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

template <int kWidth>
[[gnu::noinline]] double fma_loop(long rounds) {
#if defined(__x86_64__)
  if constexpr (kWidth == 64) {
    asm volatile(  // zeros: what the registers held may be denormal, and slow
        "vzeroall\n\t vpxord %%zmm30,%%zmm30,%%zmm30\n\t vpxord %%zmm31,%%zmm31,%%zmm31\n\t"
        "1:\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm0\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm1\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm2\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm3\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm4\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm5\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm6\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm7\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm8\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm9\n\t"
        "vfmadd231ps %%zmm30,%%zmm31,%%zmm10\n\t vfmadd231ps %%zmm30,%%zmm31,%%zmm11\n\t"
        "dec %0\n\t jnz 1b\n\t vzeroupper"
        : "+r"(rounds)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
          "xmm8", "xmm9", "xmm10", "xmm11");
    return 12 * 16 * 2;
  } else {
    asm volatile(
        "vzeroall\n\t"
        "1:\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm0\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm1\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm2\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm3\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm4\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm5\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm6\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm7\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm8\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm9\n\t"
        "vfmadd231ps %%ymm14,%%ymm15,%%ymm10\n\t vfmadd231ps %%ymm14,%%ymm15,%%ymm11\n\t"
        "dec %0\n\t jnz 1b\n\t vzeroupper"
        : "+r"(rounds)::"cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
          "xmm8", "xmm9", "xmm10", "xmm11");
    return 12 * 8 * 2;
  }
#else
  return static_cast<double>(rounds & 0);
#endif
}

double peak_gflops(Compute& compute) {
  const bool wide = std::strcmp(instruction_set(), "AVX3") == 0;
  const long rounds = 1'000'000;
  std::vector<double> flops(compute.threads());
  const double start = now_s();
  compute.pool().run(compute.threads(), [&](size_t task, size_t) {
    flops[task] = wide ? fma_loop<64>(rounds) : fma_loop<32>(rounds);
  });
  const double s = now_s() - start;
  return flops[0] * static_cast<double>(rounds) * static_cast<double>(compute.threads()) / s / 1e9;
}

// Sums all words of a matrix: the plain read that decode is compared with.
void read_all(Compute& compute, const PanelMatrix& matrix) {
  static std::vector<uint64_t> sums(64);
  const size_t words = matrix.bytes() / 8 / 16 / 8 * 8;
  compute.pool().run(16, [&](size_t task, size_t) {
    const auto* from = reinterpret_cast<const uint64_t*>(matrix.data()) + task * words;
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (size_t i = 0; i < words; i += 8) {
      a += from[i] ^ from[i + 1], b += from[i + 2] ^ from[i + 3];
      c += from[i + 4] ^ from[i + 5], d += from[i + 6] ^ from[i + 7];
    }
    sums[task] = a + b + c + d;
  });
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
      bytes +=
          static_cast<double>(qkv[i].bytes() + o[i].bytes() + gate_up[i].bytes() + down[i].bytes());
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

// A shared machine's clock moves within a second: the peak is taken right before and after.
template <typename Body>
void report_flops(Compute& compute, const char* what, const char* type, size_t rows, double flops,
                  int repeats, const Body& body) {
  body();
  struct Run {
    double share, s;
  };
  std::vector<Run> runs;
  for (int i = 0; i < repeats; ++i) {
    const double before = peak_gflops(compute);
    const double start = now_s();
    body();
    const double s = now_s() - start;
    const double peak = (before + peak_gflops(compute)) / 2;
    runs.push_back({flops / s / 1e9 / peak, s});
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.share < b.share; });
  const Run& median = runs[runs.size() / 2];
  std::printf("%-10s %-5s M=%-4zu %8.2f ms %8.1f GFLOP/s %5.1f %% of peak (best %.1f %%)\n", what,
              type, rows, median.s * 1e3, flops / median.s / 1e9, 100.0 * median.share,
              100.0 * runs.back().share);
  std::fflush(stdout);
}

void bench_rows(Compute& compute, const Model& model, const char* type, size_t rows) {
  Activations a(rows, 0);
  report_flops(compute, "forward", type, rows,
               2.0 * static_cast<double>(rows) * kLayers * kLayerWeights, 3,
               [&] { forward(compute, model, a, false); });
}

void bench_decode(Compute& compute, const Model& model, const char* type) {
  Activations a(1, kVocabulary);
  struct Run {
    double share, s;
  };
  std::vector<Run> runs;
  const auto read = [&] {
    for (size_t i = 0; i < kLayers; ++i) {
      for (const auto* set : {&model.qkv, &model.o, &model.gate_up, &model.down}) {
        read_all(compute, (*set)[i]);
      }
    }
    read_all(compute, model.head);
  };
  forward(compute, model, a, true);
  for (int i = 0; i < 15; ++i) {
    const double start = now_s();
    read();
    const double middle = now_s();
    forward(compute, model, a, true);
    const double end = now_s();
    runs.push_back({(middle - start) / (end - middle), end - middle});
  }
  std::sort(runs.begin(), runs.end(), [](const Run& l, const Run& r) { return l.share < r.share; });
  const Run& median = runs[runs.size() / 2];
  std::printf(
      "decode     %-5s M=1    %8.2f ms %8.1f tokens/s %6.1f GB/s, %5.1f %% of the rate of "
      "only reading the weights\n",
      type, median.s * 1e3, 1.0 / median.s, model.bytes / median.s / 1e9, 100.0 * median.share);
  std::fflush(stdout);
}

void bench_gradients(Compute& compute, const Model& model, const char* type, bool dx, bool dw) {
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
  for (size_t i = 0; i < a.out.size(); ++i)
    a.out.data()[i] = 0.01f * static_cast<float>(i % 83) - 0.4f;
  if (dx) {
    report_flops(compute, "dX", type, rows, flops, 3, [&] {
      each([&](const Tensor& x, const PanelMatrix& w) {
        const MatmulInputTerm term{View<float>(a.out.data(), rows, w.rows(), a.out.cols()), &w};
        matmul_backward_input(compute, {&term, 1},
                              View<float>(dx_out.data(), rows, x.cols(), dx_out.cols()), false);
      });
    });
  }
  if (dw) {
    Buffer gradient(sizeof(int64_t) * 3072 * 576);
    const TokenGroup groups[] = {{0, 256}, {256, 512}};
    report_flops(compute, "dW", "fixed", rows, flops, 3, [&] {
      each([&](const Tensor& x, const PanelMatrix& w) {
        matmul_backward_weight(compute, View<float>(a.out.data(), rows, w.rows(), a.out.cols()),
                               x.view(), groups, {gradient.as<int64_t>(), 30});
      });
    });
  }
}

// r = 16 beside gate and up: A [16, 576], B [3072, 16].
void bench_lora(Compute& compute) {
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
  report_flops(compute, "lora A", "f32", rows, fa, 21, [&] { matmul(compute, {&pa, 1}); });
  report_flops(compute, "lora B", "f32", rows, fb, 21, [&] { matmul(compute, {&pb, 1}); });
  const MatmulInputTerm tb{y.view(), &b, 0.5f}, ta{u.view(), &a, 1.0f};
  report_flops(compute, "lora dB x", "f32", rows, fb, 21, [&] {
    matmul_backward_input(compute, {&tb, 1}, du.view(), false);
  });
  report_flops(compute, "lora dA x", "f32", rows, fa, 21, [&] {
    matmul_backward_input(compute, {&ta, 1}, dx.view(), true);
  });
  report_flops(compute, "lora dW B", "fixed", rows, fb, 21, [&] {
    matmul_backward_weight(compute, y.view(), u.view(), groups, {gradient.as<int64_t>(), 20});
  });
  report_flops(compute, "lora dW A", "fixed", rows, fa, 21, [&] {
    matmul_backward_weight(compute, u.view(), x.view(), groups, {gradient.as<int64_t>(), 20});
  });
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
  std::printf("%s, %zu threads, FMA peak now %.1f GFLOP/s\n", instruction_set(), compute.threads(),
              peak_gflops(compute));
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
      if (wanted("rows")) bench_rows(compute, model, kind.name, rows);
    }
    if (!main_types) continue;
    if (wanted("gemm")) bench_rows(compute, model, kind.name, 512);
    if (wanted("dx") || wanted("dw")) {
      bench_gradients(compute, model, kind.name, wanted("dx"), wanted("dw"));
    }
  }
  if (wanted("lora")) bench_lora(compute);
  return 0;
}
