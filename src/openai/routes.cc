#include "openai/routes.h"

#include <string_view>

#include "openai/errors.h"
#include "openai/fields.h"
#include "openai/handlers.h"

namespace hone::openai {
namespace {

using Handler = http::Response (*)(Call& call);

struct Row {
  std::string_view method, path, name;
  Handler handler;
  uint64_t max_body_bytes;
};

constexpr uint64_t kSmall = size_t{64} * 1024;
constexpr uint64_t kLarge = 16 << 20;  // a prompt of a million tokens, as ids

// THE table.
constexpr Row kRows[] = {
    {"POST", "/v1/chat/completions", "v1.chat", create_chat_completion, kLarge},
    {"POST", "/v1/completions", "v1.completions", create_completion, kLarge},
    {"POST", "/v1/embeddings", "v1.embeddings", create_embeddings, kLarge},
    {"GET", "/v1/models", "v1.models", list_models, 0},
    {"GET", "/v1/models/{model...}", "v1.model", read_model, 0},
    {"POST", "/v1/load_lora_adapter", "v1.lora.load", load_lora_adapter, kSmall},
    {"POST", "/v1/unload_lora_adapter", "v1.lora.unload", unload_lora_adapter, kSmall},
    {"POST", "/tokenize", "tokenize", tokenize, kLarge},
    {"POST", "/detokenize", "detokenize", detokenize, kLarge},
    {"GET", "/tokenizer_info", "tokenizer_info", tokenizer_info, 0},
    {"POST", "/apply-template", "apply_template", apply_template, kLarge},
    // The same below /v1, where some clients look.
    {"POST", "/v1/tokenize", "tokenize", tokenize, kLarge},
    {"POST", "/v1/detokenize", "detokenize", detokenize, kLarge},
};

http::Response handle(Service& service, Handler handler, http::Request& request) {
  if (!request.query.empty()) {
    throw RequestError(ErrorCode::kInvalidInput,
                       "this address takes no parameters after a question mark", {});
  }
  Call call{.service = service,
            .request = request,
            .caller = service.options().authorise(request),
            .body = Json::object()};
  if (request.method == "POST") call.body = parse_body(request.body);
  return handler(call);
}

http::Handler ended(std::function<http::Response(http::Request&)> handler) {
  return [handler = std::move(handler)](http::Request& request) {
    try {
      return handler(request);
    } catch (const Error& error) {
      return error_response(error);
    } catch (const std::exception& error) {
      return error_response(Error(ErrorCode::kInternal, "the request failed", error.what()));
    }
  };
}

constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

}  // namespace

void add_routes(http::Router& router, Service& service) {
  for (const Row& row : kRows) {
    router.add(row.method, row.path,
               {.name = std::string(row.name), .max_body_bytes = row.max_body_bytes},
               ended([&service, handler = row.handler](http::Request& request) {
                 return handle(service, handler, request);
               }));
  }
  const auto unknown = ended([](http::Request&) -> http::Response {
    throw not_found("there is no such address; docs/serving.md lists those that there are");
  });
  for (const std::string_view method : kMethods) {
    router.add(method, "/v1/{path...}", {.name = "v1.unknown", .max_body_bytes = kSmall}, unknown);
  }
}

void add_absent_routes(http::Router& router) {
  const auto absent = ended([](http::Request&) -> http::Response {
    throw Error(ErrorCode::kUnavailable,
                "this server answers from no model: start it with hone serve --model FILE");
  });
  for (const std::string_view method : kMethods) {
    router.add(method, "/v1/{path...}", {.name = "v1.absent", .max_body_bytes = kLarge}, absent);
  }
}

}  // namespace hone::openai
