#include "llm/unpaired_rows.h"

#include <algorithm>

#include "base/error.h"

namespace hone::llm {

using data::Row;
using data::RowKind;

TreeExample answer_tree(const std::vector<int32_t>& prompt,
                        const std::vector<int32_t>& completion) {
  TreeExample example{make_group(prompt, {completion}), {}};
  for (uint32_t i = prompt.empty() ? 1 : 0; i < completion.size(); ++i) {
    example.targets.push_back({1, i});
  }
  return example;
}

TreeExample UnpairedTokens::tree() const { return answer_tree(prompt, completion); }

std::vector<RowKind> unpaired_row_kinds() {
  return {RowKind::kUnpaired, RowKind::kTokenizedCompletion};
}

std::vector<UnpairedTokens> tokenize_unpaired(const std::vector<Row>& rows, const TextCodec* codec,
                                              const TokenizeOptions& config,
                                              const ModelConfig& model) {
  // The same tokens as a row that shows an answer: only what is done with them differs.
  std::vector<Row> shown = rows;
  for (Row& row : shown) {
    if (row.kind == RowKind::kUnpaired) row.kind = RowKind::kPromptCompletion;
  }
  TokenizeOptions answers = config;
  answers.completion_only_loss = true;
  std::vector<UnpairedTokens> out;
  const std::vector<SftTokens> tokens = tokenize_sft(shown, codec, answers, model);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].label) {
      throw invalid_input("row " + tokens[i].name +
                          " has no label: it must say whether the answer is good");
    }
    const auto begin = std::find(tokens[i].trained.begin(), tokens[i].trained.end(), 1);
    const auto prompt = begin - tokens[i].trained.begin();
    UnpairedTokens one;
    one.prompt.assign(tokens[i].tokens.begin(), tokens[i].tokens.begin() + prompt);
    one.completion.assign(tokens[i].tokens.begin() + prompt, tokens[i].tokens.end());
    one.desirable = *rows[i].label;
    one.weight = rows[i].weight;
    one.probability = rows[i].probability;
    one.name = tokens[i].name;
    one.cut = tokens[i].cut;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace hone::llm
