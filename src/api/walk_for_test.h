#pragma once
// Walks every operation of the OpenAPI document as it is served: paths filled with ids, bodies made
// from their schemas. Header only, for tests.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/testing.h"

namespace hone::api {

class Walk {
 public:
  explicit Walk(Visitor& anyone) : document_(anyone.get("/openapi.json").body) {}

  const Json& document() const { return document_; }

  struct Operation {
    std::string method;
    std::string path;  // with {names}
    const Json* body = nullptr;
  };
  std::vector<Operation> operations() const {
    std::vector<Operation> all;
    for (const auto& [path, methods] : document_.at("paths").as_object()) {
      for (const auto& [method, operation] : methods.as_object()) {
        Operation one{.method = method, .path = path, .body = &operation};
        for (char& c : one.method) c = static_cast<char>(c - 'a' + 'A');
        all.push_back(std::move(one));
      }
    }
    return all;
  }

  // "{task_id}" replaced by ids["task_id"]; a name that is missing by an id that nobody has.
  static std::string filled(std::string_view path, const std::map<std::string, std::string>& ids) {
    std::string target;
    for (size_t open = path.find('{'); open != path.npos; open = path.find('{')) {
      const size_t close = path.find('}', open);
      const std::string name(path.substr(open + 1, close - open - 1));
      const auto id = ids.find(name);
      target += path.substr(0, open);
      target += id != ids.end() ? id->second : name == "file" ? "train.jsonl" : nobodys(name);
      path = path.substr(close + 1);
    }
    return target + std::string(path);
  }
  static std::string nobodys(const std::string& name) {
    static const std::map<std::string, std::string> kPrefixes = {
        {"project_id", "prj"},  {"task_id", "tsk"},       {"assignment_id", "asn"},
        {"person_id", "usr"},   {"invitation_id", "inv"}, {"import_id", "imp"},
        {"snapshot_id", "snp"}, {"run_id", "run"},        {"job_id", "job"},
        {"token_id", "key"},    {"flag_id", "flg"},       {"model_id", "mdl"},
        {"alias", "nobodys"},   {"feedback_id", "fbk"},   {"rule_id", "rul"}};
    return kPrefixes.at(name) + "_aaaaaaaaaaaaaaaaaaaaaaaaaa";
  }

  // The JSON body of the operation with every member, or the raw one; empty when it takes none.
  // texts: what stands where any text may; given: members with a value of their own.
  std::string body_of(const Operation& operation, const std::string& texts,
                      const std::map<std::string, Json>& given) const {
    const Json* request = operation.body->find("requestBody");
    if (request == nullptr) return {};
    const Json* json = request->at("content").find("application/json");
    if (json == nullptr) {
      return operation.path.find("people") != std::string::npos
                 ? "name,role\n" + std::string("Someone,annotator\n")
                 : R"({"prompt":"p","left":"l","right":"r"})"
                   "\n";
    }
    return sample(json->at("schema"), texts, given).dump();
  }

  Json sample(const Json& schema, const std::string& texts,
              const std::map<std::string, Json>& given) const {
    if (const Json* name = schema.find("$ref")) return sample(resolve(*name), texts, given);
    for (const char* several : {"anyOf", "oneOf"}) {
      if (const Json* either = schema.find(several)) {
        return sample(either->as_array()[0], texts, given);
      }
    }
    if (const Json* words = schema.find("enum")) return words->as_array()[0];
    const Json* type = schema.find("type");
    if (type == nullptr) return Json(texts);
    const std::string& kind = type->as_string();
    if (kind == "string") return text_of(schema, texts);
    if (kind == "integer") return at_least(schema, 1);
    if (kind == "number") return Json(0.5);
    if (kind == "boolean") return Json(false);
    if (kind == "array") {
      Json list = Json::array();
      const Json* min = schema.find("minItems");
      const int64_t count = min == nullptr ? 1 : std::max<int64_t>(1, min->as_int());
      for (int64_t i = 0; i < count; ++i) list.push_back(sample(schema.at("items"), texts, given));
      return list;
    }
    Json object = Json::object();
    if (const Json* properties = schema.find("properties")) {
      for (const auto& [name, property] : properties->as_object()) {
        const auto own = given.find(name);
        object[name] = own != given.end() ? own->second : sample(property, texts, given);
      }
    }
    return object;
  }

  const Json& resolve(const Json& reference) const {
    const std::string& text = reference.as_string();
    return document_.at("components").at("schemas").at(text.substr(text.rfind('/') + 1));
  }

 private:
  static Json text_of(const Json& schema, const std::string& texts) {
    const Json* max = schema.find("maxLength");
    std::string text = texts;
    if (max != nullptr && text.size() > static_cast<size_t>(max->as_int())) {
      text.resize(static_cast<size_t>(max->as_int()));
    }
    const Json* min = schema.find("minLength");
    while (min != nullptr && text.size() < static_cast<size_t>(min->as_int())) text += 'x';
    return Json(text);
  }
  static Json at_least(const Json& schema, int64_t value) {
    const Json* min = schema.find("minimum");
    return Json(min == nullptr ? value : std::max(value, min->as_int()));
  }

  Json document_;
};

}  // namespace hone::api
