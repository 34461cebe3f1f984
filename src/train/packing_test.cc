#include "train/packing.h"

#include <gtest/gtest.h>

#include <set>

#include "train/testing.h"

namespace hone::train {
namespace {

// tests/golden/train/README.md
TEST(Packing, TheBinsAreTrls) {
  const Json golden = llm::testing::read_json("tests/golden/train/packing.json");
  for (const Json& one : golden.at("cases").as_array()) {
    std::vector<size_t> lengths;
    for (int32_t length : llm::testing::ints_of(one.at("lengths"))) {
      lengths.push_back(static_cast<size_t>(length));
    }
    const auto capacity = static_cast<size_t>(one.at("capacity").as_int());
    const auto bins = pack_best_fit_decreasing(lengths, capacity);
    std::vector<std::vector<size_t>> wanted;
    for (const Json& bin : one.at("bins").as_array()) {
      wanted.emplace_back();
      for (int32_t row : llm::testing::ints_of(bin)) {
        wanted.back().push_back(static_cast<size_t>(row));
      }
    }
    EXPECT_EQ(bins, wanted) << capacity;
    std::multiset<size_t> seen;
    for (const auto& bin : bins) {
      size_t sum = 0;
      for (size_t row : bin) {
        seen.insert(row);
        sum += lengths[row];
      }
      EXPECT_LE(sum, capacity);
    }
    EXPECT_EQ(seen.size(), lengths.size());
  }
}

TEST(Packing, ARowThatFitsNoSequenceIsRefused) {
  const size_t lengths[] = {3, 9};
  EXPECT_NE(llm::testing::refusal([&] { pack_best_fit_decreasing(lengths, 8); }).find("9 tokens"),
            std::string::npos);
}

// A batch of two sequences holds the rows of two bins; loss and gradient are those of these rows.
TEST(Packing, AStepTakesWholeSequences) {
  tensor::Compute compute(1);
  std::vector<llm::SftTokens> rows;
  for (size_t length : {5u, 3u, 8u, 2u, 6u}) {
    rows.push_back(testing::sft_row(std::vector<int32_t>(length, static_cast<int32_t>(length))));
  }
  SftConfig config;
  config.packing = true;
  config.max_length = 8;
  EXPECT_EQ(sft_units(config, rows), (std::vector<std::vector<size_t>>{{2}, {4, 3}, {0, 1}}));
  config.per_device_train_batch_size = 2;
  config.max_steps = 2;
  config.train_sampling_strategy = SamplingStrategy::kSequential;
  config.logging_steps = 1;
  const auto metrics = [&](const SftConfig& with, std::vector<llm::SftTokens> data) {
    llm::Model model = llm::testing::random_model({});
    llm::testing::TemporaryFolder folder("packing");
    TrainJob job{compute, real_env(), model, folder.path() + "/run"};
    train_sft(job, with, data, {});
    return testing::lines_of(real_env(), job.output + "/metrics.jsonl");
  };
  const std::vector<Json> packed = metrics(config, rows);
  EXPECT_EQ(packed[0].at("num_tokens").as_int(), 16);
  EXPECT_EQ(packed[1].at("num_tokens").as_int(), 24);
  EXPECT_EQ(packed[1].at("epoch").as_double(), 1);
  SftConfig plain = config;
  plain.packing = false;
  plain.per_device_train_batch_size = 3;
  const std::vector<Json> same = metrics(plain, {rows[2], rows[4], rows[3], rows[0], rows[1]});
  EXPECT_EQ(packed[0].at("loss").as_double(), same[0].at("loss").as_double());
  EXPECT_EQ(packed[0].at("grad_norm").as_double(), same[0].at("grad_norm").as_double());
}

}  // namespace
}  // namespace hone::train
