#include "reward/json_reward.h"

#include "base/env.h"
#include "base/error.h"
#include "llm/grammar/grammar.h"
#include "llm/grammar/json_schema.h"
#include "llm/grammar/matcher.h"

namespace hone::reward {

namespace {

using llm::grammar::Grammar;

constexpr uint64_t kMaxSchemaBytes = 1 << 20;

std::shared_ptr<const Grammar> grammar_of(Env& env, const std::string& schema) {
  const std::string text =
      schema.starts_with("{") ? schema : env.read_file(schema, kMaxSchemaBytes);
  const Result<Json> json = Json::parse(text);
  if (!json) throw json.error();
  return Grammar::compile(llm::grammar::parse_json_schema(*json).value()).value();
}

class JsonReward : public RewardFunction {
 public:
  JsonReward(Env& env, Spec spec) : name_(spec.name()) {
    const std::string schema = spec.text_of("schema", "");
    spec.done();
    if (schema.empty()) return;
    try {
      grammar_ = grammar_of(env, schema);
    } catch (const Error& error) {
      throw invalid_input("--reward \"" + spec.text() +
                          "\": the schema cannot be used: " + error.message());
    }
  }
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const Sample& sample : samples) out.push_back(is_right(sample.completion) ? 1 : 0);
    return out;
  }

 private:
  bool is_right(std::string_view text) const {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return false;
    text = text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
    return Json::parse(text).has_value() &&
           (grammar_ == nullptr || llm::grammar::matches(grammar_, text));
  }

  std::string name_;
  std::shared_ptr<const Grammar> grammar_;
};

}  // namespace

std::unique_ptr<RewardFunction> make_json(Env& env, Spec spec) {
  return std::make_unique<JsonReward>(env, std::move(spec));
}

}  // namespace hone::reward
