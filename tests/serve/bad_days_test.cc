// Bad days of a server with a model: clients that break off, never read or ask for the impossible,
// files that vanish, pages that run out, kills. The right status and error each time, nobody else
// disturbed, no memory lost, nothing of one tenant for another.
// HONE_TEST_LONG: ten times as many requests for the memory, and how long tenants wait.
#include <atomic>
#include <filesystem>
#include <thread>

#include "api/platform.h"
#include "api/setup.h"
#include "tests/serve/live_server.h"
#include "tests/serve/traffic.h"

namespace hone::serving {
namespace {

using http::testing::eventually;
using http::testing::RawSocket;

std::string raw_request(const std::string& path, const std::string& body, size_t length) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" +
         body;
}
std::string raw_request(const std::string& path, const std::string& body) {
  return raw_request(path, body, body.size());
}

Json completion(const std::string& prompt, int max_tokens) {
  Json body = Json::object();
  body["model"] = "tiny";
  body["prompt"] = prompt;
  body["max_tokens"] = max_tokens;
  body["temperature"] = 0;
  body["ignore_eos"] = true;
  body["logprobs"] = 0;
  return body;
}

class BadDays : public testing::Test {
 protected:
  void SetUp() override {
    model_ = folder_.path() + "/tiny";
    write_tiny_model(model_);
  }
  std::unique_ptr<LiveServer> serve(Words more, const std::string& model = "") {
    more.insert(more.end(), {"--threads", "2"});
    auto server =
        std::make_unique<LiveServer>(folder_.path(), model.empty() ? model_ : model, more);
    usual_ = said(*server);
    return server;
  }
  static std::string said(const LiveServer& server) {
    Json answer = server.answer("/v1/completions", completion("the usual question", 12));
    return answer.at("choices").dump();
  }
  // It answers, and as it did before.
  void expect_as_ever(const LiveServer& server) { EXPECT_EQ(said(server), usual_); }

  static void expect_refused(const LiveServer& server, const std::string& path,
                             const std::string& body, int status, const std::string& word) {
    const http::ClientResponse response = server.ask("POST", path, body);
    EXPECT_EQ(response.status, status) << response.body.substr(0, 500);
    const Result<Json> json = Json::parse(response.body);
    ASSERT_TRUE(json && json->find("error") != nullptr) << response.body.substr(0, 500);
    const std::string message = json->at("error").at("message").as_string();
    EXPECT_NE(message.find(word), std::string::npos) << message.substr(0, 500);
    EXPECT_LT(message.size(), 2000u);
  }

