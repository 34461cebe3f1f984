// Quotas and allowed models of keys, over real connections: refused in OpenAI's words, exact whatever
// runs side by side.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "openai/testing.h"
#include "store/testing.h"
#include "usage/report.h"

namespace hone::openai::testing {
namespace {

class LedgerHolder {
 protected:
  LedgerHolder() : database_(store::open_test_database(database_folder_)) {
    database_->write(store::Durability::kProcess, [](store::Transaction& tx) {
      for (const char* name : {"0001_people", "0004_keys"}) {
        tx.run_script(real_env().read_file(
            "migrations/sqlite/control/" + std::string(name) + ".sql", 1 << 20));
      }
    });
    ledger_ = std::make_unique<usage::Ledger>(real_env(), *database_,
                                              usage::LedgerOptions{.flush_ms = 0});
  }
  std::vector<usage::UsageRow> used() {
    ledger_->flush();
    usage::UsageFilter filter;
    filter.organisation = "one";
    filter.last_day = INT64_MAX;
    return database_->read([&](store::Connection& db) { return usage::usage_rows(db, filter); });
  }

  store::TestFolder database_folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<usage::Ledger> ledger_;
};

class QuotaTest : protected LedgerHolder, public ServiceTest {
 protected:
  QuotaTest()
      : ServiceTest({.threads = 1,
                     .max_running = 8,
                     .context_tokens = 4096,
                     .rows_per_pass = 64,
                     .max_lora_rank = 8},
                    512, {}, ledger_.get()) {}
  // Ten tokens of prompt, and what is asked for.
  static std::string completion(int max_tokens, const std::string& more = "") {
    return R"({"model":"tiny","prompt":[1,2,3,4,5,6,7,8,9,10],"ignore_eos":true,"max_tokens":)" +
           std::to_string(max_tokens) + more + "}";
  }
};

TEST_F(QuotaTest, AUsedUpQuotaIsOpenAIsInsufficientQuotaWithRetryAfter) {
  const std::string key = "limited/2//";
  EXPECT_EQ(post("/v1/completions", completion(1), key).status, 200);
  EXPECT_EQ(post("/v1/completions", completion(1), key).status, 200);
  const Refusal refused = refusal("/v1/completions", completion(1), key);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.type, "insufficient_quota");
  EXPECT_EQ(refused.code, "insufficient_quota");
  const auto response = post("/v1/completions", completion(1), key);
  const int wait_s = std::stoi(std::string(response.headers.get("Retry-After")));
  EXPECT_GE(wait_s, 1);
  EXPECT_LE(wait_s, 86'400);
  EXPECT_EQ(post("/v1/completions", completion(1), "limited/1//").status, 200)
      << "another key has its own";
  ASSERT_EQ(used().size(), 2u);
}

TEST_F(QuotaTest, TokensAreReservedForTheLongestAnswerAndChargedForTheRealOne) {
  const std::string key = "limited//100/";
  const Refusal refused = refusal("/v1/completions", completion(91), key);
  EXPECT_EQ(refused.code, "insufficient_quota");
  EXPECT_NE(refused.message.find("101"), std::string::npos) << refused.message;
  EXPECT_EQ(post("/v1/completions", completion(40), key).status, 200);  // 50 used
  EXPECT_EQ(refusal("/v1/completions", completion(41), key).status, 429);
  EXPECT_EQ(post("/v1/completions", completion(40), key).status, 200);  // 100 used
  EXPECT_EQ(refusal("/v1/completions", completion(1), key).status, 429);
  ASSERT_EQ(used().size(), 1u);
  EXPECT_EQ(used()[0].requests, 2);
  EXPECT_EQ(used()[0].tokens(), 100);
  EXPECT_EQ(used()[0].completion_tokens, 80);
}

TEST_F(QuotaTest, AnAnswerThatStopsEarlyGivesBackWhatItDidNotTake) {
  const std::string key = "limited//100/";
  // Stops at its first token: whatever it is, its bias makes it this one.
  const std::string stops = R"({"model":"tiny","prompt":[1,2,3,4,5,6,7,8,9,10],"max_tokens":90,)"
                            R"("logit_bias":{"65":100},"stop_token_ids":[65]})";
  EXPECT_EQ(post("/v1/completions", stops, key).status, 200);
  const int64_t took = used()[0].tokens();
  EXPECT_LT(took, 20);
  EXPECT_EQ(post("/v1/completions", completion(static_cast<int>(90 - took)), key).status, 200);
}

TEST_F(QuotaTest, ThirtyTwoAtOnceGetExactlyWhatTheQuotaHas) {
  const std::string key = "limited/20/5000/";
  std::atomic<int> answered{0}, refused{0}, other{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&, i] {
      const bool is_stream = i % 2 == 0;
      const int status =
          post("/v1/completions", completion(5, is_stream ? R"(,"stream":true)" : ""), key).status;
      ++(status == 200 ? answered : status == 429 ? refused : other);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(refused, 12);
  EXPECT_EQ(other, 0);
  EXPECT_TRUE(
      http::testing::eventually([&] { return used().size() == 1 && used()[0].requests == 20; }));
  EXPECT_EQ(used()[0].tokens(), 20 * 15);
}

TEST_F(QuotaTest, ThirtyTwoAtOnceNeverPassTheQuotaOfTokens) {
  const std::string key = "limited//150/";  // ten requests of 15
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back(
        [&] { answered += post("/v1/completions", completion(5), key).status == 200 ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 10) << "each took all that it reserved";
  EXPECT_EQ(used()[0].tokens(), 150);
}

TEST_F(QuotaTest, WhatIsRefusedBeforeItRunsCountsAsNothing) {
  const std::string key = "limited/1//";
  EXPECT_EQ(post("/v1/completions", completion(1, R"(,"temperature":9)"), key).status, 400);
  EXPECT_EQ(post("/v1/completions", completion(5000), key).status, 400);
  EXPECT_EQ(post("/v1/completions", completion(1), key).status, 200);
  EXPECT_EQ(post("/v1/completions", completion(1), key).status, 429);
  EXPECT_EQ(post("/tokenize", R"({"content":"hello"})", key).status, 200)
      << "what asks no model is not counted";
}

TEST_F(QuotaTest, AKeyForSomeModelsSeesAndAsksThoseAlone) {
  const Refusal refused = refusal("/v1/completions", completion(1), "limited///other");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.type, "permission_error");
  EXPECT_EQ(refused.code, "model_not_allowed");
  EXPECT_EQ(refused.param, "model");
  EXPECT_EQ(refusal("/v1/embeddings", R"({"model":"tiny","input":"a"})", "limited///other").status,
            403);
  EXPECT_EQ(refusal("/v1/models/tiny", "", "limited///other", "GET").status, 403);
  const auto listed = ask("GET", "/v1/models", "", "limited///other");
  EXPECT_EQ(Json::parse(listed.body).value().at("data").size(), 0u);
  EXPECT_EQ(post("/v1/completions", completion(1), "limited///tiny").status, 200);
  EXPECT_EQ(
      Json::parse(ask("GET", "/v1/models", "", "limited///tiny").body).value().at("data").size(),
      1u);
}

TEST_F(QuotaTest, EmbeddingsCountTheirPrompts) {
  EXPECT_EQ(post("/v1/embeddings", R"({"model":"tiny","input":[[1,2,3],[4,5]]})", "limited/5/100/")
                .status,
            200);
  ASSERT_EQ(used().size(), 1u);
  EXPECT_EQ(used()[0].prompt_tokens, 5);
  EXPECT_EQ(used()[0].completion_tokens, 0);
}

}  // namespace
}  // namespace hone::openai::testing
