// One text, one set of bits: however it is fed, packed, shared or trained on (decisions 1).
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "llm/testing_promise.h"

namespace hone::llm {
namespace {

using testing::expect_promise;
using testing::random_tokens;

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

TEST(KvCache, TheLowestPagesAreTakenAndWhatIsFreeGivesItsMemoryBack) {
  const Model model = testing::random_model({});
  KvCache cache(model.config, 40);
  const auto low = cache.create(), high = cache.create();
  ASSERT_TRUE(cache.extend(low, 10 * kPagePositions));
  ASSERT_TRUE(cache.extend(high, 20 * kPagePositions));
  EXPECT_EQ(cache.resident_pages(), 30u);
  const auto write = [&](KvCache::SequenceId sequence, float value) {
    std::vector<float*> blocks;
    cache.layer_blocks(sequence, 0, &blocks);
    for (float* block : blocks) block[0] = value;
  };
  write(low, 1);
  write(high, 2);
  cache.release(high);
  cache.give_back(35);  // nothing to do
  EXPECT_EQ(cache.resident_pages(), 30u);
  cache.give_back(12);
  EXPECT_EQ(cache.resident_pages(), 12u);
  cache.give_back(0);  // what is in use stays
  EXPECT_EQ(cache.resident_pages(), 10u);
  std::vector<float*> blocks;
  cache.layer_blocks(low, 0, &blocks);
  for (const float* block : blocks) EXPECT_EQ(block[0], 1);
  const auto again = cache.create();
  ASSERT_TRUE(cache.extend(again, 3 * kPagePositions));
  EXPECT_EQ(cache.resident_pages(), 13u);
  EXPECT_EQ(cache.pages(again)[0], 10u);
  cache.layer_blocks(again, 0, &blocks);
  for (const float* block : blocks) EXPECT_EQ(block[0], 0);
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
