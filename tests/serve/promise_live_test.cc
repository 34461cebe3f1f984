// The promise under load (docs/numerics.md): the same request gets the same answer alone and among 32
// others, with a cold and a warm prefix cache, streamed or whole, with one thread and with two, before
// and after a restart or a kill, with adapters among its neighbours, and with so few pages that
// answers are put aside and read again. Its log-probabilities are those of `hone score`, bit for bit.
// HONE_TEST_LONG: ten times as many requests.
#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "tests/serve/live_server.h"
#include "tests/serve/traffic.h"

namespace hone::serving {
namespace {

constexpr size_t kClients = 32;

struct Sent {
  Ask ask;
  Answer alone;
};

class PromiseLive : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && real_model().empty()) GTEST_SKIP() << "HONE_MODEL names no model";
    if (GetParam()) {
      model_ = real_model();
    } else {
      model_ = folder_.path() + "/tiny";
      write_tiny_model(model_);
    }
    write_adapters(model_, folder_.path(), {{"north", 4}, {"south", 16}});
  }

  Words words(size_t threads, size_t parallel, size_t context) const {
    return {"--threads",
            std::to_string(threads),
            "--parallel",
            std::to_string(parallel),
            "--context-tokens",
            std::to_string(context),
            "--adapter",
            "north=" + folder_.path() + "/north,south=" + folder_.path() + "/south"};
  }

  void make_requests(const LiveServer& server) {
    const std::string base = Json::parse(server.ask("GET", "/v1/models").body)
                                 .value()
                                 .at("data")
                                 .as_array()[0]
                                 .at("id")
                                 .as_string();
    Traffic traffic(11, base, {"north", "south"});
    const size_t count = (GetParam() ? 12 : 120) * (is_long() ? 10 : 1);
    for (size_t i = 0; i < count; ++i) sent_.push_back({traffic.next(), {}});
  }

  void expect_same(const Sent& sent, const Answer& answer, const char* when, bool streamed) {
    if (answer.same(sent.alone)) return;
    ++differ_;
    if (differ_ > 3) return;
    ADD_FAILURE() << when << (streamed ? ", streamed" : ", whole") << ": " << sent.ask.body.dump()
                  << "\nalone:\n"
                  << sent.alone.to_text() << "\nnow:\n"
                  << answer.to_text();
  }

  // One after the other, nothing else running. The first time tells what is right.
  void one_by_one(const LiveServer& server, const char* when, bool streamed) {
    http::HttpClient client(server.client_options());
    for (Sent& sent : sent_) {
      const bool stream = streamed && sent.ask.may_stream;
      const Answer answer = send(client, sent.ask, stream);
      if (sent.alone.choices.empty()) {
        sent.alone = answer;
      } else {
        expect_same(sent, answer, when, stream);
      }
    }
  }

  // Everything at once from 32 clients, in a random order, some of them gone in the middle.
  void all_at_once(const LiveServer& server, const char* when, uint64_t seed) {
    std::vector<size_t> order(sent_.size());
    Rng rng(seed, rng_stream("live-order"));
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    std::atomic<size_t> next{0};
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (size_t c = 0; c < kClients; ++c) {
      threads.emplace_back([&, c] {
        Rng own(seed, rng_stream("live-client", c));
        http::HttpClient client(server.client_options());
        for (size_t at = next++; at < order.size(); at = next++) {
          const Sent& sent = sent_[order[at]];
          const bool stream = sent.ask.may_stream && own.uniform() < 0.5;
          try {
            if (own.uniform() < 0.15) leave_in_the_middle(server, sent.ask);
            const Answer answer = send(client, sent.ask, stream);
            const std::lock_guard lock(mutex);
            expect_same(sent, answer, when, stream);
          } catch (const std::exception& error) {
            const std::lock_guard lock(mutex);
            ADD_FAILURE() << when << ": " << error.what();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // A neighbour that reads the first bytes of the same answer and hangs up.
  static void leave_in_the_middle(const LiveServer& server, const Ask& ask) {
    Json body = ask.body;
    body["stream"] = ask.may_stream;
    const std::string text = body.dump();
    http::testing::RawSocket socket(server.port());
    socket.send("POST " + ask.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " +
                std::to_string(text.size()) + "\r\n\r\n" + text);
    if (ask.may_stream) socket.read_until("data: ");
    socket.close();
  }

  // Every number that was served, against `hone score` of the same ids.
  void compare_with_score() {
    struct Row {
      const Choice* choice;
      const std::vector<int64_t>* prompt;
      const Ask* ask;
    };
    std::map<std::string, std::vector<Row>> by_model;
    for (const Sent& sent : sent_) {
      if (!sent.ask.has_numbers) continue;
      for (const auto& [index, choice] : sent.alone.choices) {
        const bool is_chat = choice.prompt_ids.empty();
        by_model[sent.ask.model].push_back(
            {&choice, is_chat ? &sent.alone.prompt_ids : &choice.prompt_ids, &sent.ask});
      }
    }
    size_t compared = 0;
    for (const auto& [name, rows] : by_model) {
      std::string text;
      for (const Row& row : rows) {
        Json ids = Json::array();
        for (int64_t id : *row.prompt) ids.push_back(id);
        for (int64_t id : row.choice->ids) ids.push_back(id);
        text += "{\"input_ids\":" + ids.dump() + "}\n";
      }
      const std::string data = folder_.path() + "/" + name + ".jsonl";
      write_file_atomically(real_env(), data, text);
      Words words = {"score", "--model", model_, "--data", data, "--quiet"};
      if (name != "base") words.insert(words.end(), {"--adapter", folder_.path() + "/" + name});
      std::istringstream lines(run_program(words, folder_.path() + "/scores"));
      std::string line;
      for (const Row& row : rows) {
        ASSERT_TRUE(std::getline(lines, line));
        compared +=
            compare_row(*row.choice, row.prompt->size(), *row.ask, Json::parse(line).value());
      }
    }
    std::printf("%zu log-probabilities are those of hone score\n", compared);
    EXPECT_GT(compared, sent_.size());
  }

  static size_t compare_row(const Choice& choice, size_t prompt, const Ask& ask,
                            const Json& scored) {
    const auto& expected = scored.at("logprobs").as_array();
    const size_t first = ask.has_echo ? 0 : prompt;
    EXPECT_EQ(choice.log_probs.size(), expected.size() - first) << ask.body.dump();
    size_t compared = 0;
    for (size_t i = 0; i < choice.log_probs.size() && first + i < expected.size(); ++i) {
      const Json& other = expected[first + i];
      if (!choice.log_probs[i] || other.is_null()) {
        EXPECT_EQ(!choice.log_probs[i], other.is_null()) << ask.body.dump();
        continue;
      }
      const auto served = static_cast<float>(*choice.log_probs[i]);
      const auto score = static_cast<float>(other.as_double());
      EXPECT_EQ(std::memcmp(&served, &score, sizeof served), 0)
          << served << " " << score << " at " << i << " of " << ask.body.dump();
      ++compared;
    }
    return compared;
  }

  llm::testing::TemporaryFolder folder_{"promise_live." + std::to_string(getpid())};
  std::string model_;
  std::vector<Sent> sent_;
  size_t differ_ = 0;
};

TEST_P(PromiseLive, TheSameRequestGetsTheSameBytesWhateverElseGoesOn) {
  LiveServer server(folder_.path(), model_, words(1, 32, 16384));
  make_requests(server);
  one_by_one(server, "alone, cold", false);
  EXPECT_LT(server.metric("hone_serve_cached_tokens_total"),
            server.metric("hone_serve_prompt_tokens_total"));
  all_at_once(server, "among 32, warm, one thread", 1);
  EXPECT_GT(server.metric("hone_serve_cached_tokens_total"), 0);
  // Of the few requests to the demo model it may be that none is still running when it is left.
  if (!GetParam()) {
    EXPECT_GT(server.metric("hone_serve_cancelled_total"), 0);
  }

  server.restart(words(2, 32, 16384));
  all_at_once(server, "among 32, cold, two threads, after a restart", 2);
  one_by_one(server, "alone, warm, two threads", true);

  // So few pages and places that samples are put aside and read again.
  server.restart(words(2, 12, GetParam() ? 1024 : 2048), SIGKILL);
  all_at_once(server, "among 32, pages for a few, after a kill", 3);
  if (!GetParam()) {
    EXPECT_GT(server.metric("hone_serve_put_aside_total"), 0);
  }
  EXPECT_EQ(differ_, 0u);
  compare_with_score();
}

INSTANTIATE_TEST_SUITE_P(Models, PromiseLive, testing::Bool(),
                         [](const auto& it) { return it.param ? "TheDemoModel" : "ATinyModel"; });

}  // namespace
}  // namespace hone::serving
