#pragma once
// A tokenizer as the files of a Hugging Face directory, so that a model trained from a GGUF file
// loads in transformers: the counterpart of tokenizer_json.h.
//
// tokenizer.json holds every step of TokenizerData; read back (by tokenizer_from_json or by Hugging
// Face tokenizers) it gives the same ids. Three things are said in another form:
// - Every token, added or not, is in model.vocab: Hugging Face numbers anew what is not. Of tokens
//   with the same text the added one is kept, else the last: the only one that text becomes.
// - SentencePiece scores become merges by rank (generate_merges), as transformers converts them.
//   That leaves out pieces with a character that is no piece itself.
// - Steps between added tokens and splits become the normalizer where no Metaspace says them.
//
// tokenizer_config.json names the special tokens by their text and carries the chat template. What
// ends a generation besides eos belongs to generation_config.json (formats/model_writer.h).
//
// Errors: invalid_input names what neither file can say (text that is not UTF-8, an order of steps
// that no component has). Call it before a long training rather than after it.

#include <string>
#include <vector>

#include "llm/tokenizer/tokenizer_data.h"

namespace hone::llm {

struct HuggingFaceTokenizer {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
};

// An empty chat template is left out.
HuggingFaceTokenizer huggingface_tokenizer(const TokenizerData& data,
                                           const std::string& chat_template);

// Every way to put two pieces together into a third, the greatest score of the third first, then
// the lowest ids of the two. `data` has scores and no merges.
std::vector<TokenizerData::Merge> generate_merges(const TokenizerData& data);

}  // namespace hone::llm
