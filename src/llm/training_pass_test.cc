// What a training pass promises: trees, cuts, threads and recompute change no bit that they must
// not, and sharing a prompt changes the gradient by rounding only.
#include "llm/training_pass.h"

#include <gtest/gtest.h>

#include <cmath>

#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::all_targets;
using testing::integers_of;
using testing::random_tokens;
using testing::run_batch;

float some_coefficient(size_t tree, size_t target) {
  return 0.125f * static_cast<float>(1 + (3 * tree + target) % 7) *
         (target % 2 == 0 ? -1.0f : 1.0f);
}

testing::TinyShape small_shape() {
  testing::TinyShape shape;
  shape.qk_norm = true;
  return shape;
}

// Node n of the tree is a child of parents[n] and has lengths[n] tokens.
TokenTree nested(Rng& rng, const std::vector<int32_t>& parents,
                 const std::vector<size_t>& lengths) {
  TokenTree tree;
  for (size_t i = 0; i < parents.size(); ++i) {
    tree.nodes.push_back({parents[i], random_tokens(rng, lengths[i], small_shape().vocab)});
  }
  return tree;
}

std::vector<TreeExample> mixed_batch(size_t trees) {
  Rng rng(11, rng_stream("mixed-batch"));
  std::vector<TreeExample> batch;
  for (size_t i = 0; i < trees; ++i) {
    switch (i % 4) {
      case 0: batch.push_back(all_targets(nested(rng, {-1, 0, 0}, {17, 9, 23}))); break;
      case 1:
        batch.push_back(all_targets(make_sequence(random_tokens(rng, 5 + 40 * i, 96))));
        break;
      case 2: batch.push_back(all_targets(nested(rng, {-1, 0, 0}, {0, 12, 8}))); break;
      default: batch.push_back(all_targets(nested(rng, {-1, 0, 1, 1, 0}, {70, 3, 66, 1, 130})));
    }
  }
  return batch;
}

// The tokens on the way from the root to the node's end.
std::vector<int32_t> path_of(const TokenTree& tree, size_t node) {
  std::vector<int32_t> tokens;
  if (tree.nodes[node].parent >= 0) {
    tokens = path_of(tree, static_cast<size_t>(tree.nodes[node].parent));
  }
  tokens.insert(tokens.end(), tree.nodes[node].tokens.begin(), tree.nodes[node].tokens.end());
  return tokens;
}

// Every target's log-probability in the tree is the one of its path read alone.
void expect_paths_alone(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                        const std::vector<TreeExample>& batch) {
  TrainingPass pass(compute, model, adapter, least_pass_rows(batch), {});
  score_trees(pass, batch, [&](size_t index, const TreeResult& result) {
    const TreeExample& example = batch[index];
    for (size_t node = 0; node < example.tree.nodes.size(); ++node) {
      const std::vector<int32_t> path = path_of(example.tree, node);
      if (path.empty()) continue;
      const auto alone = testing::log_probs_of(compute, model, adapter, path);
      const size_t before = path.size() - example.tree.nodes[node].tokens.size();
      for (size_t t = 0; t < example.targets.size(); ++t) {
        if (example.targets[t].node != node) continue;
        ASSERT_EQ(result.log_probs[t], alone[before + example.targets[t].position - 1])
            << "tree " << index << " node " << node << " position " << example.targets[t].position;
      }
    }
  });
}

TEST(TrainingPass, EveryPathOfATreeHasTheLogProbabilitiesOfThePathAlone) {
  tensor::Compute compute(2);
  Rng rng(2, rng_stream("paths"));
  const size_t lengths[] = {1, 63, 64, 65, 130};
  std::vector<TreeExample> batch;
  for (size_t a : lengths) {
    for (size_t b : lengths) {
      batch.push_back(
          all_targets(nested(rng, {-1, 0, 1, 1, 0}, {a, b, lengths[(a + b) % 5], 1, 64})));
    }
  }
  batch.push_back(all_targets(nested(rng, {-1, 0, 0}, {0, 65, 1})));        // no prompt
  batch.push_back(all_targets(nested(rng, {-1, 0, 1, 2}, {70, 0, 3, 0})));  // empty in between
  batch.push_back(all_targets(nested(rng, {-1, 0, 0, 0}, {64, 1, 1, 1})));
  expect_paths_alone(compute, testing::random_model(small_shape()), nullptr, batch);
}

