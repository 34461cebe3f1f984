// Matrix products, the fused head and the embedding, each with its gradients.

#include "hashes.h"
#include "tensor/embedding.h"
#include "tensor/log_softmax.h"
#include "tensor/matmul.h"

namespace hone::tensor {

namespace {

constexpr int kExponent = 40;

PanelMatrix random_weights(Compute& compute, DataType type, size_t n, size_t k) {
  const std::vector<std::byte> stored = random_stored(type, n, k);
  return PanelMatrix::pack(compute, type, n, k, stored.data());
}

void hash_matmul(Compute& compute, Hashes& hashes) {
  constexpr size_t kN = 130;
  for (const DataType type : kAllTypes) {
    const size_t k = info(type).block_size == 256 ? 512 : 576;
    const std::string name(info(type).name);
    const PanelMatrix w = random_weights(compute, type, kN, k);
    for (size_t m : {1, 7, 33}) {
      const Tensor x = random_tensor(m, k, "x");
      Tensor y(m, kN);
      const MatmulPart part{x.view(), &w, y.view()};
      matmul(compute, {&part, 1});
      hashes.add("matmul " + name + " M=" + std::to_string(m), y);
    }
    const Tensor dy = random_tensor(33, kN, "dy");
    Tensor dx(33, k);
    const MatmulInputTerm term{dy.view(), &w, 0.75f};
    matmul_backward_input(compute, {&term, 1}, dx.view(), false);
    hashes.add("backward_input " + name, dx);
  }
}

void hash_weight_gradient(Compute& compute, Hashes& hashes, const std::string& name, size_t n,
                          size_t k) {
  const Tensor dy = random_tensor(300, n, "dy"), x = random_tensor(300, k, "x");
  const TokenGroup groups[] = {{0, 17}, {17, 273}, {273, 300}};
  std::vector<int64_t> gradient((n + 15) / 16 * 16 * k);
  matmul_backward_weight(compute, dy.view(), x.view(), groups, {gradient.data(), kExponent});
  hashes.add(name, gradient);
}

// An adapter's product behind its base product.
void hash_following(Compute& compute, Hashes& hashes) {
  const PanelMatrix w = random_weights(compute, DataType::kQ8_0, 203, 288);
  const PanelMatrix up = random_weights(compute, DataType::kF32, 203, 16);
  const Tensor x = random_tensor(45, 288, "x"), h = random_tensor(45, 16, "h");
  Tensor y(45, 203);
  const MatmulPart then = {h.view(), &up, y.view(), nullptr, true, 0.37f};
  const MatmulPart part = {x.view(), &w, y.view(), nullptr, false, 1.0f, &then};
  matmul(compute, {&part, 1});
  hashes.add("matmul then", y);
}

// Bias, adding to what is there, several products in a call, columns of a wider matrix.
void hash_parts(Compute& compute, Hashes& hashes) {
  const PanelMatrix a = random_weights(compute, DataType::kQ4_1, 70, 96);
  const PanelMatrix b = random_weights(compute, DataType::kF32, 33, 300);
  const Tensor bias = random_tensor(1, 70, "bias");
  const Tensor x = random_tensor(19, 96, "x"), z = random_tensor(5, 300, "z");
  Tensor ya(19, 70), yb = random_tensor(5, 40, "start");
  const MatmulPart parts[] = {{x.view(), &a, ya.view(), bias.data()},
                              {z.view(), &b, yb.view().slice_cols(5, 33), nullptr, true, 0.37f}};
  matmul(compute, parts);
  hashes.add("matmul bias", ya);
  hashes.add("matmul accumulate", yb);
}

void hash_head(Compute& compute, Hashes& hashes) {
  constexpr size_t kVocabulary = 2100, kHidden = 33, kRows = 21;
  for (const DataType type : {DataType::kF32, DataType::kF16}) {
    const std::string name(info(type).name);
    const PanelMatrix w = random_weights(compute, type, kVocabulary, kHidden);
    const Tensor hidden = random_tensor(kRows, kHidden, "hidden");
    std::vector<HeadTarget> targets;
    for (uint32_t i = 0; i < 30; ++i) {
      targets.push_back({static_cast<uint32_t>(i * 7 % kRows),
                         static_cast<int32_t>(i * 977 % kVocabulary),
                         0.125f * static_cast<float>(i) - 1.7f});
    }
    std::vector<float> log_probs(targets.size()), lse;
    std::vector<HeadRowResult> rows(kRows);
    head_log_probs(compute, hidden.view(), w, targets, log_probs.data(), rows.data());
    hashes.add("head log_probs " + name, log_probs);
    hashes.add("head rows " + name, rows);
    for (const HeadRowResult& row : rows) lse.push_back(row.lse);
    Tensor dhidden(kRows, kHidden);
    std::vector<int64_t> dw((kVocabulary + 15) / 16 * 16 * kHidden);
    const FixedGradient gradient{dw.data(), kExponent};
    const TokenGroup groups[] = {{0, 4}, {4, kRows}};
    Buffer memory;
    head_backward(compute, hidden.view(), w, targets, lse.data(), dhidden.view(),
                  type == DataType::kF32 ? &gradient : nullptr, groups, memory);
    hashes.add("head_backward " + name, dhidden);
    if (type == DataType::kF32) hashes.add("head_backward weights", dw);
  }
  const Tensor logits = random_tensor(3, kVocabulary, "logits");
  std::vector<HeadRowResult> rows(3);
  log_softmax_rows(compute, logits.view(), rows.data());
  hashes.add("log_softmax_rows", rows);
}

void hash_embedding(Compute& compute, Hashes& hashes) {
  constexpr size_t kRows = 37, kCols = 67, kVocabulary = 35;
  for (const DataType type : kAllTypes) {
    const size_t k = info(type).block_size == 1 ? kCols : 256;
    const PanelMatrix w = random_weights(compute, type, kVocabulary, k);
    Tensor rows(kVocabulary, k);
    for (size_t n = 0; n < kVocabulary; ++n) w.read_row(n, rows.view().row(n));
    hashes.add("embedding " + std::string(info(type).name), rows);
  }
  const Tensor dx = random_tensor(kRows, kCols, "dx");
  std::vector<int32_t> tokens;
  for (size_t r = 0; r < kRows; ++r) tokens.push_back(static_cast<int32_t>(r * 8 % kVocabulary));
  std::vector<int64_t> gradient(48 * kCols);
  embedding_backward(compute, dx.view(), tokens.data(), {gradient.data(), kExponent});
  hashes.add("embedding_backward", gradient);
}

}  // namespace

void hash_products(Compute& compute, Hashes& hashes) {
  hash_matmul(compute, hashes);
  hash_weight_gradient(compute, hashes, "backward_weight", 100, 255);
  hash_weight_gradient(compute, hashes, "backward_weight thin", 96, 20);
  hash_following(compute, hashes);
  hash_parts(compute, hashes);
  hash_head(compute, hashes);
  hash_embedding(compute, hashes);
}

}  // namespace hone::tensor