  llm::testing::TemporaryFolder folder_{"bad_days." + std::to_string(getpid())};
  std::string model_, usual_;
};

TEST_F(BadDays, BodiesThatEndHalfWayDisturbNobody) {
  const auto server = serve({});
  const std::string body = completion("hello", 4).dump();
  for (size_t cut : {size_t{0}, size_t{1}, body.size() / 2, body.size() - 1}) {
    RawSocket gone(server->port());
    gone.send(raw_request("/v1/completions", body.substr(0, cut), body.size()));
    gone.close();
    RawSocket half(server->port());
    half.send(raw_request("/v1/completions", body.substr(0, cut), body.size()));
    half.finish_writing();
    const std::string answer = half.read_all();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 400")) << answer.substr(0, 200);
  }
  // Whole by its length, and no JSON.
  expect_refused(*server, "/v1/completions", body.substr(0, body.size() / 2), 400, "JSON");
  expect_as_ever(*server);
}

TEST_F(BadDays, WhoHangsUpGivesTheirPlaceToTheNextAtOnce) {
  const auto server = serve({"--parallel", "1"});
  Json endless = completion("once", 1900);
  endless["n"] = 128;  // one after the other where places are few: nobody is done soon
  endless["stream"] = true;
  RawSocket first(server->port());
  first.send(raw_request("/v1/completions", endless.dump()));
  first.read_until("data: ");
  first.close();
  // There is one place: this is answered because the stream's was given up before its end.
  expect_as_ever(*server);
  EXPECT_TRUE(eventually([&] { return server->metric("hone_serve_cancelled_total") == 1; }));
  EXPECT_LT(server->metric("hone_serve_generated_tokens_total"), 128 * 1900);
  // The same of one that waits for its turn, and of a whole answer.
  endless["stream"] = false;
  RawSocket second(server->port()), third(server->port());
  second.send(raw_request("/v1/completions", endless.dump()));
  EXPECT_TRUE(eventually([&] { return server->metric("hone_serve_running") == 1; }));
  third.send(raw_request("/v1/completions", endless.dump()));
  EXPECT_TRUE(eventually([&] { return server->metric("hone_serve_waiting") == 1; }));
  third.close();
  second.close();
  expect_as_ever(*server);
  EXPECT_TRUE(eventually([&] { return server->metric("hone_serve_cancelled_total") == 3; }));
}

TEST_F(BadDays, AClientThatStopsReadingLosesItsAnswerAndHoldsUpNobody) {
  const auto server = serve({"--parallel", "16"});
  Json loud = completion("loud", 1800);
  loud["n"] = 16;
  loud["logprobs"] = 5;
  loud["stream"] = true;
  const double before = server->resident();
  RawSocket deaf(server->port(), 4096);
  deaf.send(raw_request("/v1/completions", loud.dump()));
  for (int i = 0; i < 5; ++i) expect_as_ever(*server);
  EXPECT_TRUE(eventually([&] { return server->metric("hone_serve_cancelled_total") == 1; }));
  EXPECT_LT(server->metric("hone_serve_generated_tokens_total"), 16 * 1800);
  EXPECT_LT(server->resident() - before, 64e6);
  expect_as_ever(*server);
}

TEST_F(BadDays, WhatCannotBeKeptIsRefusedInOneSentence) {
  const auto server = serve({});
  const std::string path = "/v1/completions";
  Json body = completion("x", 4);
  for (int i = 0; i < 10'000; ++i) body["stop"].push_back("stop " + std::to_string(i));
  expect_refused(*server, path, body.dump(), 400, "stop");

  body = completion("x", 4);
  body["ignore_eos"] = false;  // a constraint says itself where an answer ends
  Json many = Json::object();
  many["type"] = "string";
  many["pattern"] = "((((a{1,900}){1,900}){1,900}){1,900})";
  body["response_format"]["type"] = "json_schema";
  body["response_format"]["json_schema"]["name"] = "s";
  body["response_format"]["json_schema"]["schema"] = many;
  // Counted repetitions are counted, not written out; and a pattern may be found anywhere in a text.
  EXPECT_EQ(server->ask("POST", path, body.dump()).status, 200);
  Json& schema = body["response_format"]["json_schema"]["schema"];
  schema = Json::object();
  schema["$ref"] = "#/$defs/a";
  schema["$defs"]["a"]["$ref"] = "#/$defs/a";
  expect_refused(*server, path, body.dump(), 400, "$");
  schema = Json::object();
  for (int i = 0; i < 200'000; ++i) schema["enum"].push_back(i);
  const int status = server->ask("POST", path, body.dump()).status;
  EXPECT_TRUE(status == 400 || status == 200) << status;

  std::string deep(5'000, '[');
  expect_refused(*server, path, deep + std::string(5'000, ']'), 400, "deep");
  body = completion("x", 4);
  body["ignore_eos"] = false;
  body["grammar"] = "root ::= root \"a\"";
  expect_refused(*server, path, body.dump(), 400, "root");
  // Catastrophic in a back-tracking engine; here it is a grammar like any other.
  body["grammar"] = "root ::= (([a-c]+)+)+ \"z\"";
  EXPECT_EQ(server->ask("POST", path, body.dump()).status, 200);

  body = completion(std::string(40'000, 'x'), 4);
  expect_refused(*server, path, body.dump(), 400, "2048");
  expect_refused(*server, path, std::string(17u << 20, ' '), 413, "16");
  expect_as_ever(*server);
}

TEST_F(BadDays, AnswersStayTheSameWhenTheModelsFilesAreRemovedOrReplaced) {
  const std::string copy = folder_.path() + "/copies/tiny";
  std::filesystem::create_directories(folder_.path() + "/copies");
  std::filesystem::copy(model_, copy);
  const auto server = serve({}, copy);
  for (const auto& entry : std::filesystem::directory_iterator(copy)) {
    std::filesystem::resize_file(entry.path(), 10);  // in place, as a clumsy copy does
  }
  expect_as_ever(*server);
  std::filesystem::remove_all(copy);
  expect_as_ever(*server);
  write_tiny_model(copy, 2048, 8);  // another model under the same name
  expect_as_ever(*server);
  const http::ClientResponse tokens = server->ask("POST", "/tokenize", R"({"content":"hello"})");
  EXPECT_EQ(tokens.status, 200) << tokens.body;
}

TEST_F(BadDays, SixtyFourLongConversationsWithPagesForThreeGetTheSameAnswersInTurn) {
  const auto server = serve({"--context-tokens", "4096", "--parallel", "16"});
  constexpr int kConversations = 64;
  const auto body = [](int i) {
    Json one = completion("Conversation " + std::to_string(i) + std::string(500 + 7 * i, 'a'), 120);
    one["n"] = 1 + i % 3;
    one["temperature"] = 0.8;
    one["seed"] = i;
    return one;
  };
  std::vector<std::string> together(kConversations);
  std::vector<std::thread> threads;
  for (int i = 0; i < kConversations; ++i) {
    threads.emplace_back([&, i] {
      const Json answer = server->answer("/v1/completions", body(i));
      together[static_cast<size_t>(i)] = answer.at("choices").dump();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(server->metric("hone_serve_put_aside_total"), 0);
  for (int i = 0; i < kConversations; i += 9) {
    EXPECT_EQ(server->answer("/v1/completions", body(i)).at("choices").dump(),
              together[static_cast<size_t>(i)])
        << i;
  }
  EXPECT_TRUE(eventually([&] {
    return server->metric("hone_serve_free_pages") + server->metric("hone_serve_cached_pages") ==
           64;
  }));
  expect_as_ever(*server);
}

TEST_F(BadDays, AKilledServerStartsAgainAndAnswersAsBefore) {
  const auto server = serve({});
  Json endless = completion("once", 1900);
  endless["n"] = 128;  // one after the other where places are few: nobody is done soon
  endless["stream"] = true;
  std::vector<std::unique_ptr<RawSocket>> streams;
  for (int i = 0; i < 8; ++i) {
    streams.push_back(std::make_unique<RawSocket>(server->port()));
    streams.back()->send(raw_request("/v1/completions", endless.dump()));
    streams.back()->read_until("data: ");
  }
  for (int i = 0; i < 3; ++i) {
    server->restart({"--threads", "2"}, SIGKILL);
    expect_as_ever(*server);
  }
  const std::string cut = streams[0]->read_all();
  EXPECT_EQ(cut.find("[DONE]"), std::string::npos);  // nobody can take it for a whole answer
}

TEST_F(BadDays, AnAdapterOfAnotherModelOrOfNoFileIsRefusedAndTheNextOneWorks) {
  const std::string shelf = folder_.path() + "/shelf";
  write_adapters(model_, shelf, {{"right", 4}});
  llm::testing::TinyShape shape = openai::testing::tiny_shape(512);
  shape.hidden = 48;
  shape.heads = 6;
  const llm::Model other = llm::testing::random_model(shape);
  llm::save_lora(real_env(), shelf + "/wrong", llm::testing::random_adapter(other, 4), "other");
  std::filesystem::copy(shelf + "/right", shelf + "/torn");
  std::filesystem::resize_file(shelf + "/torn/adapter_model.safetensors", 100);
  real_env().create_directories(shelf + "/empty");
  const auto server = serve({"--adapter-folder", shelf});
  for (const char* name : {"wrong", "torn", "empty"}) {
    expect_refused(*server, "/v1/load_lora_adapter",
                   std::string(R"({"lora_name":")") + name + R"("})",
                   std::string(name) == "empty" ? 404 : 400, name);
  }
  for (const char* path : {"../tiny", "/etc", ".", "right/.."}) {
    expect_refused(*server, "/v1/load_lora_adapter",
                   std::string(R"({"lora_name":"x","lora_path":")") + path + R"("})", 400,
                   "lora_path");
  }
  EXPECT_EQ(server->ask("POST", "/v1/load_lora_adapter", R"({"lora_name":"right"})").status, 200);
  Json body = completion("the usual question", 12);
  body["model"] = "right";
  EXPECT_NE(server->answer("/v1/completions", body).at("choices").dump(), usual_);
  expect_as_ever(*server);
}

TEST_F(BadDays, ThePlanCountsTheAdaptersAndSaysWhatStays) {
  write_adapters(model_, folder_.path(), {{"one", 64}});
  const auto plan = [&](Words more) {
    const Words words = {"serve", "--model", model_,   "--no-auth",  "--threads",
                         "2",     "--json",  "--plan", "--data-dir", folder_.path() + "/data"};
    more.insert(more.begin(), words.begin(), words.end());
    return Json::parse(run_program(more, folder_.path() + "/plan")).value();
  };
  const Json without = plan({}), with = plan({"--adapter", "one=" + folder_.path() + "/one"});
  EXPECT_EQ(without.at("parts").find("adapters"), nullptr);
  EXPECT_GT(with.at("parts").at("adapters").as_int(), 100'000);
  const int64_t peak = without.at("peak_bytes").as_int();
  EXPECT_LT(without.at("lasting_bytes").as_int(), peak);
  const Json all = plan({"--kept-tokens", "16384"});
  EXPECT_EQ(all.find("lasting_bytes"), nullptr);  // nothing goes, so there is one sum
}

TEST_F(BadDays, AFullDiskUnderTheLogStopsNoAnswer) {
  if (!real_env().exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const auto server = serve({"--log", "/dev/full"});
  for (int i = 0; i < 20; ++i) expect_as_ever(*server);
}

TEST_F(BadDays, TenThousandRequestsLeaveNoMemoryBehind) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitiser's own memory would be measured";
#endif
  write_adapters(model_, folder_.path(), {{"north", 4}});
  const auto server =
      serve({"--context-tokens", "8192", "--adapter", "north=" + folder_.path() + "/north"});
  const auto ask_many = [&](uint64_t seed, size_t count) {
    std::atomic<size_t> next{0}, wrong{0};
    std::vector<std::thread> threads;
    for (size_t c = 0; c < 8; ++c) {
      threads.emplace_back([&, c] {
        Traffic traffic(seed * 100 + c, "tiny", {"north"});
        http::HttpClient client(server->client_options());
        while (next++ < count) {
          Ask ask = traffic.next();
          if (ask.body.at("max_tokens").as_int() > 6) ask.body["max_tokens"] = 6;
          if (next % 10 == 0) ask.body["temperature"] = "hot";  // a tenth of them are refused
          ask.body["stream"] = ask.may_stream && next % 3 == 0;
          const int status = client.post(ask.path, ask.body.dump()).status;
          if (status != 200 && status != 400) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0u);
  };
  // Before: as many as answers are kept at most, to be judged (feedback/kept_completions.h), and
  // more than fill the prefix cache. What is full grows no more.
  const size_t count = is_long() ? 10'000 : 1'000;
  ask_many(1, is_long() ? 24'000 : 500);
  const double before = server->resident();
  ask_many(2, count);
  const double grown = server->resident() - before;
  std::printf("%zu requests: resident %.1f MB, %+.2f MB\n", count, before / 1e6, grown / 1e6);
  EXPECT_LT(grown, 5e6);
  expect_as_ever(*server);
}

// Two organisations with a key each.
class Tenants : public BadDays {
 protected:
  void SetUp() override {
    BadDays::SetUp();
    api::PlatformOptions options;
    options.data_dir = folder_.path() + "/data";
    options.version = "test";
    {
      const auto platform = api::Platform::open(real_env(), std::move(options));
      for (const char* name : {"Acme", "Beta"}) {
        api::add_organisation(*platform, {.name = name, .owner_name = "Ada"}, "system");
      }
    }
    for (const char* name : {"Acme", "Beta"}) {
      const Json made = Json::parse(run_program({"token", "create", "--user", "Ada", "--scope",
                                                 "infer", "--organisation", name, "--json",
                                                 "--data-dir", folder_.path() + "/data"},
                                                folder_.path() + "/token"))
                            .value();
      keys_.push_back(made.at("token").as_string());
    }
  }
  std::vector<std::string> keys_;
};

TEST_F(Tenants, PagesOfOneAreNeverFoundByAnother) {
  const LiveServer server(folder_.path(), model_, {"--threads", "2"}, false);
  EXPECT_EQ(server.ask("POST", "/v1/completions", completion("x", 1).dump()).status, 401);
  const auto cached = [&](const std::string& prompt, size_t who, const std::string& salt = "") {
    Json body = completion(prompt, 1);
    if (!salt.empty()) body["cache_salt"] = salt;
    const double rows = server.metric("hone_serve_rows_total");
    const Json answer = server.answer("/v1/completions", body, keys_[who]);
    const int64_t found =
        answer.at("usage").at("prompt_tokens_details").at("cached_tokens").as_int();
    // What was found was not computed, and all the rest was.
    const int64_t prompt_tokens = answer.at("usage").at("prompt_tokens").as_int();
    EXPECT_TRUE(eventually([&] {
      return server.metric("hone_serve_rows_total") - rows ==
             static_cast<double>(prompt_tokens - found);
    }));
    return found;
  };
  const std::string prompt = "A secret of Acme: " + std::string(300, 's');
  EXPECT_EQ(cached(prompt, 0), 0);
  EXPECT_EQ(cached(prompt, 1), 0);  // another organisation: nothing, though it was just read
  EXPECT_GT(cached(prompt, 0), 250);
  EXPECT_GT(cached(prompt, 1), 250);
  EXPECT_EQ(cached(prompt, 0, "salt"), 0);
  EXPECT_GT(cached(prompt, 0, "salt"), 250);
  EXPECT_EQ(cached(prompt, 1, "salt"), 0);  // the same salt of another organisation
}

// Nothing is asserted of time: the medians are for the page of results.
TEST_F(Tenants, WaitAsLongForWhatOthersHaveCachedAsForWhatNobodyHas) {
  if (!is_long()) GTEST_SKIP() << "a thousand probes run with HONE_TEST_LONG";
  const LiveServer server(folder_.path(), model_, {"--threads", "1"}, false);
  http::HttpClient client(server.client_options());
  const auto ask = [&](const std::string& prompt, size_t who) {
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/v1/completions";
    request.headers.set("Authorization", "Bearer " + keys_[who]);
    const std::string body = completion(prompt, 1).dump();
    request.body = body;
    const double begin = real_env().steady_seconds();
    EXPECT_EQ(client.request(request).status, 200);
    return real_env().steady_seconds() - begin;
  };
  std::vector<double> cold, others, own;
  for (int i = 0; i < 1000; ++i) {
    const std::string tail = std::to_string(i) + std::string(400, 'p');
    ask("other " + tail, 0);
    // In turn the one or the other first.
    for (const bool second : {i % 2 == 0, i % 2 != 0}) {
      second ? others.push_back(ask("other " + tail, 1)) : cold.push_back(ask("never " + tail, 1));
    }
    own.push_back(ask("other " + tail, 1));
  }
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  std::printf(
      "medians of 1,000: cold %.4f ms, cached by others %.4f ms (%+.2f %%), by oneself %.4f ms\n",
      1e3 * median(cold), 1e3 * median(others), 100 * (median(others) / median(cold) - 1),
      1e3 * median(own));
}

}  // namespace
}  // namespace hone::serving
