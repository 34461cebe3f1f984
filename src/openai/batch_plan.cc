#include "openai/batch_plan.h"

#include <algorithm>

#include "llm/grammar/constraint.h"
#include "openai/errors.h"

namespace hone::openai {
namespace {

void check_ids(const Service& service, const std::vector<int32_t>& ids, const std::string& name) {
  const size_t vocabulary = service.model().config.vocab_size;
  for (const int32_t id : ids) {
    if (static_cast<size_t>(id) < vocabulary) continue;
    throw bad_field(name, name + " holds the token id " + std::to_string(id) +
                              "; the model knows 0 to " + std::to_string(vocabulary - 1));
  }
}

RequestError too_long(const std::string& message, std::string_view field) {
  return {ErrorCode::kInvalidInput, message, std::string(field), "context_length_exceeded"};
}

bool fits_cache(const Service& service, size_t prompt_tokens, size_t samples, size_t max_tokens) {
  llm::BatchRequest probe;
  probe.prompt.resize(prompt_tokens);
  probe.n = samples;
  probe.max_tokens = max_tokens;
  return llm::Batcher::pages_for(service.model().config, probe) <= service.pages();
}

}  // namespace

std::vector<int32_t> prompt_tokens(const Service& service, const PromptText& prompt,
                                   bool add_special, std::string_view field) {
  const std::string name(field);
  std::vector<int32_t> ids;
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    ids = add_special ? service.codec().encode_text(*text)
                      : service.codec().encode_continuation(*text);
  } else {
    ids = std::get<std::vector<int32_t>>(prompt);
    check_ids(service, ids, name);
  }
  if (ids.empty()) throw bad_field(name, name + " is empty: a model needs a token to begin with");
  return ids;
}

std::shared_ptr<const llm::ToolUse> tool_use(const Service& service,
                                             const Conversation& conversation, const Json& choice,
                                             bool parallel_calls) {
  Result<llm::ToolUse> made =
      llm::ToolUse::make(conversation.tools, choice.is_null() ? nullptr : &choice, parallel_calls,
                         service.codec().template_source());
  if (!made) throw bad_field("tools", made.error().message());
  return std::make_shared<const llm::ToolUse>(std::move(*made));
}

llm::TextCodec::ChatPrompt render_chat(Service& service, const Conversation& conversation,
                                       const llm::ToolUse& tools) {
  llm::RenderOptions options;
  options.add_generation_prompt = conversation.add_generation_prompt;
  options.continue_final_message = conversation.continue_final_message;
  options.tools = tools.tools_for_template();
  options.documents = conversation.documents.is_null() ? nullptr : &conversation.documents;
  options.variables = conversation.variables.is_null() ? nullptr : &conversation.variables;
  options.now_s = service.env().now_ms() / 1000;
  try {
    return service.codec().encode_chat_prompt(tools.messages_for_template(conversation.messages),
                                              options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput && error.code() != ErrorCode::kTooLarge) throw;
    throw RequestError(error.code(), error.message(), "messages");
  }
}

std::shared_ptr<const llm::TokenConstraint> make_constraint(Service& service,
                                                            const GenerationRequest& request,
                                                            const llm::ToolUse* tools) {
  using Format = GenerationRequest::Format;
  const auto made = [](Result<std::unique_ptr<llm::TokenConstraint>> result,
                       std::string_view field) -> std::shared_ptr<const llm::TokenConstraint> {
    if (!result) throw bad_field(field, result.error().message());
    return std::move(*result);
  };
  const bool is_held = !request.grammar.empty() || request.format != Format::kText;
  if (tools != nullptr && !tools->is_off()) {
    if (is_held) {
      throw bad_field(request.grammar.empty() ? "response_format" : "grammar",
                      "tools and a form of the answer exclude each other: leave out one of them, "
                      "or send tool_choice none");
    }
    return made(tools->constraint(service.vocabulary()), "tools");
  }
  if (!request.grammar.empty()) {
    return made(llm::grammar::constraint_from_gbnf(request.grammar, service.vocabulary()),
                "grammar");
  }
  if (request.format == Format::kJsonSchema) {
    return made(llm::grammar::constraint_from_schema(request.schema, service.vocabulary()),
                "response_format");
  }
  if (request.format == Format::kJsonObject) {
    return made(llm::grammar::constraint_json_object(service.vocabulary()), "response_format");
  }
  return nullptr;
}

size_t answer_tokens(const Service& service, const GenerationRequest& request, size_t prompt_tokens,
                     size_t samples, std::string_view field) {
  const size_t context = service.context_tokens();
  const size_t wanted = request.max_tokens.value_or(1);
  if (prompt_tokens + wanted > context) {
    const std::string asked = std::to_string(prompt_tokens + wanted);
    throw too_long("the model's context has " + std::to_string(context) +
                       " tokens, but the request needs " + asked + ": " +
                       std::to_string(prompt_tokens) + " of the prompt and " +
                       std::to_string(wanted) + " for the answer; shorten the prompt" +
                       (request.max_tokens ? ", or lower max_tokens" : ""),
                   field);
  }
  if (!fits_cache(service, prompt_tokens, samples, wanted)) {
    const size_t held = service.options().engine.context_tokens;
    throw too_long("this server was started for " + std::to_string(held) +
                       " tokens at once (--context-tokens), too few for a prompt of " +
                       std::to_string(prompt_tokens) + " and " + std::to_string(samples) + " x " +
                       std::to_string(wanted) + " for answers",
                   field);
  }
  if (request.max_tokens) return wanted;
  size_t least = 1, most = context - prompt_tokens;  // least fits
  while (least < most) {
    const size_t middle = least + (most - least + 1) / 2;
    if (fits_cache(service, prompt_tokens, samples, middle)) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return least;
}

std::string cache_scope(const Caller& caller, const ServedModel& model, std::string_view salt) {
  std::string scope = caller.organisation;
  scope += '\n';
  scope += model.fingerprint;
  scope += '\n';
  scope += salt;
  return scope;
}

llm::BatchRequest batch_request(Service& service, const Caller& caller, const ServedModel& model,
                                const GenerationRequest& request, std::vector<int32_t> prompt,
                                size_t samples, size_t max_tokens) {
  std::vector<int32_t> named = request.stop_token_ids;
  check_ids(service, named, "stop_token_ids");
  named.clear();
  for (const auto& [id, bias] : request.sampling.logit_bias) named.push_back(id);
  check_ids(service, named, "logit_bias");
  llm::BatchRequest out;
  out.prompt = std::move(prompt);
  out.cache_scope = cache_scope(caller, model, request.cache_salt);
  out.use_prefix_cache = request.cache_prompt;
  out.seed = request.seed;
  // Index 0 for every prompt: a prompt of a list is answered as it is alone.
  out.index = 0;
  out.n = samples;
  out.max_tokens = max_tokens;
  out.min_tokens = request.min_tokens;
  out.sampling = request.sampling;
  out.stop = request.stop;
  out.stop_token_ids = request.stop_token_ids;
  out.ignore_end_of_generation = request.ignore_eos;
  return out;
}

}  // namespace hone::openai
