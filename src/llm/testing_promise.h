#pragma once
// One text, one set of bits: what the tests of the promise check, for any model.

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "llm/testing.h"

namespace hone::llm::testing {

// The text's log-probabilities when its first tokens are read as one sequence, which is then
// forked, and the rest continues on the fork while the parent and another fork go elsewhere.
inline std::vector<float> log_probs_by_fork(tensor::Compute& compute, const Model& model,
                                            const LoraAdapter* adapter,
                                            const std::vector<int32_t>& tokens, size_t at,
                                            Rng& rng) {
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

// The log-probabilities of a random text of that length: whole, on 1 to 3 threads, in chunks, packed
// with strangers, in the training forward and on forks.
inline void expect_promise(const Model& model, const LoraAdapter* adapter, size_t length,
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
        all_targets(make_sequence(random_tokens(rng, 9, vocab))),
        all_targets(make_sequence(tokens))};
    score_trees(pass, batch, [&](size_t i, const TreeResult& result) {
      if (i != 1) return;
      EXPECT_EQ(whole, std::vector<float>(result.log_probs.begin(), result.log_probs.end()))
          << what << ", training forward";
    });
  }
  for (size_t at : {size_t{1}, length / 2, length - 1}) {
    EXPECT_EQ(whole, log_probs_by_fork(two, model, adapter, tokens, at, rng))
        << what << ", fork at " << at;
  }
}

}  // namespace hone::llm::testing
