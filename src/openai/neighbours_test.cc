// Requests beside each other: nobody changes another's answer, and whoever leaves, is slow or comes
// too late costs nobody else anything.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "openai/testing.h"

namespace hone::openai::testing {
namespace {

using http::testing::eventually;

TEST_F(ServiceTest, ManyAtOnceGetWhatEachGetsAlone) {
  constexpr int kMany = 32;
  const auto body_of = [](int i) {
    return R"({"model":"tiny","prompt":"he told them )" + std::to_string(i * 7919) +
           R"(","max_tokens":20,"temperature":1,"seed":)" + std::to_string(i) + R"(,"logprobs":1})";
  };
  const auto choices = [&](int i) {
    return answer("/v1/completions", body_of(i)).at("choices").dump();
  };
  std::vector<std::string> alone, together(kMany);
  for (int i = 0; i < kMany; ++i) alone.push_back(choices(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < kMany; ++i) {
    threads.emplace_back([&, i] { together[static_cast<size_t>(i)] = choices(i); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kMany; ++i)
    EXPECT_EQ(together[static_cast<size_t>(i)], alone[static_cast<size_t>(i)]);
}

TEST_F(ServiceTest, ACachedPrefixAndNeighboursOfAnotherAdapterChangeNoByte) {
  llm::save_lora(real_env(), folder_.path() + "/tone", llm::testing::random_adapter(model_, 4),
                 "tiny");
  answer("/v1/load_lora_adapter", R"({"lora_name":"tone"})");
  const std::string prompt(200, 'h');  // some pages
  const auto ask_for = [&](const std::string& model) {
    return answer("/v1/completions", "{\"model\":\"" + model + "\",\"prompt\":\"" + prompt +
                                         R"(","max_tokens":20,"seed":7,"echo":true,"logprobs":1})");
  };
  const Json base = ask_for("tiny"), tone = ask_for("tone");
  EXPECT_NE(base.at("choices"), tone.at("choices"));
  EXPECT_EQ(base.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int(), 0);
  std::vector<std::thread> threads;
  std::atomic<int> equal{0}, cached{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const Json again = ask_for(i % 2 == 0 ? "tiny" : "tone");
      if (again.at("choices") == (i % 2 == 0 ? base : tone).at("choices")) ++equal;
      if (again.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int() > 0) ++cached;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 16);
  EXPECT_GT(cached, 0);
  // Another organisation's prompt finds nothing of it.
  const Json other = answer("/v1/completions",
                            R"({"model":"tiny","max_tokens":1,"prompt":")" + prompt + "\"}", "two");
  EXPECT_EQ(other.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int(), 0);
}

TEST_F(ServiceTest, AClientThatLeavesCancelsItsRequest) {
  const std::string body = "{\"model\":\"tiny\"," + kMessages + ",\"n\":64,\"ignore_eos\":true";
  for (const std::string more : {"}", ",\"stream\":true}"}) {
    const uint64_t before = service_->engine().metrics().cancelled;
    {
      http::testing::RawSocket socket((*server_)->port());
      socket.send(chat_bytes(body + more));
      EXPECT_TRUE(eventually([&] { return service_->engine().metrics().running > 0; }));
      socket.close();
    }
    EXPECT_TRUE(eventually([&] { return service_->engine().metrics().cancelled > before; }));
    EXPECT_TRUE(eventually([&] {
      const serve::EngineMetrics now = service_->engine().metrics();
      return now.running == 0 && now.waiting == 0;
    }));
  }
}

TEST_F(ServiceTest, AClientThatReadsTooSlowlyIsDroppedAndNobodyElseNotices) {
  const std::string other =
      R"({"model":"tiny","prompt":"he","max_tokens":30,"temperature":1,"seed":1})";
  const std::string alone = answer("/v1/completions", other).at("choices").dump();
  http::testing::RawSocket socket((*server_)->port(), 4096);
  socket.send(chat_bytes("{\"model\":\"tiny\"," + kMessages +
                             R"(,"n":100,"ignore_eos":true,"stream":true,"logprobs":true,)"
                             R"("top_logprobs":20})",
                         "slow"));
  EXPECT_TRUE(eventually([&] { return service_->engine().metrics().running > 0; }));
  EXPECT_EQ(answer("/v1/completions", other).at("choices").dump(), alone);
  EXPECT_TRUE(eventually([&] { return service_->metrics().dropped.load() == 1; }));
  EXPECT_TRUE(eventually([&] { return service_->engine().metrics().running == 0; }));
  EXPECT_EQ(answer("/v1/completions", other).at("choices").dump(), alone);
}

class FullQueueTest : public ServiceTest {
 protected:
  FullQueueTest()
      : ServiceTest({.threads = 1,
                     .max_running = 1,
                     .context_tokens = 1024,
                     .rows_per_pass = 64,
                     .max_lora_rank = 8,
                     .max_waiting = 2,
                     .max_waiting_per_key = 2}) {}
};

TEST_F(FullQueueTest, AFullQueueIs429WithRetryAfter) {
  const std::string body = "{\"model\":\"tiny\"," + kMessages + ",\"n\":8,\"ignore_eos\":true}";
  std::atomic<int> busy{0}, good{0};
  std::atomic<bool> has_retry_after{true};
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      const auto response = post("/v1/chat/completions", body);
      if (response.status == 429) {
        ++busy;
        if (!response.headers.contains("Retry-After")) has_retry_after = false;
      } else if (response.status == 200) {
        ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(busy.load(), 0);
  EXPECT_GT(good.load(), 0);
  EXPECT_EQ(busy + good, 12);
  EXPECT_TRUE(has_retry_after.load());
}

TEST_F(FullQueueTest, AListOfPromptsThatDoesNotFitTheQueueLeavesNothingBehind) {
  EXPECT_EQ(
      refusal("/v1/completions", R"({"model":"tiny","prompt":["a","b","c","d","e","f","g","h"],)"
                                 R"("max_tokens":200,"ignore_eos":true})")
          .status,
      429);
  EXPECT_TRUE(eventually([&] {
    const serve::EngineMetrics now = service_->engine().metrics();
    return now.running == 0 && now.waiting == 0;
  }));
}

TEST_F(ServiceTest, MetricsCountTokensAndTimes) {
  answer("/v1/completions", R"({"model":"tiny","prompt":"he","max_tokens":5,"ignore_eos":true})");
  // What was done is counted when it is done, which may be just after its answer is there.
  for (const char* line :
       {"hone_serve_generated_tokens_total 5\n", "hone_serve_time_to_first_token_seconds_count 1\n",
        "hone_serve_time_between_tokens_seconds_count 4\n", "hone_serve_answers_total 1\n"}) {
    EXPECT_TRUE(eventually([&] {
      return service_->metrics_text().find(line) != std::string::npos;
    })) << line
        << service_->metrics_text();
  }
}

}  // namespace
}  // namespace hone::openai::testing
