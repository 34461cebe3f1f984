#pragma once
// For tests: a tiny random model with words of its own behind a real engine and a real server.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "feedback/kept_completions.h"
#include "http/testing.h"
#include "llm/testing.h"
#include "llm/text_codec.h"
#include "llm/tokenizer/byte_alphabet.h"
#include "openai/errors.h"
#include "openai/routes.h"
#include "openai/service.h"

namespace hone::openai::testing {

// 256 bytes, a few merges, the two marks of ChatML; <|im_end|> ends an answer.
inline llm::TokenizerData tiny_tokenizer() {
  llm::TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) {
    data.pieces.push_back(llm::piece_of_bytes(std::string(1, static_cast<char>(byte))));
  }
  const auto merge = [&](char left, char right) {
    data.merges.push_back({left, right, static_cast<int32_t>(data.pieces.size())});
    data.pieces.push_back(llm::piece_of_bytes(std::string{left, right}));
  };
  merge('h', 'e');
  merge('l', 'l');
  merge('t', 'h');
  data.types.assign(data.pieces.size(), llm::TokenType::kNormal);
  for (const char* text : {"<|im_start|>", "<|im_end|>"}) {
    data.added_tokens.push_back(
        {.id = static_cast<int32_t>(data.pieces.size()), .text = text, .special = true});
    data.pieces.emplace_back(text);
    data.types.push_back(llm::TokenType::kControl);
  }
  data.eos = static_cast<int32_t>(data.pieces.size()) - 1;
  llm::complete_end_of_generation(data);
  return data;
}
inline constexpr std::string_view kTinyTemplate =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
inline llm::TextCodec tiny_codec() {
  return {llm::Tokenizer(tiny_tokenizer()),
          llm::ChatTemplate::parse(std::string(kTinyTemplate)).value()};
}
inline constexpr size_t kTinyVocab = 272;  // some rows stand for nothing
inline llm::testing::TinyShape tiny_shape(size_t context) {
  llm::testing::TinyShape shape;
  shape.vocab = kTinyVocab;
  shape.context = context;
  return shape;
}
inline constexpr int32_t kTinyEnd = 260;

inline const std::string kMessages = R"("messages":[{"role":"user","content":"hello there"}])";

// What the server sent as one event after the other; without the last, [DONE].
struct Events {
  int status = 0;
  std::vector<Json> chunks;
  bool done = false;

  // The pieces of one choice's text, put together.
  std::string text(int64_t index = 0) const {
    std::string out;
    for (const Json& chunk : chunks) {
      const Json* choices = chunk.find("choices");
      if (choices == nullptr) continue;
      for (const Json& choice : choices->as_array()) {
        if (choice.at("index").as_int() != index) continue;
        const Json* delta = choice.find("delta");
        const Json* piece = delta == nullptr ? choice.find("text") : delta->find("content");
        if (piece != nullptr) out += piece->as_string();
      }
    }
    return out;
  }
};

class ServiceTest : public ::testing::Test {
 protected:
  explicit ServiceTest(serve::EngineOptions engine = {.threads = 1,
                                                      .max_running = 8,
                                                      .context_tokens = 4096,
                                                      .rows_per_pass = 64,
                                                      .max_lora_rank = 8},
                       size_t context = 512, feedback::KeepOptions keep = {},
                       usage::Ledger* ledger = nullptr, uint64_t adapter_bytes_max = UINT64_MAX)
      : folder_("openai"),
        kept_(real_env(), keep, "secret"),
        model_(llm::testing::random_model(tiny_shape(context))),
        codec_(tiny_codec()) {
    ServiceOptions options;
    options.engine = engine;
    options.adapter_folder = folder_.path();
    options.adapter_bytes_max = adapter_bytes_max;
    options.variant = {.base_digest = std::string(64, 'b'),
                       .adapter_digest = {},
                       .tokenizer_digest = tokenizer_digest(codec_.tokenizer()),
                       .template_digest = std::string(64, 'c'),
                       .recipe = "test"};
    options.authorise = authorise;
    options.kept = &kept_;
    options.ledger = ledger;
    ServedModel base;
    base.name = "tiny";
    base.digest = options.variant.base_digest;
    base.fingerprint = variant_digest(options.variant);
    service_ = std::make_unique<Service>(real_env(), model_, codec_, std::move(base), options);
    http::Router router;
    add_routes(router, *service_);
    http::ServerOptions server;
    server.render_error = [](const http::ErrorInfo& error, const http::Request*) {
      return render_server_error(error);
    };
    server_ = std::make_unique<http::testing::RunningServer>(std::move(router), server);
  }
  ~ServiceTest() override {
    (*server_)->stop(1000);
    server_.reset();
    service_.reset();
  }

