#include "train/distill_config.h"

#include <cmath>

#include "base/error.h"
#include "train/settings_reader.h"
#include "train/teacher_words.h"

namespace hone::train {

Json DistillConfig::to_json() const {
  Json json = TrainConfig::to_json();
  json["beta"] = beta;
  json["lmbda"] = lmbda;
  json["temperature"] = temperature;
  json["max_new_tokens"] = uint64_t{max_new_tokens};
  json["seq_kd"] = seq_kd;
  json["teacher_top_k"] = uint64_t{teacher_top_k};
  json["recorded_teacher"] = recorded_teacher;
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
  settings.read("teacher_top_k", &config.teacher_top_k);
  settings.read("recorded_teacher", &config.recorded_teacher);
  settings.refuse_unknown();
  config.complete();
  validate(config);
  return config;
}

void validate(const DistillConfig& c) {
  validate(static_cast<const TrainConfig&>(c));
  require(c.beta >= 0 && c.beta <= 1, "beta", c.beta, "from 0 to 1");
  require(c.lmbda >= 0 && c.lmbda <= 1, "lmbda", c.lmbda, "from 0 to 1");
  if (!(std::isfinite(c.temperature) && c.temperature > 0)) {
    throw invalid_input("--temperature is " + number_to_string(c.temperature) +
                        ": answers are drawn at a temperature above 0");
  }
  if (c.teacher_top_k > kMaxTeacherWords) {
    throw invalid_input("--teacher-top-k is " + std::to_string(c.teacher_top_k) +
                        ": it must be 0 (all words) or at most " +
                        std::to_string(kMaxTeacherWords));
  }
  if (c.recorded_teacher && (c.lmbda > 0 || c.seq_kd)) {
    throw invalid_input(
        "--teacher-logprobs says what the teacher thinks of the rows' answers alone: set --lmbda "
        "0, and leave out --seq-kd");
  }
  if (c.recorded_teacher && c.teacher_top_k > 0) {
    throw invalid_input(
        "--teacher-top-k follows from the file of --teacher-logprobs: leave it out");
  }
  if (c.max_new_tokens == 0) {
    throw invalid_input("--max-new-tokens is 0: an answer has at least one token");
  }
}

}  // namespace hone::train
