#include "llm/tokenized_rows.h"

#include <algorithm>

#include "base/error.h"

namespace hone::llm {

using data::Row;
using data::RowKind;

namespace {

Error row_error(const Row& row, const std::string& what) {
  return invalid_input((row.file.empty() ? std::string("row") : row.file) + ":" +
                       std::to_string(row.line) + ": " + what);
}

const TextCodec& need_codec(const Row& row, const TextCodec* codec) {
  if (codec != nullptr) return *codec;
  throw row_error(row,
                  "this model has no tokenizer, so rows must be tokenised already (input_ids, or "
                  "prompt_ids with completion_ids)");
}

void check_ids(const Row& row, const std::vector<int32_t>& ids, size_t vocab_size) {
  for (int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= vocab_size) {
      throw row_error(row, "token id " + std::to_string(id) +
                               " is not in the model's vocabulary (" + std::to_string(vocab_size) +
                               " tokens): was it made for another model?");
    }
  }
}

void keep_last(std::vector<int32_t>& ids, size_t count) {
  if (count > 0 && ids.size() > count) {
    ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(count));
  }
}

size_t bounded_length(const TokenizeOptions& config, size_t context_length) {
  return config.max_length == 0 ? SIZE_MAX : std::min(config.max_length, context_length);
}

void append_eos(const TextCodec& codec, std::vector<int32_t>& ids) {
  const auto eos = codec.tokenizer().eos();
  if (eos && (ids.empty() || ids.back() != *eos)) ids.push_back(*eos);
}

struct PromptAndCompletion {
  std::vector<int32_t> prompt, completion;
};

// The completion's tokens are those of the whole text behind the prompt's; where the two texts do
// not tokenise into one another, each is tokenised by itself.
PromptAndCompletion split_at_prompt(std::vector<int32_t> prompt, const std::vector<int32_t>& whole,
                                    const std::vector<int32_t>& alone) {
  if (whole.size() >= prompt.size() && std::equal(prompt.begin(), prompt.end(), whole.begin())) {
    std::vector<int32_t> completion(whole.begin() + static_cast<std::ptrdiff_t>(prompt.size()),
                                    whole.end());
    return {std::move(prompt), std::move(completion)};
  }
  return {std::move(prompt), alone};
}

PromptAndCompletion encode_pair(const Row& row, const TextCodec& codec, const Json& prompt,
                                const Json& completion) {
  if (!row.conversational()) {
    const std::string& p = prompt.as_string();
    const std::string& c = completion.as_string();
    PromptAndCompletion out = split_at_prompt(codec.encode_text(p), codec.encode_text(p + c),
                                              codec.encode_continuation(c));
    append_eos(codec, out.completion);
    return out;
  }
  Json whole = prompt;
  for (const Json& message : completion.as_array()) whole.push_back(message);
  const ChatTokens start = codec.encode_chat(prompt, true);
  const ChatTokens all = codec.encode_chat(whole, false);
  if (all.text.compare(0, start.text.size(), start.text) != 0) {
    throw row_error(row,
                    "the chat template writes the prompt otherwise when an answer follows, so the "
                    "two cannot be told apart: use another template or tokenised rows");
  }
  return split_at_prompt(start.ids, all.ids,
                         codec.encode_chat_continuation(whole, start.text.size()));
}

}  // namespace

size_t SftTokens::trained_tokens() const {
  size_t count = 0;
  for (size_t i = 1; i < trained.size(); ++i) count += trained[i];
  return count;
}

TreeExample SftTokens::tree() const {
  TreeExample example{make_sequence(tokens), {}};
  for (size_t i = 1; i < trained.size(); ++i) {
    if (trained[i] != 0) example.targets.push_back({0, static_cast<uint32_t>(i)});
  }
  return example;
}

