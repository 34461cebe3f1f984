#pragma once
// config.json of Hugging Face directories, old form (rope_theta, rope_scaling) and new form
// (rope_parameters, transformers 5): docs/formats/safetensors.md.
//
// Errors: invalid_input that begins with `source` and names the key, its value and what is
// supported. A feature that the forward does not compute is refused, never ignored.

#include <string_view>

#include "base/json.h"
#include "llm/model_config.h"

namespace hone::llm {

ModelConfig config_from_json(const Json& json, std::string_view source);

// The old form with the new one beside it where they do not contradict, so that transformers 4 and
// 5 read it. Refuses what config.json cannot say (layers that differ, rope factors of no known rule).
Json config_to_json(const ModelConfig& config);

}  // namespace hone::llm