TEST(TrainingPass, AWindowAndAnAdapterKeepThatPromise) {
  tensor::Compute compute(2);
  testing::TinyShape shape;
  shape.window = 48;
  const Model model = testing::random_model(shape);
  const LoraAdapter adapter = testing::random_adapter(model, 3);
  expect_paths_alone(compute, model, &adapter, mixed_batch(8));
}

TEST(TrainingPass, CutsThreadsRecomputeAndKnownCoefficientsChangeNoBitOfTheGradient) {
  Model model = testing::random_model(small_shape());
  const std::vector<TreeExample> batch = mixed_batch(12);
  std::vector<std::vector<int64_t>> first;
  size_t most_passes = 0;
  struct Setting {
    size_t threads, max_rows;
    bool recompute, known;
  };
  for (const Setting& s :
       {Setting{1, 4096, false, false}, Setting{1, 1, false, false}, Setting{2, 300, false, false},
        Setting{3, 700, false, true}, Setting{2, 4096, true, true}, Setting{3, 1, true, false}}) {
    tensor::Compute compute(s.threads);
    Trainable trainable = full_parameters(model);
    testing::set_exponents(trainable, 34);
    const auto result = run_batch(compute, model, nullptr, trainable, batch, s.max_rows,
                                  s.recompute, some_coefficient, s.known);
    ASSERT_FALSE(result.overflow);
    most_passes = std::max(most_passes, result.passes);
    if (first.empty()) {
      EXPECT_EQ(result.passes, 1u);
      first = integers_of(trainable);
    }
    EXPECT_TRUE(first == integers_of(trainable))
        << s.threads << " threads, " << s.max_rows << " rows, recompute " << s.recompute
        << ", known " << s.known;
  }
  EXPECT_GT(most_passes, 3u);
}

TEST(TrainingPass, AsManyLayersAsAreKeptAreNotRunAgainAndNoBitTellsHowMany) {
  testing::TinyShape shape = small_shape();
  shape.layers = 5;
  Model model = testing::random_model(shape);
  LoraAdapter adapter = testing::random_adapter(model, 3);
  const std::vector<TreeExample> batch = mixed_batch(4);
  const size_t rows = least_pass_rows(batch);
  std::vector<std::vector<int64_t>> first;
  size_t bytes_before = 0;
  for (const size_t kept : {0, 1, 2, 4, 5, 9}) {  // 0: without recompute
    tensor::Compute compute(2);
    PassOptions options;
    options.recompute = kept > 0;
    options.kept_layers = kept;
    TrainingPass pass(compute, model, &adapter, rows, options);
    Trainable trainable = lora_parameters(model, adapter);
    testing::set_exponents(trainable, 34);
    size_t passes = 0;
    for_each_pass(batch, rows, [&](const PlannedPass& planned) {
      pass.run(
          planned.rows, planned.targets,
          [&](const PassResult&, std::span<float> slopes) {
            for (size_t i = 0; i < slopes.size(); ++i) slopes[i] = some_coefficient(passes, i);
          },
          trainable);
      ++passes;
      return true;
    });
    if (first.empty()) first = integers_of(trainable);
    EXPECT_TRUE(first == integers_of(trainable)) << kept << " kept";
    const size_t again = kept == 0 || kept > 5 ? 0 : 5 - kept;
    EXPECT_EQ(pass.layers_run_again(), again * passes) << kept << " kept";
    const size_t bytes = TrainingPass::planned_bytes(model.config, 3, rows, options);
    if (kept == 2) {
      EXPECT_EQ(bytes - bytes_before, kept_layer_bytes(model.config, rows));
    }
    bytes_before = bytes;
  }
}

TEST(TrainingPass, AdapterGradientsKeepTheirBitsToo) {
  const Model model = testing::random_model(small_shape());
  LoraAdapter adapter = testing::random_adapter(model, 4);
  const std::vector<TreeExample> batch = mixed_batch(8);
  std::vector<std::vector<int64_t>> first;
  for (const auto& [threads, max_rows, recompute, known] :
       {std::tuple<size_t, size_t, bool, bool>{1, 4096, false, false},
        {2, 1, true, false},
        {2, 4096, false, true},
        {3, 512, false, true}}) {
    tensor::Compute compute(threads);
    Trainable trainable = lora_parameters(model, adapter);
    testing::set_exponents(trainable, 34);
    run_batch(compute, model, &adapter, trainable, batch, max_rows, recompute, some_coefficient,
              known);
    if (first.empty()) first = integers_of(trainable);
    EXPECT_TRUE(first == integers_of(trainable)) << threads << " threads, " << max_rows << " rows";
  }
}

