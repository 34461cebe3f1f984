// What ranks share: files, trees, rewards, ends. That whole runs of every method have the same bits on
// 1, 2 and 4 of them is tests/train/ranks_test.cc, with the real mpirun.
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

#include "base/fault_env.h"
#include "train/dealt_trees.h"
#include "train/leader_env.h"
#include "train/shared_rewards.h"
#include "train/testing.h"
#include "train/testing_ranks.h"

namespace hone::train {
namespace {

using testing::on_ranks;

std::vector<size_t> sizes_of(const std::vector<size_t>& begin) {
  std::vector<size_t> sizes;
  for (size_t r = 0; r + 1 < begin.size(); ++r) sizes.push_back(begin[r + 1] - begin[r]);
  return sizes;
}

TEST(Deal, GivesEveryUnitToOneRankInOrder) {
  EXPECT_EQ(deal(8, 2), (std::vector<size_t>{0, 4, 8}));
  EXPECT_EQ(deal(7, 1), (std::vector<size_t>{0, 7}));
  EXPECT_EQ(deal(0, 3), (std::vector<size_t>{0, 0, 0, 0}));
  for (size_t ranks = 1; ranks <= 9; ++ranks) {
    const auto begin = deal(5, ranks);
    ASSERT_EQ(begin.size(), ranks + 1);
    EXPECT_TRUE(std::is_sorted(begin.begin(), begin.end()));
    EXPECT_EQ(begin.front(), 0u);
    EXPECT_EQ(begin.back(), 5u);
    for (size_t count : sizes_of(begin)) EXPECT_LE(count, (5 + ranks - 1) / ranks);
  }
}

TEST(Deal, BalancesByWhatUnitsWeigh) {
  const std::vector<size_t> sizes = {900, 100, 100, 100, 100, 500};
  EXPECT_EQ(deal(sizes, 2), (std::vector<size_t>{0, 1, 6}));
  const std::vector<size_t> one_is_all = {1000, 1, 1};
  EXPECT_EQ(deal(one_is_all, 2), (std::vector<size_t>{0, 1, 3}));
}

TEST(Ranks, AloneHaveWhatTheyGave) {
  EXPECT_EQ(one_rank().size(), 1u);
  EXPECT_TRUE(one_rank().leads());
  EXPECT_EQ(one_rank().gather("a"), std::vector<std::string>{"a"});
  EXPECT_TRUE(one_rank().any(true));
  EXPECT_FALSE(one_rank().any(false));
}

TEST(Ranks, AgreeAsSoonAsOneSaysYes) {
  std::atomic<size_t> yes{0};
  EXPECT_EQ(on_ranks(3, [&](Communicator& ranks) { yes += ranks.any(ranks.rank() == 2); }),
            std::vector<std::string>(3));
  EXPECT_EQ(yes, 3u);
}

class LeaderFiles : public ::testing::Test {
 protected:
  // On each rank, with a world of files of its own behind.
  void on_three(const std::function<void(LeaderEnv&, size_t)>& work) {
    const auto errors = on_ranks(3, [&](Communicator& ranks) {
      LeaderEnv env(worlds_[ranks.rank()], ranks);
      work(env, ranks.rank());
    });
    EXPECT_EQ(errors, std::vector<std::string>(3));
  }
  FaultEnv worlds_[3];
};

TEST_F(LeaderFiles, AreWrittenByRankZeroAloneAndReadByAll) {
  std::string read[3];
  bool there[3];
  std::vector<std::string> names[3];
  worlds_[1].create_directories("runs/stranger");
  on_three([&](LeaderEnv& env, size_t rank) {
    env.create_directories("runs");
    write_file_atomically(env, "runs/a", "of rank " + std::to_string(rank));
    auto log = env.append_file("runs/log");
    log->append("line " + std::to_string(rank) + "\n");
    log->sync();
    log->close();
    read[rank] = env.read_file("runs/a", 100) + env.read_range("runs/log", 0, 4);
    there[rank] = env.exists("runs/stranger");
    names[rank] = env.list_directory("runs");
    EXPECT_EQ(env.file_size("runs/log"), 7u);
    EXPECT_TRUE(env.is_directory("runs"));
    EXPECT_TRUE(env.is_file("runs/log"));
  });
  for (size_t r = 0; r < 3; ++r) {
    EXPECT_EQ(read[r], "of rank 0line");
    EXPECT_FALSE(there[r]);
    EXPECT_EQ(names[r], (std::vector<std::string>{"a", "log"}));
  }
  EXPECT_FALSE(worlds_[1].exists("runs/a"));
  EXPECT_FALSE(worlds_[2].exists("runs"));
}

TEST_F(LeaderFiles, FailForAllRanksInTheSameWords) {
  std::string said[3];
  on_three([&](LeaderEnv& env, size_t rank) {
    try {
      env.read_file("nothing", 100);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotFound);
      said[rank] = error.message();
    }
    EXPECT_FALSE(env.exists("nothing"));  // and they are still together
  });
  EXPECT_NE(said[0].find("nothing"), std::string::npos);
  EXPECT_EQ(said[1], said[0]);
  EXPECT_EQ(said[2], said[0]);
}

std::vector<llm::TreeExample> trees(size_t count) {
  Rng rng(7, rng_stream("ranks-trees"));
  std::vector<llm::TreeExample> out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(testing::sft_row(llm::testing::random_tokens(rng, 20 + 40 * (i % 4), 32)).tree());
  }
  return out;
}

