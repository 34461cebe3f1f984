#pragma once
// Random requests of every kind that the promise speaks of, and answers in a form that can be
// compared whether they came whole or as a stream.

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "http/client.h"

namespace hone::serving {

struct Ask {
  std::string path;
  Json body = Json::object();
  std::string model;         // "base" or the adapter's name
  bool may_stream = true;    // best_of is no stream's
  bool has_numbers = false;  // log-probabilities of each token
  bool has_echo = false;
};

// One choice: what was said, with which numbers, and why it ended.
struct Choice {
  std::string text, finish_reason;
  std::vector<int64_t> ids, prompt_ids;
  std::string numbers;  // tokens, log-probabilities, alternatives, as they came
  std::vector<std::optional<double>> log_probs;  // of the echoed prompt and of the answer
  bool operator==(const Choice&) const = default;
};
struct Answer {
  std::map<int64_t, Choice> choices;
  std::string settings, fingerprint, model;
  std::vector<int64_t> prompt_ids;  // of a chat
  int64_t prompt_tokens = 0, completion_tokens = 0, cached_tokens = 0;
  std::string masked;  // of a whole answer: all bytes but id, created and what the cache had

  bool same(const Answer& other) const {
    return choices == other.choices && prompt_ids == other.prompt_ids &&
           settings == other.settings && fingerprint == other.fingerprint && model == other.model &&
           prompt_tokens == other.prompt_tokens && completion_tokens == other.completion_tokens &&
           (masked.empty() || other.masked.empty() || masked == other.masked);
  }
  std::string to_text() const {
    std::string out = settings + "\n" + model + " " + fingerprint + "\n" + masked + "\n";
    for (const auto& [index, choice] : choices) {
      out += std::to_string(index) + " " + choice.finish_reason + " " + Json(choice.text).dump() +
             " ids";
      for (int64_t id : choice.ids) out += " " + std::to_string(id);
      out += "\n" + choice.numbers + "\n";
    }
    return out;
  }
};

inline void add_ids(const Json* ids, std::vector<int64_t>* out) {
  if (ids == nullptr || ids->is_null()) return;
  for (const Json& id : ids->as_array()) out->push_back(id.as_int());
}

inline void add_log_prob(const Json& value, Choice* choice) {
  choice->log_probs.push_back(value.is_null() ? std::nullopt
                                              : std::optional<double>(value.as_double()));
}

inline void add_numbers(const Json& log_probs, Choice* choice) {
  if (log_probs.is_null()) return;
  if (const Json* content = log_probs.find("content"); content != nullptr) {
    if (content->is_null()) return;
    for (const Json& entry : content->as_array()) {
      choice->numbers += entry.dump();
      add_log_prob(entry.at("logprob"), choice);
    }
    return;
  }
  const auto& tokens = log_probs.at("tokens").as_array();
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Json& log_prob = log_probs.at("token_logprobs").as_array()[i];
    const Json* top = log_probs.find("top_logprobs");
    choice->numbers += tokens[i].dump() + log_prob.dump() +
                       log_probs.at("text_offset").as_array()[i].dump() +
                       (top == nullptr || top->is_null() ? "" : top->as_array()[i].dump());
    add_log_prob(log_prob, choice);
  }
}

// A whole answer, or one event of a stream.
inline void add_part(const Json& part, Answer* answer) {
  if (part.find("error") != nullptr) throw Error(ErrorCode::kInternal, part.dump());
  if (const Json* settings = part.find("settings")) answer->settings = settings->dump();
  answer->fingerprint = part.at("system_fingerprint").as_string();
  answer->model = part.at("model").as_string();
  for (const Json& from : part.at("choices").as_array()) {
    Choice& choice = answer->choices[from.at("index").as_int()];
    const Json* said = from.find("message");
    if (said == nullptr) said = from.find("delta");
    const Json* text = said == nullptr ? from.find("text") : said->find("content");
    if (text != nullptr && !text->is_null()) choice.text += text->as_string();
    add_numbers(from.at("logprobs"), &choice);
    add_ids(from.find("token_ids"), &choice.ids);
    add_ids(from.find("prompt_token_ids"), &choice.prompt_ids);
    if (!from.at("finish_reason").is_null()) {
      choice.finish_reason = from.at("finish_reason").as_string();
    }
  }
  // A chat has one prompt, however many answers: it stands in the first part, for all of them.
  if (const Json* ids = part.find("prompt_token_ids")) add_ids(ids, &answer->prompt_ids);
  const Json* usage = part.find("usage");
  if (usage == nullptr || usage->is_null()) return;
  answer->prompt_tokens = usage->at("prompt_tokens").as_int();
  answer->completion_tokens = usage->at("completion_tokens").as_int();
  answer->cached_tokens = usage->at("prompt_tokens_details").at("cached_tokens").as_int();
}

