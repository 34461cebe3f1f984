#pragma once
// Rows with two views of one thing (LLM-JEPA, arXiv 2509.14252), from a row to a token tree.
//
// The views of a row: its prompt and its completion; of messages: everything before the assistant's
// last words, and those words; of any row with "views": ["one", "other"], these two texts, each with
// the vocabulary's BOS in front, the second with EOS behind. The second view of a text row has the
// vocabulary's BOS in front too. The rest of the row is what sft makes of it.
//
// One forward computes everything and the views do not see one another: in the tree the second view
// is a root of its own, with positions from 0 (rope knows distances only). The first view is causal,
// so where the row begins with it, its rows are the row's own: the predictor tokens follow them as a
// branch beside the completion. Without prefix sharing, or where the row begins otherwise, the first
// view is a root too, as in the paper.

#include <cstdint>
#include <string>
#include <vector>

#include "data/rows.h"
#include "llm/model_config.h"
#include "llm/text_codec.h"
#include "llm/tokenized_rows.h"
#include "llm/tree_scoring.h"

namespace hone::llm {

struct ViewTokens {
  SftTokens row;
  std::vector<int32_t> first, second;  // each at least one token

  struct Layout {
    size_t vocab_size = 0;  // predictor tokens are the ids from here on
    size_t predictors = 0;  // behind the first view
    bool prefix_sharing = true;
  };
  // Targets: the row's trained tokens, then the hidden states at the end of the first view (behind
  // its predictors) and of the second.
  TreeExample tree(const Layout& layout) const;
  // The views alone; the same hidden states, to the bit.
  TreeExample views_tree(const Layout& layout) const;
};

// Throws invalid_input that names the row when it cannot be used, as tokenize_sft, or has no two
// views. Views are cut as rows are; predictors must fit the context behind the first.
std::vector<ViewTokens> tokenize_views(const std::vector<data::Row>& rows, const TextCodec* codec,
                                       const TokenizeOptions& options, size_t predictors,
                                       const ModelConfig& model);

}  // namespace hone::llm