TEST(DealtTrees, AreWholeGroupsOfTheBatch) {
  const std::vector<llm::TreeExample> batch = trees(30);
  std::vector<llm::TokenTree> bare;
  for (const llm::TreeExample& example : batch) bare.push_back(example.tree);
  std::set<size_t> ends = {0};
  for (size_t first = 0; first < batch.size();) {
    first += llm::trees_in_group(bare, first);
    ends.insert(first);
  }
  for (size_t ranks = 1; ranks <= 6; ++ranks) {
    for (size_t at : deal_trees(batch, ranks)) EXPECT_TRUE(ends.contains(at)) << at;
  }
  EXPECT_GT(sizes_of(deal_trees(batch, 2))[1], 0u);
  EXPECT_EQ(deal_trees({}, 2), (std::vector<size_t>{0, 0, 0}));
}

// What was seen of each tree, as bits.
using Seen = std::vector<std::pair<size_t, std::vector<float>>>;

TEST(DealtTrees, AreSeenByEveryRankInOrderToTheBit) {
  const std::vector<llm::TreeExample> batch = trees(12);
  const auto see = [](Seen& seen) {
    return [&](size_t index, const llm::TreeResult& result) {
      std::vector<float> values(result.log_probs.begin(), result.log_probs.end());
      for (const tensor::HeadRowResult& row : result.rows) {
        values.insert(values.end(), {row.lse, row.entropy, static_cast<float>(row.argmax)});
      }
      values.insert(values.end(), result.mean_logits.begin(), result.mean_logits.end());
      seen.emplace_back(index, std::move(values));
    };
  };
  const auto score = [&](Communicator& ranks, Seen& seen) {
    tensor::Compute compute(1);
    llm::testing::TinyShape shape;
    shape.vocab = 32;
    const llm::Model model = llm::testing::random_model(shape);
    llm::TrainingPass pass(compute, model, nullptr, 512, llm::PassOptions{true});
    pass.watch_mean_logits(std::vector<double>(shape.hidden, 0.25));
    score_trees(ranks, pass, batch, see(seen));
  };
  Seen alone;
  score(one_rank(), alone);
  ASSERT_EQ(alone.size(), batch.size());
  for (size_t size : {2, 3, 5}) {
    std::vector<Seen> seen(size);
    EXPECT_EQ(on_ranks(size, [&](Communicator& ranks) { score(ranks, seen[ranks.rank()]); }),
              std::vector<std::string>(size));
    for (const Seen& of_rank : seen) EXPECT_TRUE(of_rank == alone);
  }
}

// A run of SFT on some ranks, and what is left of it.
struct Outcome {
  std::vector<std::string> errors;
  std::string steps, metrics;
  std::vector<std::vector<std::vector<float>>> values;  // of each rank
  std::vector<size_t> last_step;
};

std::vector<llm::SftTokens> rows() {
  Rng rng(3, rng_stream("ranks-rows"));
  std::vector<llm::SftTokens> out;
  for (size_t i = 0; i < 16; ++i) {
    out.push_back(testing::sft_row(llm::testing::random_tokens(rng, 60 + 5 * i, 32)));
  }
  return out;
}

struct Change {  // of one rank, or of all
  std::function<void(size_t rank, SftConfig&)> config = [](size_t, SftConfig&) {};
  std::function<void(size_t rank, llm::Model&)> model = [](size_t, llm::Model&) {};
  size_t stopped_rank = SIZE_MAX;
};

Outcome run_sft(size_t size, const std::vector<llm::SftTokens>& data, const Change& change = {}) {
  FaultEnv world;
  Outcome out;
  out.values.resize(size);
  out.last_step.resize(size);
  out.errors = on_ranks(size, [&](Communicator& ranks) {
    FaultEnv nobodys;
    LeaderEnv env(ranks.leads() ? world : nobodys, ranks);
    tensor::Compute compute(1);
    llm::Model model = llm::testing::random_model(testing::small_shape());
    change.model(ranks.rank(), model);
    SftConfig config;
    config.learning_rate = 1e-2;
    config.max_steps = 3;
    config.logging_steps = 1;
    config.per_device_train_batch_size = 8;
    change.config(ranks.rank(), config);
    std::atomic<bool> stop{ranks.rank() == change.stopped_rank};
    TrainJob job{compute, env, model, "runs/one", false, false, {}, {}, &stop};
    job.ranks = &ranks;
    const TrainResult result = train_sft(job, config, data, testing::sft_rows(3, 32));
    out.last_step[ranks.rank()] = result.steps;
    out.values[ranks.rank()] = testing::model_values(model);
  });
  if (world.exists("runs/one/steps.jsonl")) {
    out.steps = world.read_file("runs/one/steps.jsonl", 1 << 20);
    out.metrics = world.read_file("runs/one/metrics.jsonl", 1 << 20);
  }
  return out;
}