namespace {

// Both answers behind their prompt: once for both, or once each.
TokenTree pair_tree(const PreferenceTokens& pair, bool prefix_sharing) {
  if (prefix_sharing) return make_group(pair.prompt, {pair.chosen, pair.rejected});
  TokenTree tree;
  for (const auto* side : {&pair.chosen, &pair.rejected}) {
    std::vector<int32_t> tokens = pair.prompt;
    tokens.insert(tokens.end(), side->begin(), side->end());
    tree.nodes.push_back({-1, std::move(tokens)});
  }
  return tree;
}

}  // namespace

TreeExample PreferenceTokens::score_tree(bool prefix_sharing) const {
  TreeExample example{pair_tree(*this, prefix_sharing), {}};
  for (uint32_t node = prefix_sharing ? 1 : 0; node < example.tree.nodes.size(); ++node) {
    const size_t tokens = example.tree.nodes[node].tokens.size();
    example.targets.push_back({node, static_cast<uint32_t>(tokens - 1), true});
  }
  return example;
}

TreeExample PreferenceTokens::tree(bool prefix_sharing) const {
  TreeExample example{pair_tree(*this, prefix_sharing), {}};
  const uint32_t skip = prompt.empty() ? 1 : 0;
  const uint32_t first = prefix_sharing ? 1 : 0;
  const uint32_t offset = prefix_sharing ? 0 : static_cast<uint32_t>(prompt.size());
  for (uint32_t i = skip; i < chosen.size(); ++i) example.targets.push_back({first, offset + i});
  for (uint32_t i = skip; i < rejected.size(); ++i) {
    example.targets.push_back({first + 1, offset + i});
  }
  return example;
}

SftTokens tokenize_sft_row(const Row& row, const TextCodec* codec, const TokenizeOptions& config,
                           size_t context_length) {
  SftTokens example;
  example.weight = row.weight;
  example.name = data::row_name(row);
  const auto prompt_then_completion = [&](PromptAndCompletion parts) {
    keep_last(parts.prompt, config.max_prompt_length);
    example.tokens = std::move(parts.prompt);
    example.trained.assign(example.tokens.size(), config.completion_only_loss ? 0 : 1);
    example.tokens.insert(example.tokens.end(), parts.completion.begin(), parts.completion.end());
    example.trained.resize(example.tokens.size(), 1);
  };
  switch (row.kind) {
    case RowKind::kText: {
      const TextCodec& c = need_codec(row, codec);
      example.tokens = c.encode_text(row.text.as_string());
      append_eos(c, example.tokens);
      example.trained.assign(example.tokens.size(), 1);
      break;
    }
    case RowKind::kMessages: {
      ChatTokens chat = need_codec(row, codec).encode_chat(row.messages, false);
      example.tokens = std::move(chat.ids);
      example.trained = config.assistant_only_loss ? std::move(chat.assistant)
                                                   : std::vector<uint8_t>(example.tokens.size(), 1);
      break;
    }
    case RowKind::kPromptCompletion:
      prompt_then_completion(encode_pair(row, need_codec(row, codec), row.prompt, row.completion));
      break;
    case RowKind::kTokenizedCompletion:
      prompt_then_completion({row.prompt_ids, row.completion_ids});
      break;
    case RowKind::kTokenizedLm:
      example.tokens = row.input_ids;
      example.trained.assign(example.tokens.size(), 1);
      for (size_t i = 0; i < row.token_labels.size(); ++i) {
        example.trained[i] = row.token_labels[i] == data::kNotTrained ? 0 : 1;
      }
      break;
    default:
      throw row_error(row, "a row of kind " + std::string(data::row_kind_name(row.kind)) +
                               " cannot be used by sft: it needs text, messages, or prompt and "
                               "completion");
  }
  const size_t limit = bounded_length(config, context_length);
  if (example.tokens.size() > limit) {
    example.cut = example.tokens.size() - limit;
    example.tokens.resize(limit);
    example.trained.resize(limit);
  }
  if (example.tokens.size() > context_length) {
    throw row_error(row, std::to_string(example.tokens.size()) +
                             " tokens, but the model's context is " +
                             std::to_string(context_length) + ": set --max-length");
  }
  if (example.trained_tokens() == 0) {
    throw row_error(row,
                    "no token is left to train on (all masked, or cut away): look at its labels, "
                    "or raise --max-length");
  }
  return example;
}