inline Answer whole_answer(std::string_view body) {
  Json json = Json::parse(body).value();
  Answer answer;
  add_part(json, &answer);
  json["id"] = "";
  json["created"] = 0;
  json["usage"]["prompt_tokens_details"]["cached_tokens"] = 0;
  answer.masked = json.dump();
  return answer;
}

inline Answer streamed_answer(std::string_view body) {
  Answer answer;
  bool done = false;
  while (!body.empty()) {
    const size_t end = body.find("\n\n");
    if (end == body.npos) throw Error(ErrorCode::kInternal, "an event without its end");
    const std::string_view event = body.substr(0, end);
    body.remove_prefix(end + 2);
    if (event.starts_with(":")) continue;  // keep-alive
    if (done) throw Error(ErrorCode::kInternal, "an event behind [DONE]");
    if (event == "data: [DONE]") {
      done = true;
    } else {
      add_part(Json::parse(event.substr(6)).value(), &answer);
    }
  }
  if (!done) throw Error(ErrorCode::kInternal, "a stream without [DONE]");
  return answer;
}

inline Answer send(http::HttpClient& client, const Ask& ask, bool streamed) {
  Json body = ask.body;
  if (streamed) {
    body["stream"] = true;
    body["stream_options"]["include_usage"] = true;
  }
  const http::ClientResponse response = client.post(ask.path, body.dump());
  if (response.status != 200) {
    throw Error(ErrorCode::kInternal,
                std::to_string(response.status) + " " + response.body + " to " + body.dump());
  }
  return streamed ? streamed_answer(response.body) : whole_answer(response.body);
}

// Requests of every kind, the same ones for the same seed.
class Traffic {
 public:
  Traffic(uint64_t seed, std::string base, std::vector<std::string> adapters)
      : rng_(seed, rng_stream("live-traffic")),
        base_(std::move(base)),
        adapters_(std::move(adapters)) {
    for (size_t i = 0; i < 3; ++i) openings_.push_back(words(60 + 30 * i));
  }

  Ask next() {
    Ask ask;
    const bool chat = chance(0.5);
    ask.path = chat ? "/v1/chat/completions" : "/v1/completions";
    ask.model = chance(0.5) && !adapters_.empty() ? pick(adapters_) : "base";
    ask.body["model"] = ask.model == "base" ? base_ : ask.model;
    ask.body["seed"] = static_cast<int64_t>(below(1'000'000));
    ask.body["temperature"] = pick(std::vector<double>{0, 0, 0.7, 1, 1.4});
    ask.body["return_token_ids"] = true;
    ask.body["max_tokens"] = static_cast<int64_t>(4 + below(24));
    chat ? add_chat(&ask) : add_completion(&ask);
    add_sampling(&ask);
    add_bounds(&ask);
    return ask;
  }

 private:
  uint64_t below(uint64_t bound) { return rng_.below(bound); }
  bool chance(double share) { return rng_.uniform() < share; }
  template <typename T>
  T pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

  std::string words(size_t count) {
    static const std::vector<std::string> kWords = {
        "river",   "stone",   "the",    "of",     "garden", "sie haben", "letter", "7",
        "winter,", "paper",   "silver", "engine", "and",    "market",    "naïve",  "doctor",
        "is",      "island.", "a",      "Why",    "does",   "morning"};
    std::string text = pick(kWords);
    for (size_t i = 1; i < count; ++i) text += " " + pick(kWords);
    return text;
  }
  // Half of them begin as others do, so that they meet in the prefix cache.
  std::string text() {
    const std::string own = words(1 + below(40));
    return chance(0.5) ? pick(openings_) + " " + own : own;
  }