void expect_same_on_any_number(const std::vector<llm::SftTokens>& data) {
  const Outcome alone = run_sft(1, data);
  ASSERT_EQ(alone.errors, std::vector<std::string>(1));
  for (size_t size : {2, 3, 7}) {
    const Outcome dealt = run_sft(size, data);
    EXPECT_EQ(dealt.errors, std::vector<std::string>(size));
    EXPECT_EQ(dealt.steps, alone.steps);
    EXPECT_EQ(dealt.metrics, alone.metrics);
    for (const auto& values : dealt.values) EXPECT_TRUE(values == alone.values[0]);
  }
}

TEST(RanksOfARun, HaveTheBitsOfOne) { expect_same_on_any_number(rows()); }

TEST(RanksOfARun, RepeatAStepTogetherWhenTheSumOverflowsOnOneOfThem) {
  std::vector<llm::SftTokens> data = rows();
  data[5].weight = 1e9;  // its gradient is above the first step's range, the others' are not
  expect_same_on_any_number(data);
}

TEST(RanksOfARun, StopTogetherWhenOneIsAsked) {
  Change change;
  change.stopped_rank = 1;
  const Outcome stopped = run_sft(3, rows(), change);
  EXPECT_EQ(stopped.errors, std::vector<std::string>(3));
  EXPECT_EQ(stopped.last_step, std::vector<size_t>(3, 1));
}

TEST(RanksOfARun, WithOtherSettingsAreNamedWithWhatDiffers) {
  Change change;
  change.config = [](size_t rank, SftConfig& config) {
    if (rank == 2) config.learning_rate = 0.5;
  };
  const Outcome refused = run_sft(3, rows(), change);
  for (const std::string& error : refused.errors) {
    EXPECT_NE(error.find("rank 2"), std::string::npos) << error;
    EXPECT_NE(error.find("settings.learning_rate 0.01 and 0.5"), std::string::npos) << error;
    EXPECT_EQ(error.find("max_steps"), std::string::npos) << error;
  }
  EXPECT_EQ(refused.steps, "");
}

TEST(RanksOfARun, AreNamedWhenTheirWeightsAreNotRankZeros) {
  Change change;
  change.model = [](size_t rank, llm::Model& model) {
    if (rank == 1) model.final_norm[3] += 0.25f;
  };
  const Outcome refused = run_sft(2, rows(), change);
  for (const std::string& error : refused.errors) {
    EXPECT_NE(error.find("step 1"), std::string::npos) << error;
    EXPECT_NE(error.find("rank 1"), std::string::npos) << error;
  }
}

TEST(RanksOfARun, EndWithAnErrorOfOneThatNamesItsStep) {
  std::vector<llm::SftTokens> data = rows();
  Change change;
  change.model = [](size_t, llm::Model& model) {
    model.final_norm[0] = std::numeric_limits<float>::quiet_NaN();
  };
  const Outcome failed = run_sft(2, data, change);
  EXPECT_NE(failed.errors[0].find("step 1"), std::string::npos) << failed.errors[0];
  EXPECT_NE(failed.errors[1], "");
}

// Counts how often it was asked, and about how many answers.
class Counting : public reward::RewardFunction {
 public:
  explicit Counting(bool alone) : alone_(alone) {}
  const std::string& name() const override { return name_; }
  bool judges_alone() const override { return alone_; }
  std::vector<std::optional<double>> score(std::span<const reward::Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const reward::Sample& sample : samples) {
      const double id = static_cast<double>(sample.completion_ids[0]);
      // One that keeps state says how many it has seen.
      if (alone_) {
        out.push_back(id > 4 ? std::nullopt : std::optional<double>(id));
      } else {
        out.push_back(id + 100 * static_cast<double>(seen));
      }
      ++seen;
    }
    return out;
  }
  size_t seen = 0;

 private:
  bool alone_;
  std::string name_ = "counting";
};

TEST(SharedRewards, AreThoseOfOneRankAndEachAnswerIsJudgedOnce) {
  const std::vector<int32_t> ids = {0, 1, 2, 3, 4, 5, 6};
  std::vector<reward::Sample> samples(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) samples[i].completion_ids = std::span(ids).subspan(i, 1);
  for (const bool alone : {true, false}) {
    reward::Functions of_one;
    of_one.push_back(std::make_unique<Counting>(alone));
    const auto wanted = reward::score_all(of_one, samples);
    std::atomic<size_t> seen{0};
    const auto errors = on_ranks(3, [&](Communicator& ranks) {
      reward::Functions functions;
      functions.push_back(std::make_unique<Counting>(alone));
      EXPECT_TRUE(score_shared(ranks, functions, samples, deal(samples.size(), 3)) == wanted);
      const size_t here = static_cast<Counting&>(*functions[0]).seen;
      if (!alone && !ranks.leads()) {
        EXPECT_EQ(here, 0u);
      }
      seen += here;
    });
    EXPECT_EQ(errors, std::vector<std::string>(3));
    EXPECT_EQ(seen, samples.size());
  }
}

}  // namespace
}  // namespace hone::train
