#pragma once
// The settings of a manifest back as options, member by member; what each *_config_from_json uses.

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "train/config.h"

namespace hone::train {

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
  void read(const char* key, std::optional<double>* value) {  // null: not given
    with(key, [&](const Json& j) {
      value->reset();
      if (!j.is_null()) *value = j.as_double();
    });
  }
  void read(const char* key, bool* value) {
    with(key, [&](const Json& j) { *value = j.as_bool(); });
  }
  // Written only where it is not the default.
  template <typename Value>
  void read_if_there(const char* key, Value* value) {
    if (json_.find(key) != nullptr) read(key, value);
  }
  template <typename Enum>
  void read_if_there(const char* key, Enum* value, std::initializer_list<Enum> all) {
    if (json_.find(key) != nullptr) read(key, value, all);
  }
  void read(const char* key, size_t* value) {
    with(key, [&](const Json& j) {
      const int64_t number = j.as_int();
      if (number < 0) throw invalid_input("a number of 0 or more is expected");
      *value = static_cast<size_t>(number);
    });
  }
  void read(const char* key, std::string* value) {
    with(key, [&](const Json& j) { *value = j.as_string(); });
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

// What every method has.
void read_common(Settings& settings, TrainConfig& config);
// And what sft has, with all that is common.
void read_sft(Settings& settings, SftConfig& config);
// And what every method has that learns from its own answers (train/online_config.h).
struct OnlineConfig;
void read_online(Settings& settings, OnlineConfig& config);

}  // namespace hone::train
