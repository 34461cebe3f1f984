#include "llm/tokenizer/tokenizer_json_steps.h"

#include "base/error.h"
#include "llm/tokenizer/pre_tokenizers.h"
#include "llm/tokenizer/regex_split.h"

namespace hone::llm {
namespace {

constexpr size_t kStepsMax = 64;

Error unknown(const char* where, const std::string& type, const char* known) {
  return invalid_input("tokenizer.json: " + std::string(where) + " \"" + type +
                       "\" is not one that Hone knows: " + known);
}

// pattern: {"String": ...} or {"Regex": ...}.
std::string pattern_of(const Json& step, const char* where, bool literal_only) {
  const Json& pattern = step.at("pattern");
  if (const Json* text = pattern.find("String")) {
    return literal_only ? text->as_string() : escape_regex(text->as_string());
  }
  if (literal_only) {
    throw invalid_input("tokenizer.json: " + std::string(where) +
                        ": only a pattern that is a String is read");
  }
  return pattern.at("Regex").as_string();
}

SplitStep::Behavior behavior_of(const Json& step) {
  using Behavior = SplitStep::Behavior;
  const std::string& name = step.at("behavior").as_string();
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  throw unknown("pre_tokenizer Split behavior", name,
                "Isolated, Removed, MergedWithPrevious, MergedWithNext");
}

void read_byte_level(const Json& step, TokenizerData& data) {
  if (flag_of(step, "add_prefix_space", true)) {
    if (!data.splits.empty()) {
      throw invalid_input(
          "tokenizer.json: pre_tokenizer ByteLevel with add_prefix_space behind "
          "another split is not read");
    }
    data.pre_steps.push_back({TextStep::Kind::kPrependIfMissing, {}, " "});
  }
  if (flag_of(step, "use_regex", true)) data.splits.push_back({kGpt2Regex});
}

void read_metaspace(const Json& step, TokenizerData& data) {
  if (!data.splits.empty()) {
    throw invalid_input("tokenizer.json: pre_tokenizer Metaspace behind another split is not read");
  }
  const Json* given = step.find("replacement");
  const std::string replacement = given != nullptr ? given->as_string() : "\xE2\x96\x81";
  const Json* scheme = step.find("prepend_scheme");
  const std::string prepend = scheme != nullptr && !scheme->is_null()   ? scheme->as_string()
                              : flag_of(step, "add_prefix_space", true) ? "always"
                                                                        : "never";
  data.pre_steps.push_back({TextStep::Kind::kReplace, " ", replacement});
  if (prepend == "always") {
    data.pre_steps.push_back({TextStep::Kind::kPrependIfMissing, {}, replacement});
  } else if (prepend == "first") {
    data.pre_steps.push_back({TextStep::Kind::kPrependIfMissingAtStart, {}, replacement});
  } else if (prepend != "never") {
    throw unknown("pre_tokenizer Metaspace prepend_scheme", prepend, "always, first, never");
  }
  if (flag_of(step, "split", true)) {
    data.splits.push_back({escape_regex(replacement), SplitStep::Behavior::kMergedWithNext});
  }
}

}  // namespace

const std::string& type_of(const Json& object, const char* where) {
  const Json* type = object.find("type");
  if (type == nullptr || !type->is_string()) {
    throw corrupt_data("tokenizer.json: " + std::string(where) + " has no \"type\"");
  }
  return type->as_string();
}

bool flag_of(const Json& object, std::string_view key, bool otherwise) {
  const Json* flag = object.find(key);
  return flag == nullptr || flag->is_null() ? otherwise : flag->as_bool();
}

std::vector<const Json*> steps_of(const Json& object, const char* list_key, const char* where) {
  if (object.is_null()) return {};
  std::vector<const Json*> steps;
  if (type_of(object, where) != "Sequence") {
    steps.push_back(&object);
    return steps;
  }
  for (const Json& step : object.at(list_key).as_array()) steps.push_back(&step);
  if (steps.size() > kStepsMax) {
    throw corrupt_data("tokenizer.json: " + std::string(where) + " has more than " +
                       std::to_string(kStepsMax) + " steps");
  }
  return steps;
}

void read_normalizer(const Json& normalizer, TokenizerData& data) {
  for (const Json* step : steps_of(normalizer, "normalizers", "normalizer")) {
    const std::string& type = type_of(*step, "normalizer");
    if (type == "NFC") {
      data.normalizer.push_back({TextStep::Kind::kNfc});
    } else if (type == "Prepend") {
      data.normalizer.push_back({TextStep::Kind::kPrepend, {}, step->at("prepend").as_string()});
    } else if (type == "Replace") {
      data.normalizer.push_back({TextStep::Kind::kReplace,
                                 pattern_of(*step, "normalizer Replace", true),
                                 step->at("content").as_string()});
    } else {
      throw unknown("normalizer", type, "NFC, Prepend, Replace, Sequence of these");
    }
  }
}

void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerData& data, bool& has_byte_level) {
  has_byte_level = false;
  for (const Json* step : steps_of(pre_tokenizer, "pretokenizers", "pre_tokenizer")) {
    const std::string& type = type_of(*step, "pre_tokenizer");
    if (has_byte_level) {
      throw invalid_input("tokenizer.json: pre_tokenizer \"" + type +
                          "\" behind ByteLevel is not read");
    }
    if (type == "Split") {
      data.splits.push_back({pattern_of(*step, "pre_tokenizer Split", false), behavior_of(*step),
                             flag_of(*step, "invert", false)});
    } else if (type == "Digits") {
      const bool individual = flag_of(*step, "individual_digits", false);
      data.splits.push_back({individual ? kDigitRegex : kDigitsRegex});
    } else if (type == "ByteLevel") {
      read_byte_level(*step, data);
      has_byte_level = true;
    } else if (type == "Metaspace") {
      read_metaspace(*step, data);
    } else {
      throw unknown("pre_tokenizer", type,
                    "Split, Digits, ByteLevel, Metaspace, Sequence of these");
    }
  }
}

}  // namespace hone::llm
