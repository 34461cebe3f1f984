#pragma once
// The handlers of routes.cc, one file a resource.

#include "base/json.h"
#include "http/request.h"
#include "http/response.h"
#include "openai/service.h"

namespace hone::openai {

// One request on its way through a handler.
struct Call {
  Service& service;
  http::Request& request;
  Caller caller;
  Json body;  // an object; of GET {}
};

// generation_handlers.cc
http::Response create_chat_completion(Call& call);
http::Response create_completion(Call& call);
// embedding_handler.cc
http::Response create_embeddings(Call& call);
// model_handlers.cc
http::Response list_models(Call& call);
http::Response read_model(Call& call);
http::Response load_lora_adapter(Call& call);
http::Response unload_lora_adapter(Call& call);
// token_handlers.cc
http::Response tokenize(Call& call);
http::Response detokenize(Call& call);
http::Response tokenizer_info(Call& call);
http::Response apply_template(Call& call);

}  // namespace hone::openai