  // "Bearer ORGANISATION" is a key of that organisation; "-" in front: one that may not manage;
  // "limited/REQUESTS/TOKENS/MODEL": with a quota, for that model alone unless it is empty.
  static Caller authorise(const http::Request& request) {
    std::string_view key = request.headers.get("Authorization");
    if (!key.starts_with("Bearer ")) throw Error(ErrorCode::kUnauthenticated, "send a key");
    key.remove_prefix(7);
    const bool may_manage = !key.starts_with("-");
    if (!may_manage) key.remove_prefix(1);
    if (key.starts_with("limited/")) return limited(key);
    return {.key = std::string(key),
            .organisation = std::string(key),
            .weight = 1,
            .may_manage = may_manage};
  }

  static Caller limited(std::string_view key) {
    std::vector<std::string> parts;
    for (std::string_view rest = key;;) {
      const size_t slash = rest.find('/');
      parts.emplace_back(rest.substr(0, slash));
      if (slash == rest.npos) break;
      rest.remove_prefix(slash + 1);
    }
    Caller caller{.key = std::string(key), .organisation = "one"};
    if (!parts.at(1).empty()) caller.requests_per_day = std::stoll(parts.at(1));
    if (!parts.at(2).empty()) caller.tokens_per_day = std::stoll(parts.at(2));
    if (!parts.at(3).empty()) caller.models = {parts.at(3)};
    return caller;
  }

  http::ClientResponse ask(std::string_view method, std::string_view target, std::string_view body,
                           std::string_view key = "one") {
    http::HttpClient client((*server_).client_options());
    http::ClientRequest request;
    request.method = method;
    request.target = target;
    if (!key.empty()) request.headers.set("Authorization", "Bearer " + std::string(key));
    if (!body.empty()) request.headers.set("Content-Type", "application/json");
    request.body = body;
    return client.request(request);
  }
  http::ClientResponse post(std::string_view target, std::string_view body,
                            std::string_view key = "one") {
    return ask("POST", target, body, key);
  }
  // The bytes of a chat's request, for those who leave or read slowly.
  static std::string chat_bytes(const std::string& body, const std::string& key = "one") {
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  // The answer, which must be there.
  Json answer(std::string_view target, std::string_view body, std::string_view key = "one") {
    const http::ClientResponse response = post(target, body, key);
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body).value();
  }
  // {status, code, param, message} of an error.
  struct Refusal {
    int status = 0;
    std::string type, code, param, message;
  };
  Refusal refusal(std::string_view target, std::string_view body, std::string_view key = "one",
                  std::string_view method = "POST") {
    const http::ClientResponse response = ask(method, target, body, key);
    Refusal out;
    out.status = response.status;
    const Result<Json> json = Json::parse(response.body);
    if (!json || json->find("error") == nullptr) {
      ADD_FAILURE() << response.status << " " << response.body;
      return out;
    }
    const Json& error = json->at("error");
    const auto text = [&](const char* name) {
      return error.at(name).is_null() ? std::string() : error.at(name).as_string();
    };
    out.type = text("type");
    out.code = text("code");
    out.param = text("param");
    out.message = text("message");
    return out;
  }
  Events stream(std::string_view target, std::string_view body) {
    const http::ClientResponse response = post(target, body);
    EXPECT_EQ(response.headers.get("Content-Type"), "text/event-stream") << response.body;
    Events events;
    events.status = response.status;
    std::string_view text = response.body;
    while (!text.empty()) {
      const size_t end = text.find("\n\n");
      if (end == text.npos || !text.starts_with("data: ")) {
        ADD_FAILURE() << "no event: " << text.substr(0, 100);
        break;
      }
      const std::string_view data = text.substr(6, end - 6);
      text.remove_prefix(end + 2);
      if (data == "[DONE]") {
        EXPECT_TRUE(text.empty()) << "something behind [DONE]";
        events.done = true;
      } else {
        events.chunks.push_back(Json::parse(data).value());
      }
    }
    return events;
  }

  llm::testing::TemporaryFolder folder_;
  feedback::KeptCompletions kept_;
  llm::Model model_;
  llm::TextCodec codec_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<http::testing::RunningServer> server_;
};

// For answers of some thousand tokens.
class LongContextTest : public ServiceTest {
 protected:
  LongContextTest()
      : ServiceTest({.threads = 1,
                     .max_running = 8,
                     .context_tokens = 16384,
                     .rows_per_pass = 256,
                     .max_lora_rank = 8},
                    4096) {}
};

}  // namespace hone::openai::testing
