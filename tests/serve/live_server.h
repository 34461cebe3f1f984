#pragma once
// `hone serve` as a process of its own, with a model: the one that $HONE_MODEL names, or a tiny one
// that is written here. Of the thread that made it; requests come from any.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/rng.h"
#include "http/client.h"
#include "llm/formats/model_file.h"
#include "llm/formats/model_writer.h"
#include "llm/lora.h"
#include "llm/testing.h"
#include "llm/tokenizer/tokenizer_json_writer.h"
#include "openai/testing.h"
#include "tests/platform/server_process.h"

namespace hone::serving {

inline bool is_long() { return std::getenv("HONE_TEST_LONG") != nullptr; }
inline std::string real_model() {
  const char* path = std::getenv("HONE_MODEL");
  return path == nullptr ? "" : path;
}

using Words = std::vector<std::string>;

inline std::string run_program(const Words& words, const std::string& out) {
  const int code = wait_for(start(words, out));
  EXPECT_EQ(code, 0) << real_env().read_file(out + ".err", 1 << 16);
  return real_env().read_file(out, 64 << 20);
}

// A folder with a model of a few layers, words and a chat template; always the same one.
inline void write_tiny_model(const std::string& folder, size_t context = 2048, uint64_t seed = 7) {
  const llm::Model model = llm::testing::random_model(openai::testing::tiny_shape(context), seed);
  llm::ModelConfig config = model.config;
  const llm::RowReader rows = [&](std::string_view name, size_t row, float* out) {
    const std::vector<llm::TensorShape> shapes = llm::tensor_shapes(config);
    for (const llm::TensorShape& shape : shapes) {
      if (shape.name != name) continue;
      const bool is_vector = shape.cols == 1;
      Rng rng(seed, rng_stream(std::string(name), row));
      const size_t count = is_vector ? shape.rows : shape.cols;
      for (size_t i = 0; i < count; ++i) {
        out[i] = static_cast<float>((is_vector ? 1.0 : 0.0) + 0.25 * rng.normal());
      }
    }
  };
  llm::HuggingFaceTokenizer words = llm::huggingface_tokenizer(
      openai::testing::tiny_tokenizer(), std::string(openai::testing::kTinyTemplate));
  llm::write_huggingface_directory(
      real_env(), folder, config, tensor::DataType::kF32, rows, {openai::testing::kTinyEnd},
      {{"tokenizer.json", std::move(words.tokenizer_json)},
       {"tokenizer_config.json", std::move(words.tokenizer_config_json)}});
}

// PEFT folders with random adapters of the model's shape, strong enough to change answers.
inline void write_adapters(const std::string& model_path, const std::string& folder,
                           const std::vector<std::pair<std::string, size_t>>& names_and_ranks) {
  tensor::Compute compute(1);
  const llm::Model model = llm::load_model(compute, *llm::ModelFile::open(model_path));
  uint64_t seed = 40;
  for (const auto& [name, rank] : names_and_ranks) {
    llm::LoraOptions options;
    options.r = rank;
    llm::LoraAdapter adapter = llm::make_lora(model, options, ++seed);
    Rng rng(seed, rng_stream("live-adapter"));
    for (llm::LoraLayer& layer : adapter.layers) {
      for (llm::LoraPair& pair : layer.pair) {
        pair.b = llm::testing::random_matrix(rng, pair.b.rows(), pair.b.cols(), 0.02);
      }
    }
    llm::save_lora(real_env(), folder + "/" + name, adapter, "base");
  }
}

class LiveServer {
 public:
  // folder: this server's own, kept by the caller; more: words beside the usual ones.
  LiveServer(std::string folder, std::string model, Words more, bool no_auth = true)
      : folder_(std::move(folder)), model_(std::move(model)), more_(std::move(more)) {
    if (no_auth) more_.emplace_back("--no-auth");
    run();
  }
  ~LiveServer() { end(SIGKILL); }
  LiveServer(const LiveServer&) = delete;
  LiveServer& operator=(const LiveServer&) = delete;

  uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }
  std::string data() const { return folder_ + "/data"; }

  void run() {
    Words words = {"serve",      "--quiet", "--model",  model_,
                   "--data-dir", data(),    "--listen", "127.0.0.1:0"};
    words.insert(words.end(), more_.begin(), more_.end());
    const std::string out = folder_ + "/server";
    pid_ = start(words, out);
    for (int tries = 0; tries < 2400; ++tries) {
      const std::string text = real_env().read_file(out, 1 << 16);
      const size_t line = text.find("listening on http://127.0.0.1:");
      if (line != std::string::npos && text.find('\n', line) != std::string::npos) {
        port_ = static_cast<uint16_t>(std::stoul(text.substr(line + 30)));
        return;
      }
      http::testing::sleep_ms(25);
    }
    throw Error(ErrorCode::kUnavailable,
                "hone serve did not start: " + real_env().read_file(out + ".err", 1 << 16));
  }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    wait_for(pid_);
    pid_ = -1;
  }
  void restart(const Words& more, int signal = SIGTERM) {
    end(signal);
    more_ = more;
    more_.emplace_back("--no-auth");
    run();
  }

  http::ClientOptions client_options(int timeout_ms = 300'000) const {
    http::ClientOptions options;
    options.port = port_;
    options.timeout_ms = timeout_ms;
    return options;
  }
  http::ClientResponse ask(const std::string& method, const std::string& path,
                           const std::string& body = "", const std::string& key = "") const {
    http::HttpClient client(client_options());
    http::ClientRequest request;
    request.method = method;
    request.target = path;
    if (!key.empty()) request.headers.set("Authorization", "Bearer " + key);
    if (!body.empty()) request.headers.set("Content-Type", "application/json");
    request.body = body;
    return client.request(request);
  }
  Json answer(const std::string& path, const Json& body, const std::string& key = "") const {
    const http::ClientResponse response = ask("POST", path, body.dump(), key);
    if (response.status != 200) {
      throw Error(ErrorCode::kInternal, std::to_string(response.status) + " " + response.body +
                                            " to " + body.dump().substr(0, 2000));
    }
    return Json::parse(response.body).value();
  }
  // A number of /metrics.
  double metric(const std::string& name) const {
    const std::string text = "\n" + ask("GET", "/metrics").body;
    const size_t at = text.find("\n" + name + " ");
    if (at == std::string::npos) {
      ADD_FAILURE() << "no metric " << name;
      return -1;
    }
    return std::stod(text.substr(at + name.size() + 2));
  }
  // Bytes that the process holds.
  double resident() const {
    const std::string text =
        real_env().read_file("/proc/" + std::to_string(pid_) + "/status", 1 << 16);
    return 1024 * std::stod(text.substr(text.find("VmRSS:") + 6));
  }

 private:
  std::string folder_, model_;
  Words more_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace hone::serving
