#include "llm/batch_sample.h"

#include <algorithm>

#include "base/rng.h"

namespace hone::llm {

namespace {

bool holds(const std::vector<int32_t>& ids, int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

void clear_bit(std::vector<uint64_t>& bits, int32_t token) {
  const auto at = static_cast<size_t>(token);
  if (at / 64 < bits.size()) bits[at / 64] &= ~(uint64_t{1} << at % 64);
}

bool any(std::span<const uint64_t> bits) {
  return std::any_of(bits.begin(), bits.end(), [](uint64_t word) { return word != 0; });
}

// Bits from `count` on name no token.
void cut_bits(std::vector<uint64_t>& bits, size_t count) {
  if (count % 64 != 0) bits.back() &= (uint64_t{1} << count % 64) - 1;
}

}  // namespace

TokenDrawer::TokenDrawer(tensor::Compute& compute, size_t vocabulary,
                         std::vector<int32_t> end_of_generation)
    : compute_(compute),
      vocabulary_(vocabulary),
      end_of_generation_(std::move(end_of_generation)),
      samplers_(compute.threads()) {}

bool TokenDrawer::ends(const BatchRequest& request, int32_t token) const {
  return (!request.ignore_end_of_generation && holds(end_of_generation_, token)) ||
         holds(request.stop_token_ids, token);
}

// Fills draw.allowed; false when nothing may come.
bool TokenDrawer::mask(Draw& draw) {
  try {
    if (fill_mask(draw)) return true;
    draw.failure.emplace(
        ErrorCode::kInternal,
        "the constraint on the answer ends it here: " + draw.stream->constraint->why_none() +
            "; nothing was made up instead, loosen the constraint");
  } catch (const Error& error) {
    draw.failure = error;
  }
  return false;
}

bool TokenDrawer::fill_mask(Draw& draw) const {
  const BatchStream& stream = *draw.stream;
  const BatchRequest& request = stream.request();
  const size_t words = (vocabulary_ + 63) / 64;
  if (stream.constraint != nullptr) {
    draw.allowed.assign(words, 0);
    stream.constraint->allowed(draw.allowed);
    cut_bits(draw.allowed, vocabulary_);
    if (!any(draw.allowed)) return false;
  }
  if (stream.answer().size() >= request.min_tokens) return true;
  std::vector<uint64_t> bits = draw.allowed;
  if (bits.empty()) {
    bits.assign(words, ~uint64_t{0});
    cut_bits(bits, vocabulary_);
  }
  if (!request.ignore_end_of_generation) {
    for (int32_t token : end_of_generation_) clear_bit(bits, token);
  }
  for (int32_t token : request.stop_token_ids) clear_bit(bits, token);
  if (any(bits)) draw.allowed = std::move(bits);
  return true;
}

void TokenDrawer::draw_one(Draw& draw, Sampler& sampler) const {
  const BatchStream& stream = *draw.stream;
  const BatchRequest& request = stream.request();
  if (request.sampling.plain_greedy() && draw.allowed.empty()) {
    draw.token = draw.row.argmax;
  } else {
    Rng rng(request.seed, rng_stream("sample", request.index, stream.sample),
            stream.answer().size());
    draw.token = sampler.sample(draw.logits, request.sampling, request.prompt, stream.answer(),
                                rng.uniform(), draw.allowed);
    draw.kept = sampler.kept();
  }
  draw.top = most_likely(draw.logits, draw.row.lse, request.top_log_probs);
}

void TokenDrawer::draw(std::span<Draw> draws) {
  std::vector<Draw*> slow;
  for (Draw& draw : draws) {
    if (!mask(draw)) continue;
    const BatchRequest& request = draw.stream->request();
    if (request.sampling.plain_greedy() && draw.allowed.empty() && request.top_log_probs == 0) {
      draw.token = draw.row.argmax;
    } else {
      slow.push_back(&draw);
    }
  }
  if (slow.empty()) return;
  compute_.pool().run(
      slow.size(), [&](size_t task, size_t thread) { draw_one(*slow[task], samplers_[thread]); });
}

}  // namespace hone::llm
