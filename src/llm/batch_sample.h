#pragma once
// From rows of logits to the next token of each sample, many at once.
//
// What may come: end tokens not before min_tokens (unless nothing else may), and what the constraint
// allows. The draw itself is the Sampler's, with the number of the sample's own stream at its place
// (docs/numerics.md 12), so threads and neighbours do not matter.
//
// Internal to llm/batcher.h. The batcher's thread; draws run on the pool, constraints do not.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "llm/batch_stream.h"
#include "tensor/log_softmax.h"

namespace hone::llm {

struct Draw {
  Draw(BatchStream* s, std::span<const float> l, const tensor::HeadRowResult& r)
      : stream(s), logits(l), row(r) {}
  BatchStream* stream;
  std::span<const float> logits;
  tensor::HeadRowResult row;
  // What was drawn; -1 with the reason when nothing may come.
  int32_t token = -1;
  float kept = 1;  // Sampler::kept
  std::optional<Error> failure;
  std::vector<TokenLogProb> top;
  std::vector<uint64_t> allowed;  // empty: all
};

class TokenDrawer {
 public:
  TokenDrawer(tensor::Compute& compute, size_t vocabulary, std::vector<int32_t> end_of_generation);

  // Whether this token ends the samples of that request.
  bool ends(const BatchRequest& request, int32_t token) const;
  void draw(std::span<Draw> draws);

 private:
  bool mask(Draw& draw);
  bool fill_mask(Draw& draw) const;
  void draw_one(Draw& draw, Sampler& sampler) const;

  tensor::Compute& compute_;
  size_t vocabulary_;
  std::vector<int32_t> end_of_generation_;
  std::vector<Sampler> samplers_;  // one per thread
};

}  // namespace hone::llm