PreferenceTokens tokenize_preference_row(const Row& row, const TextCodec* codec,
                                         const TokenizeOptions& config, size_t context_length) {
  PreferenceTokens example;
  example.weight = row.weight;
  example.probability = row.probability;
  example.margin = row.margin;
  example.name = data::row_name(row);
  if (row.kind == RowKind::kTokenizedPreference) {
    example.prompt = row.prompt_ids;
    example.chosen = row.chosen_ids;
    example.rejected = row.rejected_ids;
  } else if (row.kind == RowKind::kPreference) {
    const TextCodec& c = need_codec(row, codec);
    Json prompt = row.prompt, chosen = row.chosen, rejected = row.rejected;
    if (prompt.is_null()) {
      data::SplitPreference split = data::split_shared_prompt(chosen, rejected).value();
      prompt = std::move(split.prompt);
      chosen = std::move(split.chosen);
      rejected = std::move(split.rejected);
    }
    PromptAndCompletion good = encode_pair(row, c, prompt, chosen);
    PromptAndCompletion bad = encode_pair(row, c, prompt, rejected);
    example.prompt = std::move(good.prompt);
    example.chosen = std::move(good.completion);
    example.rejected = std::move(bad.completion);
  } else {
    throw row_error(row, "a row of kind " + std::string(data::row_kind_name(row.kind)) +
                             " is not a preference: it needs prompt, chosen and rejected");
  }
  keep_last(example.prompt, config.max_prompt_length);
  const size_t limit = bounded_length(config, context_length);
  for (auto* side : {&example.chosen, &example.rejected}) {
    const size_t total = example.prompt.size() + side->size();
    if (total > limit) {
      if (example.prompt.size() >= limit) {
        throw row_error(row,
                        "the prompt alone has " + std::to_string(example.prompt.size()) +
                            " tokens, which leaves nothing of the answers under --max-length " +
                            std::to_string(limit) + ": raise it or set --max-prompt-length");
      }
      example.cut += total - limit;
      side->resize(limit - example.prompt.size());
    } else if (total > context_length) {
      throw row_error(row, std::to_string(total) + " tokens, but the model's context is " +
                               std::to_string(context_length) + ": set --max-length");
    }
    if (side->size() <= (example.prompt.empty() ? 1u : 0u)) {
      throw row_error(row,
                      "an answer has no token to train on: chosen and rejected must not be empty");
    }
  }
  return example;
}

namespace {

void check_vocabulary(const Row& row, const ModelConfig& model) {
  for (const auto* ids :
       {&row.input_ids, &row.prompt_ids, &row.completion_ids, &row.chosen_ids, &row.rejected_ids}) {
    check_ids(row, *ids, model.vocab_size);
  }
}

}  // namespace

std::vector<SftTokens> tokenize_sft(const std::vector<Row>& rows, const TextCodec* codec,
                                    const TokenizeOptions& config, const ModelConfig& model) {
  std::vector<SftTokens> examples;
  for (const Row& row : rows) {
    check_vocabulary(row, model);
    examples.push_back(tokenize_sft_row(row, codec, config, model.context_length));
    check_ids(row, examples.back().tokens, model.vocab_size);
  }
  return examples;
}

std::vector<PreferenceTokens> tokenize_preferences(const std::vector<Row>& rows,
                                                   const TextCodec* codec,
                                                   const TokenizeOptions& config,
                                                   const ModelConfig& model) {
  std::vector<PreferenceTokens> examples;
  for (const Row& row : rows) {
    check_vocabulary(row, model);
    PreferenceTokens example = tokenize_preference_row(row, codec, config, model.context_length);
    for (const auto* ids : {&example.prompt, &example.chosen, &example.rejected}) {
      check_ids(row, *ids, model.vocab_size);  // a tokenizer may know more than the model
    }
    examples.push_back(std::move(example));
  }
  return examples;
}

