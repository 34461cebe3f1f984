#include "reward/posterior.h"

#include <cmath>

#include "base/error.h"
#include "reward/match.h"

namespace hone::reward {

namespace {

[[noreturn]] void refuse(const Sample& sample, const std::string& name, const std::string& why) {
  throw invalid_input(std::string(sample.row_name) + ": reward " + name + ": " + why);
}

class Posterior : public RewardFunction {
 public:
  explicit Posterior(Spec spec)
      : name_(spec.name()),
        column_(spec.text_of("column", "posterior")),
        answer_(spec.text_of("answer", "answer")),
        none_(spec.one_of("other", {"zero", "none"}) == "none"),
        ignore_case_(spec.one_of("case", {"exact", "ignore"}) == "ignore") {
    spec.done();
  }
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const Sample> samples) override {
    std::vector<std::optional<double>> out;
    for (const Sample& sample : samples) out.push_back(value(sample));
    return out;
  }

 private:
  std::string form(std::string_view text) const {
    const std::string_view word = trimmed(text);
    return ignore_case_ ? lower(word) : std::string(word);
  }

  double probability(const Sample& sample, const Json& json) const {
    if (!json.is_number() || !(json.as_double() >= 0 && json.as_double() <= 1)) {
      refuse(sample, name_,
             "the column \"" + column_ + "\" holds " + json.dump() +
                 " where a probability from 0 to 1 is expected");
    }
    return json.as_double();
  }

  std::optional<double> value(const Sample& sample) const {
    const Json* column = sample.row == nullptr ? nullptr : sample.row->find(column_);
    if (column == nullptr) {
      refuse(sample, name_, "it needs the column \"" + column_ + "\", and the row has none");
    }
    const std::string said = form(sample.completion);
    std::optional<double> found;
    const auto look = [&](std::string_view label, const Json& json) {
      const double p = probability(sample, json);
      if (form(label) == said) found = found.value_or(0) + p;
    };
    if (column->is_object()) {
      for (const auto& [label, json] : column->as_object()) look(label, json);
    } else if (column->is_array()) {
      for (const Json& entry : column->as_array()) look_in(sample, entry, look);
    } else {
      look(column_text(sample, answer_, name_), *column);
    }
    if (!found && !none_) return 0;
    return found;
  }

  template <typename Look>
  void look_in(const Sample& sample, const Json& entry, const Look& look) const {
    const Json* label = entry.is_object() ? entry.find("label") : nullptr;
    const Json* p = entry.is_object() ? entry.find("probability") : nullptr;
    if (label == nullptr || p == nullptr || !label->is_string()) {
      refuse(sample, name_,
             "the column \"" + column_ +
                 "\" is a list, whose entries must be {\"label\", "
                 "\"probability\"}");
    }
    look(label->as_string(), *p);
  }

  std::string name_, column_, answer_;
  bool none_, ignore_case_;
};

}  // namespace

std::unique_ptr<RewardFunction> make_posterior(Spec spec) {
  return std::make_unique<Posterior>(std::move(spec));
}

}  // namespace hone::reward
