#include "openai/completion_request.h"

#include <algorithm>

#include "openai/errors.h"

namespace hone::openai {
namespace {

std::vector<int32_t> ids_of(const Json& list, const std::string& name) {
  std::vector<int32_t> ids;
  ids.reserve(list.size());
  for (const Json& id : list.as_array()) ids.push_back(token_id(id, name));
  return ids;
}

[[noreturn]] void not_a_prompt(const std::string& name) {
  throw bad_field(name, name +
                            " must be a string, a list of strings, a list of token ids or a list "
                            "of such lists");
}

}  // namespace

std::vector<PromptText> read_prompts(Fields& fields, std::string_view field) {
  const Json& value = fields.require(field);
  const std::string name = fields.name_of(field);
  if (value.is_string()) return {value.as_string()};
  if (!value.is_array()) not_a_prompt(name);
  if (value.size() == 0) throw bad_field(name, name + " is an empty list");
  const Json& first = value.as_array().front();
  if (first.is_number()) return {ids_of(value, name)};
  if (value.size() > kPromptsMax) {
    throw bad_field(name, name + " holds " + std::to_string(value.size()) +
                              " prompts; a request takes at most " + std::to_string(kPromptsMax));
  }
  std::vector<PromptText> prompts;
  for (const Json& each : value.as_array()) {
    if (each.is_string()) {
      prompts.emplace_back(each.as_string());
    } else if (each.is_array()) {
      prompts.emplace_back(ids_of(each, name));
    } else {
      not_a_prompt(name);
    }
  }
  return prompts;
}

CompletionRequest read_completion_request(const Json& body, Env& env) {
  Fields fields(body);
  CompletionRequest request;
  read_generation(fields, request, env);
  fields.refuse("suffix", "text is continued, not filled in");
  request.prompts = read_prompts(fields, "prompt");
  request.max_tokens =
      static_cast<size_t>(fields.integer("max_tokens", 0, kTokensMax).value_or(16));
  request.echo = fields.flag("echo").value_or(false);
  if (const auto count = fields.integer("logprobs", 0, kLegacyLogProbsMax)) {
    request.log_probs = static_cast<size_t>(*count);
  }
  const auto best_of = fields.integer("best_of", 1, static_cast<int64_t>(kBestOfMax));
  request.best_of = std::max(request.n, static_cast<size_t>(best_of.value_or(1)));
  if (best_of && static_cast<size_t>(*best_of) < request.n) {
    throw bad_field("best_of", "best_of must be at least n");
  }
  if (request.best_of > request.n && request.stream) {
    throw bad_field("best_of", "best_of above n is not for streams: the best is known at the end");
  }
  request.add_special_tokens = fields.flag("add_special_tokens").value_or(true);
  if (*request.max_tokens == 0 && !request.echo) {
    throw bad_field("max_tokens", "max_tokens 0 is for echo: true only");
  }
  if (request.min_tokens > *request.max_tokens) {
    throw bad_field("min_tokens", "min_tokens is more than max_tokens");
  }
  fields.finish();
  return request;
}

}  // namespace hone::openai