std::vector<PromptTokens> tokenize_prompts(const std::vector<Row>& rows, const TextCodec* codec,
                                           const TokenizeOptions& config,
                                           const ModelConfig& model) {
  std::vector<PromptTokens> prompts;
  for (const Row& row : rows) {
    PromptTokens prompt;
    prompt.name = data::row_name(row);
    prompt.where = row.file + ":" + std::to_string(row.line);
    prompt.columns = row.provenance;
    if (!row.prompt_ids.empty()) {
      prompt.ids = row.prompt_ids;
    } else if (row.prompt.is_string()) {
      prompt.text = row.prompt.as_string();
      prompt.ids = need_codec(row, codec).encode_text(prompt.text);
    } else {
      ChatTokens chat = need_codec(row, codec).encode_chat(row.prompt, true);
      prompt.text = std::move(chat.text);
      prompt.ids = std::move(chat.ids);
    }
    keep_last(prompt.ids, config.max_prompt_length);
    check_ids(row, prompt.ids, model.vocab_size);
    if (prompt.ids.empty()) {
      throw row_error(row, "the prompt has no token: nothing can follow nothing");
    }
    if (prompt.ids.size() >= model.context_length) {
      throw row_error(row, "the prompt has " + std::to_string(prompt.ids.size()) +
                               " tokens, which leaves no room for an answer in the model's " +
                               std::to_string(model.context_length) +
                               ": shorten it or set --max-prompt-length");
    }
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

std::vector<RowKind> prompt_row_kinds() { return {RowKind::kPromptOnly}; }

TreeExample StepTokens::score_tree() const {
  TreeExample example{make_sequence(tokens), {}};
  for (uint32_t end : ends) example.targets.push_back({0, end, true});
  return example;
}

std::vector<StepTokens> tokenize_steps(const std::vector<Row>& rows, const TextCodec* codec,
                                       const std::string& separator, bool last_step_only,
                                       size_t max_length, const ModelConfig& model) {
  std::vector<StepTokens> out;
  const size_t limit =
      max_length == 0 ? model.context_length : std::min(max_length, model.context_length);
  for (const Row& row : rows) {
    const TextCodec& c = need_codec(row, codec);
    StepTokens steps;
    steps.name = data::row_name(row);
    steps.weight = row.weight;
    steps.tokens = c.encode_text(row.prompt.as_string());
    const std::vector<int32_t> between = c.encode_continuation(separator);
    for (size_t i = 0; i < row.steps.size(); ++i) {
      const std::vector<int32_t> ids = c.encode_continuation(row.steps[i]);
      steps.tokens.insert(steps.tokens.end(), ids.begin(), ids.end());
      steps.tokens.insert(steps.tokens.end(), between.begin(), between.end());
      const bool wanted = !last_step_only || i + 1 == row.steps.size();
      if (!wanted || ids.size() + between.size() == 0 || steps.tokens.size() > limit) continue;
      steps.ends.push_back(static_cast<uint32_t>(steps.tokens.size() - 1));
      steps.labels.push_back(row.step_labels[i]);
    }
    if (steps.ends.empty()) {
      throw row_error(row, "no step ends within --max-length " + std::to_string(limit) +
                               ": there is nothing to train on; raise it");
    }
    steps.cut = steps.tokens.size() - std::min(steps.tokens.size(), limit);
    steps.tokens.resize(steps.tokens.size() - steps.cut);
    check_ids(row, steps.tokens, model.vocab_size);
    out.push_back(std::move(steps));
  }
  return out;
}

std::vector<RowKind> sft_row_kinds() {
  return {RowKind::kTokenizedLm, RowKind::kTokenizedCompletion, RowKind::kMessages,
          RowKind::kPromptCompletion, RowKind::kText};
}

std::vector<RowKind> stepwise_row_kinds() { return {RowKind::kStepwise}; }

std::vector<RowKind> preference_row_kinds() {
  return {RowKind::kTokenizedPreference, RowKind::kPreference};
}

}  // namespace hone::llm
