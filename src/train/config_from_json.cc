#include <algorithm>
#include <set>

#include "base/error.h"
#include "train/config.h"

namespace hone::train {

namespace {

// Reads members one by one and knows at the end which were not asked for.
class Settings {
 public:
  explicit Settings(const Json& json) : json_(json) {
    if (!json.is_object()) {
      throw invalid_input("settings: expected an object, found a " + std::string(json.kind_name()));
    }
  }

  void read(const char* key, double* value) {
    with(key, [&](const Json& j) { *value = j.as_double(); });
  }
  void read(const char* key, bool* value) {
    with(key, [&](const Json& j) { *value = j.as_bool(); });
  }
  void read(const char* key, size_t* value) {
    with(key, [&](const Json& j) {
      const int64_t number = j.as_int();
      if (number < 0) throw invalid_input("a number of 0 or more is expected");
      *value = static_cast<size_t>(number);
    });
  }
  void read(const char* key, std::vector<double>* values) {
    with(key, [&](const Json& j) {
      values->clear();
      for (const Json& element : j.as_array()) values->push_back(element.as_double());
    });
  }
  void read(const char* key, std::vector<std::string>* values) {
    with(key, [&](const Json& j) {
      values->clear();
      for (const Json& element : j.as_array()) values->push_back(element.as_string());
    });
  }
  // One of the enumerators, by its name.
  template <typename Enum>
  void read(const char* key, Enum* value, std::initializer_list<Enum> all) {
    with(key, [&](const Json& j) {
      for (Enum candidate : all) {
        if (train::name(candidate) != j.as_string()) continue;
        *value = candidate;
        return;
      }
      throw invalid_input("\"" + j.as_string() + "\" is not known");
    });
  }

  void refuse_unknown() const {
    for (const auto& [key, value] : json_.as_object()) {
      if (!known_.contains(key)) {
        throw invalid_input("settings: \"" + key + "\" is not known to this version of hone");
      }
    }
  }

 private:
  template <typename Use>
  void with(const char* key, const Use& use) {
    known_.insert(key);
    const Json* value = json_.find(key);
    if (value == nullptr) {
      throw invalid_input(std::string("settings: \"") + key +
                          "\" is missing: another version of hone wrote them");
    }
    try {
      use(*value);
    } catch (const Error& error) {
      throw invalid_input(std::string("settings: \"") + key + "\": " + error.message());
    }
  }

  const Json& json_;
  std::set<std::string, std::less<>> known_;
};

void read_common(Settings& settings, TrainConfig& c) {
  settings.read("learning_rate", &c.learning_rate);
  settings.read("lr_scheduler_type", &c.lr_scheduler_type,
                {Scheduler::kLinear, Scheduler::kCosine, Scheduler::kConstant});
  settings.read("warmup_ratio", &c.warmup_ratio);
  settings.read("warmup_steps", &c.warmup_steps);
  settings.read("num_train_epochs", &c.num_train_epochs);
  settings.read("max_steps", &c.max_steps);
  settings.read("per_device_train_batch_size", &c.per_device_train_batch_size);
  settings.read("gradient_accumulation_steps", &c.gradient_accumulation_steps);
  settings.read("max_length", &c.max_length);
  settings.read("max_prompt_length", &c.max_prompt_length);
  settings.read("weight_decay", &c.weight_decay);
  settings.read("adam_beta1", &c.adam_beta1);
  settings.read("adam_beta2", &c.adam_beta2);
  settings.read("adam_epsilon", &c.adam_epsilon);
  settings.read("max_grad_norm", &c.max_grad_norm);
  settings.read("lora_r", &c.lora_r);
  settings.read("lora_alpha", &c.lora_alpha);
  settings.read("lora_dropout", &c.lora_dropout);
  settings.read("lora_target_modules", &c.lora_target_modules);
  settings.read("train_sampling_strategy", &c.train_sampling_strategy,
                {SamplingStrategy::kRandom, SamplingStrategy::kSequential});
  settings.read("prefix_sharing", &c.prefix_sharing);
}

}  // namespace

SftConfig sft_config_from_json(const Json& json) {
  Settings settings(json);
  SftConfig config;
  read_common(settings, config);
  settings.read("completion_only_loss", &config.completion_only_loss);
  settings.read("assistant_only_loss", &config.assistant_only_loss);
  settings.read("packing", &config.packing);
  settings.refuse_unknown();
  validate(config);
  return config;
}

DpoConfig dpo_config_from_json(const Json& json) {
  Settings settings(json);
  DpoConfig config;
  std::vector<std::string> losses;
  read_common(settings, config);
  settings.read("beta", &config.beta);
  settings.read("loss_type", &losses);
  settings.read("loss_weights", &config.loss_weights);
  settings.read("label_smoothing", &config.label_smoothing);
  settings.read("reference_free", &config.reference_free);
  settings.refuse_unknown();
  config.loss_type.clear();
  for (const std::string& loss : losses) {
    const auto type = preference_loss_from_name(loss);
    if (!type) throw invalid_input("settings: \"loss_type\": \"" + loss + "\" is not known");
    config.loss_type.push_back(*type);
  }
  validate(config);
  return config;
}

RewardConfig reward_config_from_json(const Json& json) {
  Settings settings(json);
  RewardConfig config;
  read_common(settings, config);
  settings.read("center_rewards_coefficient", &config.center_rewards_coefficient);
  settings.refuse_unknown();
  validate(config);
  return config;
}

}  // namespace hone::train