  void add_chat(Ask* ask) {
    Json messages = Json::array();
    const auto say = [&](const char* role, std::string what) {
      Json message = Json::object();
      message["role"] = role;
      message["content"] = std::move(what);
      messages.push_back(std::move(message));
    };
    if (chance(0.3)) say("system", words(8));
    say("user", text());
    if (chance(0.3)) {
      say("assistant", words(5));
      say("user", words(5));
    }
    ask->body["messages"] = std::move(messages);
    if (chance(0.7)) {
      ask->has_numbers = true;
      ask->body["logprobs"] = true;
      ask->body["top_logprobs"] = static_cast<int64_t>(below(5));
    }
    if (chance(0.3)) ask->body["n"] = static_cast<int64_t>(2 + below(2));
  }

  void add_completion(Ask* ask) {
    if (chance(0.3)) {
      Json many = Json::array();
      for (size_t i = 0, count = 2 + below(2); i < count; ++i) many.push_back(text());
      ask->body["prompt"] = std::move(many);
    } else if (chance(0.3)) {
      Json ids = Json::array();
      for (size_t i = 0, count = 1 + below(150); i < count; ++i) {
        ids.push_back(static_cast<int64_t>(below(250)));
      }
      ask->body["prompt"] = std::move(ids);
    } else {
      ask->body["prompt"] = text();
    }
    if (chance(0.7)) {
      ask->has_numbers = true;
      ask->body["logprobs"] = static_cast<int64_t>(below(4));
    }
    if (chance(0.5)) {
      ask->has_echo = true;
      ask->body["echo"] = true;
      if (chance(0.3)) ask->body["max_tokens"] = 0;
    }
    if (chance(0.2)) ask->body["n"] = 2;
    if (chance(0.15) && ask->body.find("n") == nullptr && ask->body.at("max_tokens").as_int() > 0) {
      ask->body["best_of"] = 3;
      ask->may_stream = false;
    }
  }

  void add_sampling(Ask* ask) {
    if (chance(0.3)) ask->body["top_p"] = 0.9;
    if (chance(0.2)) ask->body["top_k"] = 20;
    if (chance(0.2)) ask->body["min_p"] = 0.05;
    if (chance(0.2)) ask->body["presence_penalty"] = 0.8;
    if (chance(0.2)) ask->body["frequency_penalty"] = -0.4;
    if (chance(0.2)) ask->body["repetition_penalty"] = 1.1;
    if (chance(0.2)) {
      for (int i = 0; i < 3; ++i) ask->body["logit_bias"][std::to_string(below(200))] = 4;
    }
  }

  void add_bounds(Ask* ask) {
    const bool has_answer = ask->body.at("max_tokens").as_int() > 0;
    if (chance(0.4)) {
      Json stops = Json::array();
      for (size_t i = 0, count = 1 + below(3); i < count; ++i)
        stops.push_back(words(1).substr(0, 2));
      ask->body["stop"] = std::move(stops);
    }
    if (has_answer && chance(0.15)) {
      ask->body["grammar"] = R"(root ::= ("yes" | "no" | [a-m ]{3,9}) "." [0-9]{1,4})";
    } else if (has_answer && chance(0.15)) {
      ask->body["response_format"] =
          Json::parse(R"({"type":"json_schema","json_schema":{"name":"s","schema":{
              "type":"object","properties":{"ok":{"type":"boolean"},"word":{"enum":["red","blue"]},
              "n":{"type":"integer","minimum":-20,"maximum":300}},"required":["ok","n"]}}})")
              .value();
    } else if (chance(0.3)) {
      ask->body["ignore_eos"] = true;
    }
  }

  Rng rng_;
  std::string base_;
  std::vector<std::string> adapters_;
  std::vector<std::string> openings_;
};

}  // namespace hone::serving
