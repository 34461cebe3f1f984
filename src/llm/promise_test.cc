// One text, one set of bits: however it is fed, packed, shared or trained on (decisions 1).
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::log_probs_of;
using testing::random_tokens;

// The text's log-probabilities when its first tokens are read as one sequence, which is then
// forked, and the rest continues on the fork while the parent and another fork go elsewhere.
std::vector<float> by_fork(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                           const std::vector<int32_t>& tokens, size_t at, Rng& rng) {
  const size_t pages = KvCache::pages_for(tokens.size() + 8);
  KvCache cache(model.config, 3 * pages + 3);
  Workspace workspace(model, adapter, tokens.size() + 16);
  std::vector<float> out;
  const auto run =
      [&](std::vector<std::tuple<KvCache::SequenceId, size_t, std::vector<int32_t>>> parts,
          size_t part_wanted, size_t begin) {
        Rows rows;
        for (const auto& [sequence, from, ids] : parts) {
          EXPECT_TRUE(cache.extend(sequence, ids.size()));
          rows.append(sequence, from, ids);
        }
        const auto hidden = forward(compute, model, adapter, rows, cache, workspace);
        std::vector<tensor::HeadTarget> targets;
        const RowRun& run_wanted = rows.runs[part_wanted];
        for (size_t i = 0; i < run_wanted.row_count && begin + i + 1 < tokens.size(); ++i) {
          targets.push_back(
              {static_cast<uint32_t>(run_wanted.row_begin + i), tokens[begin + i + 1], 0.0f});
        }
        std::vector<float> log_probs(targets.size());
        std::vector<tensor::HeadRowResult> results(rows.size());
        tensor::head_log_probs(compute, hidden, model.head(), targets, log_probs.data(),
                               results.data());
        out.insert(out.end(), log_probs.begin(), log_probs.end());
      };
  const KvCache::SequenceId parent = cache.create();
  run({{parent, 0, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(at)}}}, 0, 0);
  const auto first = cache.fork(parent, at), second = cache.fork(parent, at);
  const std::vector<int32_t> rest(tokens.begin() + static_cast<std::ptrdiff_t>(at), tokens.end());
  run({{parent, at, random_tokens(rng, 3, model.config.vocab_size)},
       {second, at, random_tokens(rng, 5, model.config.vocab_size)},
       {first, at, rest}},
      2, at);
  return out;
}

void expect_promise(const Model& model, const LoraAdapter* adapter, size_t length,
                    const std::string& what) {
  Rng rng(21, rng_stream("promise"));
  const size_t vocab = model.config.vocab_size;
  const std::vector<int32_t> tokens = random_tokens(rng, length, vocab);
  tensor::Compute one(1), two(2), three(3);
  const std::vector<float> whole = log_probs_of(one, model, adapter, tokens);
  ASSERT_EQ(whole.size(), length - 1) << what;
  EXPECT_EQ(whole, log_probs_of(two, model, adapter, tokens)) << what;
  EXPECT_EQ(whole, log_probs_of(three, model, adapter, tokens)) << what;
  for (size_t chunk : {size_t{1}, size_t{7}, size_t{63}, size_t{64}, size_t{65}}) {
    EXPECT_EQ(whole, log_probs_of(two, model, adapter, tokens, {0, chunk, 512}))
        << what << ", chunks of " << chunk;
  }
  // Packed with strangers of other lengths, in passes that cut the text anywhere.
  std::vector<std::vector<int32_t>> rows;
  for (size_t i = 0; i < 5; ++i) {
    rows.push_back(i == 3 ? tokens : random_tokens(rng, 3 + length * i / 3, vocab));
  }
  for (const ScoreOptions& options : {ScoreOptions{0, 0, 512}, ScoreOptions{5, 11, 37}}) {
    score_rows(two, model, adapter, rows, options, [&](size_t i, const ScoredTokens& scored) {
      if (i == 3) {
        EXPECT_EQ(whole, scored.log_probs) << what << ", packed";
      }
    });
  }
  for (bool recompute : {false, true}) {
    TrainingPass pass(two, model, adapter, 4 * length, PassOptions{recompute});
    const std::vector<TreeExample> batch = {
        testing::all_targets(make_sequence(random_tokens(rng, 9, vocab))),
        testing::all_targets(make_sequence(tokens))};
    score_trees(pass, batch, [&](size_t i, const TreeResult& result) {
      if (i != 1) return;
      EXPECT_EQ(whole, std::vector<float>(result.log_probs.begin(), result.log_probs.end()))
          << what << ", training forward";
    });
  }
  for (size_t at : {size_t{1}, length / 2, length - 1}) {
    EXPECT_EQ(whole, by_fork(two, model, adapter, tokens, at, rng)) << what << ", fork at " << at;
  }
}

