// The score head: the same bits in training and scoring, gradients that follow the forward, and
// files that keep it.
#include "llm/score_head.h"

#include <gtest/gtest.h>

#include <cmath>

#include "llm/formats/model_writer.h"
#include "llm/testing.h"

namespace hone::llm {
namespace {

using testing::integers_of;
using testing::random_tokens;
using testing::run_batch;

Model scoring_model(const testing::TinyShape& shape = {}) {
  Model model = testing::random_model(shape);
  model.score = new_score_head(shape.hidden, 4);
  model.config.score_head = true;
  return model;
}

// Scores at every token of every node, beside the log-probabilities of every token.
TreeExample all_heads(TokenTree tree) {
  TreeExample example = testing::all_targets(std::move(tree));
  for (uint32_t n = 0; n < example.tree.nodes.size(); ++n) {
    for (uint32_t i = 0; i < example.tree.nodes[n].tokens.size(); ++i) {
      const auto middle = static_cast<std::ptrdiff_t>(example.targets.size() / 2);
      example.targets.insert(example.targets.begin() + middle, TreeTarget{n, i, true});
    }
  }
  return example;
}

std::vector<TreeExample> mixed_batch(size_t trees) {
  Rng rng(17, rng_stream("score-batch"));
  std::vector<TreeExample> batch;
  for (size_t i = 0; i < trees; ++i) {
    const auto prompt = random_tokens(rng, 1 + 37 * (i % 4), 96);
    TokenTree tree =
        make_group(prompt, {random_tokens(rng, 3 + 20 * i, 96), random_tokens(rng, 9, 96)});
    switch (i % 3) {
      case 0: batch.push_back(all_heads(std::move(tree))); break;
      case 1: batch.push_back(testing::all_targets(std::move(tree))); break;
      default:  // as a reward model reads a pair
        batch.push_back({std::move(tree), {}});
        for (uint32_t n : {1u, 2u}) {
          const size_t tokens = batch.back().tree.nodes[n].tokens.size();
          batch.back().targets.push_back({n, static_cast<uint32_t>(tokens - 1), true});
        }
    }
  }
  return batch;
}

float some_coefficient(size_t tree, size_t target) {
  return 0.125f * static_cast<float>(1 + (3 * tree + target) % 7) *
         (target % 2 == 0 ? -1.0f : 1.0f);
}

TEST(ScoreHead, CutsThreadsAndRecomputeChangeNoBitOfTheGradient) {
  Model model = scoring_model();
  const std::vector<TreeExample> batch = mixed_batch(9);
  std::vector<std::vector<int64_t>> first;
  std::vector<std::vector<float>> values;
  size_t most_passes = 0;
  for (const auto& [threads, max_rows, recompute] :
       {std::tuple<size_t, size_t, bool>{1, 4096, false}, {2, 1, true}, {3, 300, false}}) {
    tensor::Compute compute(threads);
    Trainable trainable = full_parameters(model);
    ASSERT_NE(trainable.score, kFrozen);
    testing::set_exponents(trainable, 34);
    const auto result =
        run_batch(compute, model, nullptr, trainable, batch, max_rows, recompute, some_coefficient);
    ASSERT_FALSE(result.overflow);
    most_passes = std::max(most_passes, result.passes);
    if (first.empty()) {
      first = integers_of(trainable);
      values = result.log_probs;
    }
    EXPECT_TRUE(first == integers_of(trainable)) << threads << " threads, " << max_rows << " rows";
    EXPECT_EQ(values, result.log_probs);
  }
  EXPECT_GT(most_passes, 3u);
}

TEST(ScoreHead, LogProbabilitiesBesideItHaveTheBitsThatTheyHaveAlone) {
  tensor::Compute compute(2);
  Model model = scoring_model();
  Rng rng(3, rng_stream("beside"));
  const TokenTree tree = make_sequence(random_tokens(rng, 90, 96));
  const TreeExample alone = testing::all_targets(tree), both = all_heads(tree);
  TrainingPass pass(compute, model, nullptr, 128, {});
  std::vector<float> a, b;
  score_trees(pass, {&alone, 1}, [&](size_t, const TreeResult& r) {
    a.assign(r.log_probs.begin(), r.log_probs.end());
  });
  score_trees(pass, {&both, 1}, [&](size_t, const TreeResult& r) {
    for (size_t i = 0; i < both.targets.size(); ++i) {
      if (!both.targets[i].score) b.push_back(r.log_probs[i]);
    }
  });
  EXPECT_EQ(a, b);
}

TEST(ScoreHead, AnAnswerAloneHasTheScoreOfTrainingToTheBit) {
  tensor::Compute compute(2);
  const Model model = testing::random_model({});
  LoraAdapter adapter = testing::random_adapter(model, 3);
  adapter.score = new_score_head(model.config.hidden_size, 9);
  const std::vector<TreeExample> batch = mixed_batch(9);
  std::vector<float> in_training;
  std::vector<std::vector<int32_t>> alone;
  TrainingPass pass(compute, model, &adapter, 4096, {});
  score_trees(pass, batch, [&](size_t i, const TreeResult& result) {
    if (i % 3 != 2) return;
    for (size_t side : {0u, 1u}) {
      in_training.push_back(result.log_probs[side]);
      std::vector<int32_t> tokens = batch[i].tree.nodes[0].tokens;
      const auto& answer = batch[i].tree.nodes[side + 1].tokens;
      tokens.insert(tokens.end(), answer.begin(), answer.end());
      alone.push_back(std::move(tokens));
    }
  });
  ASSERT_EQ(alone.size(), 6u);
  for (size_t max_rows : {1u, 64u, 4096u}) {
    std::vector<float> scores;
    score_answers(compute, model, &adapter, alone, max_rows, [&](size_t i, float score) {
      EXPECT_EQ(i, scores.size());
      scores.push_back(score);
    });
    EXPECT_EQ(scores, in_training) << max_rows;
  }
  // The plain reference: the final norm's output times the head, in f64.
  KvCache cache(model.config, KvCache::pages_for(alone[0].size()));
  Workspace workspace(model, &adapter, alone[0].size());
  const KvCache::SequenceId sequence = cache.create();
  ASSERT_TRUE(cache.extend(sequence, alone[0].size()));
  Rows rows;
  rows.append(sequence, 0, alone[0]);
  const auto hidden = forward(compute, model, &adapter, rows, cache, workspace);
  std::vector<float> head(model.config.hidden_size);
  adapter.score.read_row(0, head.data());
  double plain = 0;
  for (size_t k = 0; k < head.size(); ++k) {
    plain += static_cast<double>(head[k]) * static_cast<double>(hidden.row(alone[0].size() - 1)[k]);
  }
  EXPECT_NEAR(static_cast<double>(in_training[0]), plain, 1e-5 * (1 + std::abs(plain)));
}

// The slope of sum of coefficient * value along each parameter's own gradient, by a fourth-order
// central difference, against the gradient's squared length.
void expect_slopes(tensor::Compute& compute, const Model& model, const LoraAdapter* adapter,
                   Trainable& trainable, const std::vector<TreeExample>& batch) {
  testing::set_exponents(trainable, 38);
  ASSERT_FALSE(
      run_batch(compute, model, adapter, trainable, batch, 64, false, some_coefficient).overflow);
  const auto loss = [&] {
    TrainingPass pass(compute, model, adapter, least_pass_rows(batch), {});
    double sum = 0;
    score_trees(pass, batch, [&](size_t tree, const TreeResult& result) {
      for (size_t i = 0; i < result.log_probs.size(); ++i) {
        sum += static_cast<double>(some_coefficient(tree, i)) *
               static_cast<double>(result.log_probs[i]);
      }
    });
    return sum;
  };
  for (Parameter& p : trainable.parameters) {
    const double norm = testing::gradient_norm(p);
    ASSERT_GT(norm, 0) << p.name;
    const std::vector<float> before(p.values, p.values + p.size);
    const auto at = [&](double step) {
      for (size_t i = 0; i < p.size; ++i) {
        const double direction = static_cast<double>(p.factor) * static_cast<double>(p.fixed()[i]) *
                                 std::ldexp(1.0, -p.exponent) / norm;
        p.values[i] = static_cast<float>(static_cast<double>(before[i]) + step * direction);
      }
      return loss();
    };
    const double h = 0.02;
    const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    std::copy(before.begin(), before.end(), p.values);
    EXPECT_NEAR(slope / norm, 1, 4e-3) << p.name << " norm " << norm;
  }
}

TEST(ScoreHead, EveryParametersGradientFollowsTheForward) {
  tensor::Compute compute(1);
  Rng rng(5, rng_stream("score-slopes"));
  const auto pair = [&](bool heads) {
    TokenTree tree = make_group(random_tokens(rng, 9, 96),
                                {random_tokens(rng, 7, 96), random_tokens(rng, 12, 96)});
    if (heads) return all_heads(std::move(tree));
    return TreeExample{std::move(tree), {{1, 6, true}, {2, 11, true}}};
  };
  testing::TinyShape untied;
  untied.tied = false;
  untied.bias = true;
  Model model = scoring_model(untied);
  Trainable scores_only = full_parameters(model, false);
  EXPECT_EQ(scores_only.lm_head, kFrozen);
  expect_slopes(compute, model, nullptr, scores_only, {pair(false), pair(false)});
  Trainable both = full_parameters(model);
  expect_slopes(compute, model, nullptr, both, {pair(true), pair(false)});

  const Model base = testing::random_model({});
  LoraAdapter adapter = testing::random_adapter(base, 5);
  adapter.score = new_score_head(base.config.hidden_size, 9);
  Trainable lora = lora_parameters(base, adapter);
  EXPECT_EQ(lora.parameters.back().name, "score.weight");
  expect_slopes(compute, base, &adapter, lora, {pair(true), pair(false)});
}

std::vector<float> row_of(const tensor::PanelMatrix& matrix) {
  std::vector<float> row(matrix.cols());
  matrix.read_row(0, row.data());
  return row;
}

RowReader rows_in_memory(const Model& model) {
  return [&](std::string_view name, size_t row, float* out) {
    const std::string wanted(name);
    for (const auto& [found, matrix] :
         {std::pair<const char*, const tensor::PanelMatrix*>{"score.weight", &model.score},
          {"lm_head.weight", &model.lm_head},
          {"model.embed_tokens.weight", &model.embedding}}) {
      if (wanted == found) return matrix->read_row(row, out);
    }
    for (size_t i = 0; i < model.layers.size(); ++i) {
      const std::string prefix = "model.layers." + std::to_string(i) + ".";
      for (size_t k = 0; k < kLinearKinds; ++k) {
        const std::string module = std::string(linear_module(static_cast<LinearKind>(k)));
        if (wanted == prefix + module + ".weight") {
          return model.layers[i].linear[k].weight.read_row(row, out);
        }
      }
      const auto& norm = wanted == prefix + "input_layernorm.weight"
                             ? model.layers[i].attention_norm
                             : model.layers[i].mlp_norm;
      if (wanted.compare(0, prefix.size(), prefix) == 0) {
        std::copy(norm.begin(), norm.end(), out);
        return;
      }
    }
    std::copy(model.final_norm.begin(), model.final_norm.end(), out);
  };
}

TEST(ScoreHeadFiles, ADirectoryAndAGgufGiveTheHeadBackAsItWas) {
  tensor::Compute compute(1);
  const testing::TemporaryFolder folder("score_head_files");
  const Model model = scoring_model();
  write_huggingface_directory(real_env(), folder.path() + "/hf", model.config,
                              tensor::DataType::kF32, rows_in_memory(model), {}, {});
  const Json config = testing::read_json(folder.path() + "/hf/config.json");
  EXPECT_EQ(config.at("architectures").as_array()[0], Json("LlamaForSequenceClassification"));
  EXPECT_EQ(config.at("id2label").size(), 1u);
  const Model directory =
      load_model(compute, *ModelFile::open(folder.path() + "/hf"), HeadNeed::kScore);
  EXPECT_TRUE(directory.config.score_head);
  EXPECT_EQ(row_of(directory.score), row_of(model.score));

  // Quantised: the head stays as it is.
  write_gguf(real_env(), folder.path() + "/m.gguf", model.config, tensor::DataType::kQ8_0,
             rows_in_memory(model), {});
  const Model gguf = load_model(compute, *ModelFile::open(folder.path() + "/m.gguf"));
  EXPECT_TRUE(gguf.config.score_head);
  EXPECT_EQ(row_of(gguf.score), row_of(model.score));
}

TEST(ScoreHeadFiles, WithoutALanguageHeadAModelScoresAndIsRefusedForWords) {
  tensor::Compute compute(1);
  const testing::TemporaryFolder folder("score_without_words");
  testing::TinyShape untied;
  untied.tied = false;
  Model model = scoring_model(untied);
  model.config.language_head = false;  // as transformers writes a sequence classifier
  write_huggingface_directory(real_env(), folder.path(), model.config, tensor::DataType::kF32,
                              rows_in_memory(model), {}, {});
  const auto file = ModelFile::open(folder.path());
  EXPECT_EQ(load_model(compute, *file, HeadNeed::kScore).lm_head.rows(), 0u);
  const std::string said = testing::refusal([&] { load_model(compute, *file); });
  EXPECT_NE(said.find("reward model without a language head"), std::string::npos) << said;
}

TEST(ScoreHeadFiles, AnAdapterKeepsItsHeadAndPeftsIsRead) {
  const testing::TemporaryFolder folder("score_adapter");
  const Model model = testing::random_model({});
  LoraAdapter adapter = testing::random_adapter(model, 3);
  adapter.score = new_score_head(model.config.hidden_size, 2);
  save_lora(real_env(), folder.path(), adapter, "base");
  const LoraAdapter back = load_lora(model, folder.path());
  EXPECT_EQ(row_of(back.score), row_of(adapter.score));
  const Json config = testing::read_json(folder.path() + "/adapter_config.json");
  EXPECT_EQ(config.at("task_type"), Json("SEQ_CLS"));
  EXPECT_EQ(config.at("modules_to_save"), Json(Json::Array{Json("score")}));

  testing::TinyShape wider;
  wider.hidden = 64;
  wider.head_dim = 16;
  const std::string said =
      testing::refusal([&] { load_lora(testing::random_model(wider), folder.path()); });
  EXPECT_NE(said.find("belongs to another model"), std::string::npos) << said;

  tensor::Compute compute(1);
  const Model golden = testing::load_golden(compute, "llama_tied");
  EXPECT_EQ(load_lora(golden, testing::kGolden + "adapter_reward_start").score.rows(), 1u);
}

TEST(ScoreHead, AnEmptyAnswerAndOneThatIsTooLongAreRefusedByNumber) {
  tensor::Compute compute(1);
  const Model model = scoring_model();
  const auto score = [&](std::vector<std::vector<int32_t>> rows) {
    return testing::refusal(
        [&] { score_answers(compute, model, nullptr, rows, 64, [](size_t, float) {}); });
  };
  EXPECT_EQ(score({{1, 2}, {3}}), "accepted");
  EXPECT_NE(score({{1}, {}}).find("answer 1 has 0 tokens"), std::string::npos);
  EXPECT_NE(score({std::vector<int32_t>(513, 1)}).find("513 tokens"), std::string::npos);
}

}  // namespace
}  // namespace hone::llm
