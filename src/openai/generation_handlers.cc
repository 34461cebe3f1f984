// /v1/chat/completions and /v1/completions.
#include <algorithm>

#include "openai/batch_plan.h"
#include "openai/chat_exchange.h"
#include "openai/completion_exchange.h"
#include "openai/errors.h"
#include "openai/handlers.h"

namespace hone::openai {
namespace {

CompletionExchange::Prompt read_prompt(Call& call, const CompletionRequest& request,
                                       const PromptText& prompt) {
  const llm::Tokenizer& tokenizer = call.service.tokenizer();
  CompletionExchange::Prompt out;
  out.ids = prompt_tokens(call.service, prompt, request.add_special_tokens, "prompt");
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    out.text = *text;
    const bool has_bos = request.add_special_tokens && tokenizer.adds_bos() && tokenizer.bos() &&
                         out.ids.front() == *tokenizer.bos() &&
                         !text->starts_with(token_bytes(tokenizer, out.ids.front()));
    out.without_text = has_bos ? 1 : 0;
  } else if (request.echo || call.service.kept() != nullptr) {
    std::vector<int32_t> known;
    for (const int32_t id : out.ids) {
      if (static_cast<size_t>(id) < tokenizer.vocab_size()) known.push_back(id);
    }
    out.text = tokenizer.decode(known, {.skip_special = false, .strip_leading_space = false});
  }
  return out;
}

// An alias that is split answers the same `user` with the same model, and others by lot.
ServedModelPointer find_model(Call& call, const std::string& name) {
  const Json* user = call.body.find("user");
  const std::string key = user != nullptr && user->is_string()
                              ? "user " + user->as_string()
                              : "request " + std::to_string(call.service.next_split_key());
  return call.service.find_model(call.caller, name, key);
}

}  // namespace

http::Response create_chat_completion(Call& call) {
  Service& service = call.service;
  ChatRequest request = read_chat_request(call.body, service.env());
  const ServedModelPointer model = find_model(call, request.model);
  const std::shared_ptr<const llm::ToolUse> tools =
      tool_use(service, request.conversation, request.tool_choice, request.parallel_tool_calls);
  llm::TextCodec::ChatPrompt prompt = render_chat(service, request.conversation, *tools);
  const size_t max_tokens =
      answer_tokens(service, request, prompt.ids.size(), request.n, "messages");
  llm::BatchRequest batch =
      batch_request(service, call.caller, *model, request, prompt.ids, request.n, max_tokens);
  batch.top_log_probs = request.log_probs ? request.top_log_probs : 0;
  batch.constraint = make_constraint(service, request, tools.get());
  const bool is_stream = request.stream;
  const auto exchange = std::make_shared<ChatExchange>(
      service, call.caller, model, std::move(request), tools, std::move(prompt.ids), max_tokens);
  std::vector<llm::BatchRequest> prompts;
  prompts.push_back(std::move(batch));
  return exchange->submit(call.request, std::move(prompts), is_stream);
}

http::Response create_completion(Call& call) {
  Service& service = call.service;
  CompletionRequest request = read_completion_request(call.body, service.env());
  const ServedModelPointer model = find_model(call, request.model);
  std::vector<CompletionExchange::Prompt> prompts;
  std::vector<llm::BatchRequest> batch;
  size_t max_tokens = *request.max_tokens;
  const std::shared_ptr<const llm::TokenConstraint> constraint = make_constraint(service, request);
  for (const PromptText& text : request.prompts) {
    CompletionExchange::Prompt prompt = read_prompt(call, request, text);
    max_tokens = answer_tokens(service, request, prompt.ids.size(), request.best_of, "prompt");
    llm::BatchRequest each = batch_request(service, call.caller, *model, request, prompt.ids,
                                           request.best_of, max_tokens);
    each.top_log_probs = request.log_probs.value_or(0);
    each.prompt_scores = request.echo && request.log_probs.has_value();
    each.constraint = constraint;
    each.prompt_top_log_probs = std::max<size_t>(1, request.log_probs.value_or(0));
    prompts.push_back(std::move(prompt));
    batch.push_back(std::move(each));
  }
  request.prompts.clear();
  const bool is_stream = request.stream;
  const auto exchange = std::make_shared<CompletionExchange>(
      service, call.caller, model, std::move(request), std::move(prompts), max_tokens);
  return exchange->submit(call.request, std::move(batch), is_stream);
}

}  // namespace hone::openai