TEST(Promise, HoldsForEveryKindOfTinyModel) {
  testing::TinyShape plain, biased, normed, windowed;
  biased.bias = true;
  biased.tied = false;
  normed.qk_norm = true;
  normed.head_dim = 16;
  windowed.window = 33;
  windowed.heads = 3;
  windowed.kv_heads = 1;
  const std::pair<const char*, testing::TinyShape> cases[] = {
      {"plain", plain}, {"bias", biased}, {"norm per head", normed}, {"window", windowed}};
  for (const auto& [what, shape] : cases) {
    const Model model = testing::random_model(shape);
    expect_promise(model, nullptr, 150, what);
    const LoraAdapter adapter = testing::random_adapter(model, 4);
    expect_promise(model, &adapter, 70, std::string(what) + " with adapter");
  }
}

TEST(Promise, HoldsForTheRealModel) {
  const char* path = std::getenv("HONE_MODEL");
  if (path == nullptr) GTEST_SKIP() << "skipped: HONE_MODEL does not name a model file";
  tensor::Compute compute;
  expect_promise(testing::load(compute, path), nullptr, 40, path);
}

TEST(KvCache, AForkCopiesOnlyThePageThatBothWouldWrite) {
  const Model model = testing::random_model({});
  KvCache cache(model.config, 6);
  const auto parent = cache.create();
  ASSERT_TRUE(cache.extend(parent, 70));
  EXPECT_EQ(cache.free_pages(), 4u);
  const auto child = cache.fork(parent, 70), border = cache.fork(parent, 64);
  EXPECT_EQ(cache.free_pages(), 4u);
  ASSERT_TRUE(cache.extend(child, 1));
  EXPECT_EQ(cache.free_pages(), 3u);
  ASSERT_TRUE(cache.extend(parent, 1));  // alone on its page again: nothing to copy
  EXPECT_EQ(cache.free_pages(), 3u);
  ASSERT_TRUE(cache.extend(border, 1));
  EXPECT_EQ(cache.free_pages(), 2u);
  std::vector<float*> ours, theirs;
  cache.layer_blocks(parent, 1, &ours);
  cache.layer_blocks(child, 1, &theirs);
  EXPECT_EQ(ours[0], theirs[0]);
  EXPECT_NE(ours[1], theirs[1]);
  cache.release(parent);
  cache.release(child);
  cache.release(border);
  EXPECT_EQ(cache.free_pages(), 6u);
}

TEST(KvCache, ExtendRefusesWhatDoesNotFitAndChangesNothing) {
  const Model model = testing::random_model({});
  KvCache cache(model.config, 3);
  const auto a = cache.create();
  ASSERT_TRUE(cache.extend(a, 65));
  EXPECT_FALSE(cache.extend(a, 200));
  EXPECT_EQ(cache.length(a), 65u);
  EXPECT_EQ(cache.free_pages(), 1u);
  const auto b = cache.fork(a, 65);
  EXPECT_FALSE(cache.extend(b, 64));  // a copy and a fresh page: one too many
  EXPECT_EQ(cache.free_pages(), 1u);
  EXPECT_TRUE(cache.extend(b, 63));
  EXPECT_EQ(cache.free_pages(), 0u);
}

TEST(KvCache, WhatWasTruncatedLeavesNoTrace) {
  tensor::Compute compute(1);
  const Model model = testing::random_model({});
  Rng rng(1, rng_stream("truncate"));
  const auto tokens = random_tokens(rng, 80, 96), other = random_tokens(rng, 80, 96);
  KvCache cache(model.config, 4);
  Workspace workspace(model, nullptr, 80);
  const auto sequence = cache.create();
  const auto feed = [&](size_t from, std::span<const int32_t> ids) {
    EXPECT_TRUE(cache.extend(sequence, ids.size()));
    Rows rows;
    rows.append(sequence, from, ids);
    const auto hidden = forward(compute, model, nullptr, rows, cache, workspace);
    const float* last = hidden.row(ids.size() - 1);
    return std::vector<float>(last, last + hidden.cols);
  };
  const std::vector<float> wanted = feed(0, tokens);
  cache.truncate(sequence, 40);
  feed(40, std::span<const int32_t>(other).subspan(40));
  cache.truncate(sequence, 40);
  EXPECT_EQ(wanted, feed(40, std::span<const int32_t>(tokens).subspan(40)));
}

}  // namespace
}  // namespace hone::llm
