#include "train/distill_config.h"

#include <cmath>

#include "base/error.h"
#include "train/settings_reader.h"

namespace hone::train {

Json DistillConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["beta"] = beta;
  json["lmbda"] = lmbda;
  json["temperature"] = temperature;
  json["max_new_tokens"] = uint64_t{max_new_tokens};
  json["seq_kd"] = seq_kd;
  return json;
}

DistillConfig distill_config_from_json(const Json& json) {
  Settings settings(json);
  DistillConfig config;
  read_common(settings, config);
  settings.read("beta", &config.beta);
  settings.read("lmbda", &config.lmbda);
  settings.read("temperature", &config.temperature);
  settings.read("max_new_tokens", &config.max_new_tokens);
  settings.read("seq_kd", &config.seq_kd);
  settings.refuse_unknown();
  validate(config);
  return config;
}

void validate(const DistillConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  const auto share = [](const char* option, double value) {
    if (value >= 0 && value <= 1) return;
    throw invalid_input(std::string("--") + option + " is " + number_to_string(value) +
                        ": it must be from 0 to 1");
  };
  share("beta", c.beta);
  share("lmbda", c.lmbda);
  if (!(std::isfinite(c.temperature) && c.temperature > 0)) {
    throw invalid_input("--temperature is " + number_to_string(c.temperature) +
                        ": answers are drawn at a temperature above 0");
  }
  if (c.max_new_tokens == 0) {
    throw invalid_input("--max-new-tokens is 0: an answer has at least one token");
  }
}

}  // namespace hone::train
