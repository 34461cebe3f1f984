#pragma once
// Writes a model as a Hugging Face directory or as one GGUF file, a row at a time, so that memory
// stays small. Rows come and go in Hugging Face's order and f32; the interleaving of GGUF's q and k
// rows is done here (gguf_config.h says for whom).
//
// Errors: invalid_input for what a format cannot say, corrupt_data for NaN or infinity in a row (with
// tensor and row), unavailable from the disk. Files appear whole or not at all.

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "llm/formats/gguf.h"
#include "llm/formats/model_file.h"
#include "llm/tokenizer/tokenizer_gguf.h"

namespace hone::llm {

// Fills out with row `row` of the tensor of that Hugging Face name; of a vector (TensorShape cols 1)
// row 0 is the whole vector. Called in ascending order of rows for directories, in any for GGUF.
using RowReader = std::function<void(std::string_view name, size_t row, float* out)>;
RowReader rows_of(const ModelFile& file);  // the file must outlive it

// More files of the directory, already whole: tokenizer.json, tokenizer_config.json, ...
using NamedFile = std::pair<std::string, std::string>;

// type: F32, F16 or BF16. eos ids go to config.json and generation_config.json.
void write_huggingface_directory(Env& env, const std::string& directory, const ModelConfig& config,
                                 tensor::DataType type, const RowReader& rows,
                                 const std::vector<int64_t>& eos_token_ids,
                                 const std::vector<NamedFile>& files);

// type: F32, F16, BF16, Q8_0, Q4_0, Q4_1 for matrices whose rows divide into blocks (else F16);
// the embedding and head are kept at Q8_0 when type has 4 bits; vectors are F32. `tokenizer` holds
// the tokenizer.* entries.
void write_gguf(Env& env, const std::string& path, const ModelConfig& config, tensor::DataType type,
                const RowReader& rows, const std::vector<GgufEntry>& tokenizer);
// Copied from another GGUF.
std::vector<GgufEntry> tokenizer_entries(const GgufFile& file);
// Of a tokenizer that came from elsewhere (tokenizer/tokenizer_gguf_writer.h), with the
// chat templates of `extras`.
std::vector<GgufEntry> tokenizer_entries(const GgufTokenizerFields& fields,
                                         const ModelExtras& extras);

}  // namespace hone::llm
