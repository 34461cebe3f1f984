// /v1/models, and adapters that come and go while the server runs.
#include <algorithm>

#include "openai/errors.h"
#include "openai/fields.h"
#include "openai/generation_request.h"
#include "openai/handlers.h"

namespace hone::openai {
namespace {

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

void require_manager(const Call& call) {
  if (call.caller.may_manage) return;
  throw Error(ErrorCode::kForbidden,
              "this key may not change what is served: it needs the scope serve");
}

std::string read_name(Fields& fields) {
  fields.require("lora_name");
  const std::string name = *fields.text("lora_name", kNameBytesMax);
  if (!is_plain_name(name)) {
    throw bad_field("lora_name", "lora_name must be 1 to 100 letters, digits, '_', '-' or '.'");
  }
  return name;
}

http::Response json_of(const Json& body) { return http::Response::json(200, body.dump()); }

}  // namespace

http::Response list_models(Call& call) {
  Models& models = call.service.models();
  Json body = Json::object();
  body["object"] = "list";
  body["data"] = Json::array();
  for (const ServedModelPointer& model : models.list(call.caller.organisation)) {
    body["data"].push_back(model_json(*model, *models.base(), call.service.context_tokens()));
  }
  return json_of(body);
}

http::Response read_model(Call& call) {
  std::string name;
  for (size_t i = 2; i < call.request.segments.size(); ++i) {
    if (i > 2) name += '/';
    name += call.request.segments[i];
  }
  if (name.empty()) return list_models(call);
  Models& models = call.service.models();
  return json_of(model_json(*models.find(name, call.caller.organisation), *models.base(),
                            call.service.context_tokens()));
}

http::Response load_lora_adapter(Call& call) {
  require_manager(call);
  Service& service = call.service;
  Fields fields(call.body);
  const std::string name = read_name(fields);
  const std::string folder = fields.text("lora_path", kNameBytesMax).value_or(name);
  fields.ignore({"lora_int_id"});
  fields.finish();
  if (service.options().adapter_folder.empty()) {
    throw Error(ErrorCode::kForbidden,
                "this server loads no adapters while it runs: start it with --adapter-folder DIR");
  }
  if (!is_plain_name(folder)) {
    throw bad_field("lora_path",
                    "lora_path must be the name of a folder inside the server's adapter folder");
  }
  const std::string directory = service.options().adapter_folder + "/" + folder;
  if (!service.env().is_directory(directory)) {
    throw RequestError(ErrorCode::kNotFound,
                       "there is no '" + folder + "' in the server's adapter folder", "lora_path");
  }
  ServedModel adapter;
  try {
    adapter = service.load_adapter(name, directory, call.caller.organisation);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kConflict) throw;  // no memory for it: nothing is wrong with it
    // Its path is the operator's business.
    throw Error(error.code(), "the adapter '" + folder + "' cannot be used with this model",
                error.message());
  }
  const ServedModelPointer made = service.models().add(std::move(adapter));
  return json_of(model_json(*made, *service.models().base(), service.context_tokens()));
}

http::Response unload_lora_adapter(Call& call) {
  require_manager(call);
  Fields fields(call.body);
  const std::string name = read_name(fields);
  fields.ignore({"lora_int_id"});
  fields.finish();
  call.service.models().remove(name, call.caller.organisation);
  Json body = Json::object();
  body["id"] = name;
  body["object"] = "model";
  body["deleted"] = true;
  return json_of(body);
}

}  // namespace hone::openai
