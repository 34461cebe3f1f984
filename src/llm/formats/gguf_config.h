#pragma once
// ModelConfig out of GGUF metadata and into it, and the names of tensors in both worlds:
// docs/formats/gguf.md. Errors: invalid_input that names the file and the key.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/formats/gguf.h"
#include "llm/model_config.h"

namespace hone::llm {

ModelConfig config_from_gguf(const GgufFile& file);

// general.architecture and the model's keys. Refuses windows that GGUF cannot say.
std::vector<GgufEntry> config_to_gguf(const ModelConfig& config);

// "blk.3.attn_q.weight" <-> "model.layers.3.self_attn.q_proj.weight"; none for names that are not
// part of a supported model.
std::optional<std::string> huggingface_name(std::string_view gguf_name);
std::optional<std::string> gguf_name(std::string_view huggingface_name);

// Whether GGUF stores the rows of this model's q and k interleaved.
bool gguf_interleaves(const ModelConfig& config);

}  // namespace hone::llm
