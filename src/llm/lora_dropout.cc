#include "llm/lora_dropout.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"

namespace hone::llm {

DropoutRows::DropoutRows(const LoraDropout& dropout, const TreeRows& rows)
    : seed_(dropout.seed),
      threshold_(static_cast<uint32_t>(dropout.p * 0x1p32)),
      scale_(static_cast<float>(1 / (1 - dropout.p))),
      streams_(rows.size()) {
  HONE_CHECK(dropout.p >= 0 && dropout.p < 1);
  for (const TreeRows::Node& node : rows.nodes()) {
    const uint64_t tree = rng_stream("lora-dropout", dropout.step, dropout.first_tree + node.tree);
    for (size_t i = 0; i < node.row_count; ++i) {
      streams_[node.row_begin + i] =
          rng_stream("lora-dropout-row", tree, uint64_t{node.node_of_tree} << 32 | i);
    }
  }
}

void DropoutRows::apply(tensor::Compute& compute, size_t layer, LinearKind kind,
                        tensor::View<const float> x, tensor::View<float> out) const {
  HONE_CHECK(x.rows == streams_.size() && out.rows == x.rows && out.cols == x.cols);
  const auto map = static_cast<uint32_t>(layer * kLinearKinds + static_cast<size_t>(kind));
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed_),
                                       static_cast<uint32_t>(seed_ >> 32)};
  constexpr size_t kRowsPerTask = 8;
  const size_t tasks = (x.rows + kRowsPerTask - 1) / kRowsPerTask;
  compute.pool().run(tasks, [&](size_t task, size_t) {
    const size_t end = std::min(x.rows, (task + 1) * kRowsPerTask);
    for (size_t r = task * kRowsPerTask; r < end; ++r) {
      const auto low = static_cast<uint32_t>(streams_[r]);
      const auto high = static_cast<uint32_t>(streams_[r] >> 32);
      const float* from = x.row(r);
      float* to = out.row(r);
      for (size_t c = 0; c < x.cols; c += 4) {
        const auto words = philox4x32_10({static_cast<uint32_t>(c / 4), map, low, high}, key);
        const size_t count = std::min<size_t>(4, x.cols - c);
        for (size_t i = 0; i < count; ++i) {
          to[c + i] = words[i] < threshold_ ? 0.0f : from[c + i] * scale_;
        }
      }
    }
  });
}

}  // namespace hone::llm