// Largest |a - b| of a parameter over the norm of b.
void expect_same_but_for_rounding(Trainable& a, Trainable& b, double bound) {
  for (size_t i = 0; i < a.parameters.size(); ++i) {
    const Parameter &p = a.parameters[i], &q = b.parameters[i];
    const double norm = testing::gradient_norm(q);
    double squares = 0;
    for (size_t r = 0; r < p.rows; ++r) {
      for (size_t c = 0; c < p.cols; ++c) {
        squares += std::pow(testing::gradient_at(p, r, c) - testing::gradient_at(q, r, c), 2);
      }
    }
    EXPECT_LE(std::sqrt(squares), bound * norm) << p.name << " of norm " << norm;
  }
}

TEST(TrainingPass, SharingAPromptMovesTheGradientByRoundingOnly) {
  tensor::Compute compute(2);
  Model model = testing::random_model(small_shape());
  Rng rng(4, rng_stream("sharing"));
  for (size_t prompt_length : {1u, 63u, 64u, 65u, 130u}) {
    const auto prompt = random_tokens(rng, prompt_length, 96);
    const std::vector<std::vector<int32_t>> answers = {random_tokens(rng, 1, 96),
                                                       random_tokens(rng, 65, 96)};
    TreeExample tree{make_group(prompt, answers), {}};
    std::vector<TreeExample> sequences;
    for (uint32_t side = 0; side < 2; ++side) {
      std::vector<int32_t> tokens = prompt;
      tokens.insert(tokens.end(), answers[side].begin(), answers[side].end());
      TreeExample alone{make_sequence(tokens), {}};
      for (uint32_t i = 0; i < answers[side].size(); ++i) {
        tree.targets.push_back({side + 1, i});
        alone.targets.push_back({0, static_cast<uint32_t>(prompt.size()) + i});
      }
      sequences.push_back(std::move(alone));
    }
    const auto by_side = [](size_t side) { return side == 0 ? 0.5f : -0.75f; };
    Trainable shared = full_parameters(model), apart = full_parameters(model);
    testing::set_exponents(shared, 38);
    testing::set_exponents(apart, 38);
    const auto a = run_batch(compute, model, nullptr, shared, {tree}, 1, false,
                             [&](size_t, size_t i) { return by_side(i == 0 ? 0 : 1); });
    const auto b = run_batch(compute, model, nullptr, apart, sequences, 1, false,
                             [&](size_t t, size_t) { return by_side(t); });
    std::vector<float> flat = b.log_probs[0];
    flat.insert(flat.end(), b.log_probs[1].begin(), b.log_probs[1].end());
    EXPECT_EQ(a.log_probs[0], flat) << prompt_length;
    // Chains of at most 256 products and a few sums of sums: some 2^-23 each, amplified by depth.
    expect_same_but_for_rounding(shared, apart, 2e-5);
  }
}

TEST(TrainingPass, AnExponentWithoutRoomIsReported) {
  tensor::Compute compute(1);
  Model model = testing::random_model(small_shape());
  Trainable trainable = full_parameters(model);
  testing::set_exponents(trainable, 60);
  const auto run = [&] {
    return run_batch(compute, model, nullptr, trainable, mixed_batch(4), 512, false,
                     some_coefficient);
  };
  EXPECT_TRUE(run().overflow);
  trainable.clear_gradients();
  testing::set_exponents(trainable, 30);
  EXPECT_FALSE(run().overflow);
}

TEST(TreeRows, GroupsDependOnTheOrderOfTheTreesAlone) {
  Rng rng(9, rng_stream("groups"));
  std::vector<TokenTree> trees;
  for (size_t length : {100u, 156u, 1u, 600u, 10u, 246u, 1u}) {
    trees.push_back(make_sequence(random_tokens(rng, length, 96)));
  }
  const TreeRows rows(trees);
  std::vector<std::pair<size_t, size_t>> groups;
  for (const tensor::TokenGroup& g : rows.groups()) groups.emplace_back(g.begin, g.end);
  const std::vector<std::pair<size_t, size_t>> wanted = {
      {0, 256}, {256, 257}, {257, 513}, {513, 769}, {769, 857}, {857, 1113}, {1113, 1114}};
  EXPECT_EQ(groups, wanted);
}

}  // namespace
}  // namespace hone::llm
