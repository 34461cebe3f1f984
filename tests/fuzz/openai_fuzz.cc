// The body of a chat or completion request, as strangers send it: understood, or refused in words that
// are UTF-8 and name a field. What was understood is within its bounds.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/utf8.h"
#include "openai/chat_request.h"
#include "openai/completion_request.h"
#include "openai/errors.h"

namespace {

using namespace hone;

void require(bool good) {
  if (!good) std::abort();
}

void check(const openai::GenerationRequest& request) {
  const llm::SamplingOptions& sampling = request.sampling;
  require(sampling.temperature >= 0 && sampling.temperature <= 2);
  require(sampling.top_p > 0 && sampling.top_p <= 1);
  require(request.n >= 1 && request.n <= openai::kChoicesMax);
  require(request.stop.size() <= openai::kStopsMax);
  for (const std::string& stop : request.stop) require(!stop.empty());
  require(sampling.logit_bias.size() <= openai::kBiasesMax);
  require(!request.include_usage || request.stream);
  require(!openai::settings_json(request, 1).dump().empty());
}

void read_chat(const std::string& text) {
  const openai::ChatRequest request =
      openai::read_chat_request(openai::parse_body(text), real_env());
  check(request);
  require(request.top_log_probs <= 20 && request.conversation.messages.size() >= 1);
  for (const Json& message : request.conversation.messages.as_array()) {
    require(message.at("content").is_string() && message.at("role").is_string());
  }
}

void read_completion(const std::string& text) {
  const openai::CompletionRequest request =
      openai::read_completion_request(openai::parse_body(text), real_env());
  check(request);
  require(!request.prompts.empty() && request.prompts.size() <= openai::kPromptsMax);
  require(request.best_of >= request.n && request.log_probs.value_or(0) <= 5);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 64 * 1024) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto read : {read_chat, read_completion}) {
    try {
      read(text);
    } catch (const Error& error) {
      require(!error.message().empty() && !find_invalid_utf8(error.message()));
      require(error.code() == ErrorCode::kInvalidInput);
      require(!openai::error_json(error).dump().empty());
    }
  }
  return 0;
}
