// Operations on rows: normalisation, rotation, activation, the optimiser, distillation.

#include <cmath>

#include "hashes.h"
#include "tensor/adamw.h"
#include "tensor/divergence_rows.h"
#include "tensor/rms_norm.h"
#include "tensor/rope.h"
#include "tensor/swiglu.h"

namespace hone::tensor {

namespace {

constexpr size_t kRows = 37;

void hash_rms_norm(Compute& compute, Hashes& hashes) {
  constexpr size_t kHeads = 3, kHeadDim = 100, kCols = kHeads * kHeadDim;
  const Tensor x = random_tensor(kRows, kCols, "x"), dy = random_tensor(kRows, kCols, "dy");
  const Tensor weight = random_tensor(1, kCols, "weight");
  const TokenGroup groups[] = {{0, 20}, {20, kRows}};
  for (const size_t heads : {size_t{1}, kHeads}) {
    const std::string name = heads == 1 ? "" : " heads";
    const size_t dim = kCols / heads;
    Tensor y(kRows, kCols), dx = random_tensor(kRows, kCols, "dx"), inverse(kRows, heads);
    rms_norm_heads(compute, x.view(), heads, dim, weight.data(), 1e-5f, y.view(), inverse.data());
    rms_norm_heads_backward(compute, x.view(), heads, dim, weight.data(), inverse.data(), dy.view(),
                            dx.view(), true);
    std::vector<int64_t> gradient(dim);
    rms_norm_heads_backward_weight(compute, x.view(), heads, dim, inverse.data(), dy.view(), groups,
                                   {gradient.data(), 40});
    hashes.add("rms_norm" + name, y);
    hashes.add("rms_norm inverse" + name, inverse);
    hashes.add("rms_norm_backward" + name, dx);
    hashes.add("rms_norm weight" + name, gradient);
  }
  Tensor sum = x.clone();
  add_rows(compute, sum.view(), dy.view());
  hashes.add("add_rows", sum);
}

void hash_rope(Compute& compute, Hashes& hashes) {
  RopeScaling linear, llama3;
  linear.kind = RopeScaling::Kind::kLinear;
  linear.factor = 4.0f;
  llama3.kind = RopeScaling::Kind::kLlama3;
  llama3.factor = 8.0f;
  const std::pair<const char*, RopeScaling> scalings[] = {
      {"plain", {}}, {"linear", linear}, {"llama3", llama3}};
  std::vector<int32_t> positions;
  for (size_t r = 0; r < kRows; ++r) positions.push_back(static_cast<int32_t>(r * r * 23 % 4099));
  for (const auto& [name, scaling] : scalings) {
    for (const size_t head_dim : {20, 64}) {
      RopeTable table(head_dim, 500000.0, scaling, {}, 4100);
      table.reserve(4100);
      Tensor x = random_tensor(kRows, 3 * head_dim, "x"), back = x.clone();
      rope(compute, x.view(), 3, head_dim, positions.data(), table);
      rope_backward(compute, back.view(), 3, head_dim, positions.data(), table);
      const std::string what = std::string(name) + " " + std::to_string(head_dim);
      hashes.add("rope frequencies " + what, table.inverse_frequencies());
      hashes.add("rope " + what, x);
      hashes.add("rope_backward " + what, back);
    }
  }
}

void hash_swiglu(Compute& compute, Hashes& hashes) {
  constexpr size_t kCols = 115;
  Tensor gate_up = random_tensor(kRows, 2 * kCols, "gate_up");
  for (size_t i = 0; i < gate_up.size(); ++i) gate_up.data()[i] *= 20.0f;
  const Tensor dy = random_tensor(kRows, kCols, "dy");
  Tensor y(kRows, kCols), gradient(kRows, 2 * kCols);
  swiglu(compute, gate_up.view(), y.view());
  swiglu_backward(compute, gate_up.view(), dy.view(), gradient.view());
  hashes.add("swiglu", y);
  hashes.add("swiglu_backward", gradient);
}

void hash_adamw(Compute& compute, Hashes& hashes) {
  constexpr size_t kCount = 9001;
  const Tensor start = random_tensor(1, kCount, "weights"),
               g = random_tensor(1, kCount, "gradient");
  std::vector<int64_t> given(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    given[i] = static_cast<int64_t>(static_cast<double>(g.data()[i]) * 0x1p38);
  }
  std::vector<int64_t> gradient = given;
  Tensor w = start.clone(), m(1, kCount), v(1, kCount);
  AdamwTensor tensor = {{gradient.data(), 40}, kCount, w.data(), m.data(), v.data(), 1.0f};
  const GradientNorm norm = gradient_norms(compute, {&tensor, 1}).front();
  const double norms[] = {norm.sum_of_squares, norm.largest};
  hashes.add("gradient_norm", norms, sizeof(norms));
  tensor.clip = clip_coefficient(std::sqrt(norm.sum_of_squares), 1.0);
  for (int64_t step = 1; step <= 3; ++step) {
    AdamwSettings settings;
    settings.learning_rate = 3e-4;
    settings.weight_decay = 0.1;
    settings.step = step;
    gradient = given;  // an update clears it
    tensor.gradient.values = gradient.data();
    adamw(compute, settings, {&tensor, 1});
  }
  hashes.add("adamw weights", w);
  hashes.add("adamw m", m);
  hashes.add("adamw v", v);
}

void hash_divergence(Hashes& hashes) {
  constexpr size_t kColumns = 1000;
  const Tensor given = random_tensor(1, kColumns, "student"),
               teacher = random_tensor(1, kColumns, "teacher");
  for (const float beta : {0.0f, 0.3f, 1.0f}) {
    DivergenceRow row{beta, 7.1f, 6.9f};
    const DivergenceSum sum = divergence_sum(given.data(), teacher.data(), kColumns, row);
    row.student_sum = sum.student;
    row.coefficient = -0.7f;
    Tensor gradient = given.clone();
    divergence_gradient(gradient.data(), teacher.data(), kColumns, row);
    const std::string name = "divergence beta " + std::to_string(beta).substr(0, 3);
    const float sums[] = {sum.teacher, sum.student};
    hashes.add(name, sums, sizeof(sums));
    hashes.add(name + " gradient", gradient);
  }
}

}  // namespace

void hash_rows(Compute& compute, Hashes& hashes) {
  hash_rms_norm(compute, hashes);
  hash_rope(compute, hashes);
  hash_swiglu(compute, hashes);
  hash_adamw(compute, hashes);
  hash_divergence(hashes);
}

}  // namespace hone::tensor
