#include "llm/view_rows.h"

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

size_t longest_row(const TokenizeOptions& options, const ModelConfig& model) {
  return options.max_length == 0 ? model.context_length
                                 : std::min(options.max_length, model.context_length);
}

// The prompt's tokens and the rest, of a row that has a completion.
void split_row(const SftTokens& row, ViewTokens& views) {
  const auto end = std::find(row.trained.begin(), row.trained.end(), uint8_t{1});
  const auto cut = end - row.trained.begin();
  views.first.assign(row.tokens.begin(), row.tokens.begin() + cut);
  views.second.assign(row.tokens.begin() + cut, row.tokens.end());
}

const Json* views_of(const Row& row) { return row.provenance.find("views"); }

void read_views(const Row& row, const TextCodec* codec, const TokenizeOptions& options,
                const ModelConfig& model, ViewTokens& out) {
  const Json& views = *views_of(row);
  const bool good = views.is_array() && views.size() == 2 && views.as_array()[0].is_string() &&
                    views.as_array()[1].is_string();
  if (!good) throw row_error(row, "\"views\" must be two strings: [\"one view\", \"the other\"]");
  if (codec == nullptr) {
    throw row_error(row, "\"views\" are texts, and this model has no tokenizer to read them");
  }
  out.first = codec->encode_text(views.as_array()[0].as_string());
  out.second = codec->encode_text(views.as_array()[1].as_string());
  const auto eos = codec->tokenizer().eos();
  if (eos && (out.second.empty() || out.second.back() != *eos)) out.second.push_back(*eos);
  for (auto* view : {&out.first, &out.second}) {
    const size_t limit = longest_row(options, model);
    if (view->size() <= limit) continue;
    out.row.cut += view->size() - limit;
    view->resize(limit);
  }
}

// The conversation up to the assistant's last words as a prompt, and these as its completion.
Row last_answer_of(const Row& row) {
  const auto& messages = row.messages.as_array();
  const Json* role = messages.empty() ? nullptr : messages.back().find("role");
  if (messages.size() < 2 || role == nullptr || *role != Json("assistant")) {
    throw row_error(row,
                    "a conversation needs a last message of the assistant's, with something before "
                    "it, to have two views: complete it, or name both as \"views\"");
  }
  Row split = row;
  split.kind = RowKind::kPromptCompletion;
  split.prompt = Json::array();
  for (size_t i = 0; i + 1 < messages.size(); ++i) split.prompt.push_back(messages[i]);
  split.completion = Json::array();
  split.completion.push_back(messages.back());
  split.messages = Json();
  return split;
}

ViewTokens tokenize_row(const Row& row, const TextCodec* codec, const TokenizeOptions& options,
                        size_t predictors, const ModelConfig& model) {
  const bool has_completion =
      row.kind == RowKind::kPromptCompletion || row.kind == RowKind::kTokenizedCompletion;
  TokenizeOptions split = options;
  split.completion_only_loss = true;
  const auto sft = [&](const Row& of, const TokenizeOptions& with) {
    return std::move(tokenize_sft({of}, codec, with, model).front());
  };
  ViewTokens out;
  out.row = sft(row, has_completion ? split : options);
  const bool of_words = row.kind != RowKind::kTokenizedCompletion && !row.conversational();
  if (views_of(row) != nullptr) {
    read_views(row, codec, options, model, out);
  } else if (has_completion) {
    split_row(out.row, out);
    if (of_words && codec != nullptr && codec->tokenizer().adds_bos()) {
      out.second.insert(out.second.begin(), *codec->tokenizer().bos());
    }
  } else if (row.kind == RowKind::kMessages) {
    split_row(sft(last_answer_of(row), split), out);
  } else {
    throw row_error(row,
                    "has no second view: jepa needs prompt and completion, messages, or \"views\" "
                    "with two texts beside the row");
  }
  if (has_completion && !options.completion_only_loss) {
    std::fill(out.row.trained.begin(), out.row.trained.end(), uint8_t{1});
  }
  if (out.first.empty() || out.second.empty()) {
    throw row_error(row, std::string("its ") + (out.first.empty() ? "first" : "second") +
                             " view is empty: both need a token");
  }
  const size_t longest = std::max(out.first.size() + predictors, out.second.size());
  if (longest > model.context_length) {
    throw row_error(row, "a view with its predictors has " + std::to_string(longest) +
                             " tokens, but the model's context is " +
                             std::to_string(model.context_length) + ": set a lower --max-length");
  }
  return out;
}

void append_predictors(std::vector<int32_t>& tokens, const ViewTokens::Layout& layout) {
  for (size_t k = 0; k < layout.predictors; ++k) {
    tokens.push_back(static_cast<int32_t>(layout.vocab_size + k));
  }
}

// The node's last token.
TreeTarget hidden_end(const TokenTree& tree, size_t node) {
  TreeTarget target;
  target.node = static_cast<uint32_t>(node);
  target.position = static_cast<uint32_t>(tree.nodes[node].tokens.size() - 1);
  target.hidden = true;
  return target;
}

}  // namespace

TreeExample ViewTokens::tree(const Layout& layout) const {
  const size_t shared = first.size();
  const bool shares = layout.prefix_sharing && row.tokens.size() > shared &&
                      std::equal(first.begin(), first.end(), row.tokens.begin());
  TreeExample example{
      shares ? make_group(first, {{row.tokens.begin() + static_cast<std::ptrdiff_t>(shared),
                                   row.tokens.end()}})
             : make_sequence(row.tokens),
      {}};
  for (size_t i = 1; i < row.trained.size(); ++i) {
    if (row.trained[i] == 0) continue;
    const bool behind = shares && i >= shared;
    example.targets.push_back({behind ? 1u : 0u, static_cast<uint32_t>(behind ? i - shared : i)});
  }
  auto& nodes = example.tree.nodes;
  size_t end = 0;  // the node that the first view ends in
  if (!shares || layout.predictors > 0) {
    std::vector<int32_t> tokens;
    if (!shares) tokens = first;
    append_predictors(tokens, layout);
    end = nodes.size();
    nodes.push_back({shares ? 0 : -1, std::move(tokens)});
  }
  nodes.push_back({-1, second});
  example.targets.push_back(hidden_end(example.tree, end));
  example.targets.push_back(hidden_end(example.tree, nodes.size() - 1));
  return example;
}

TreeExample ViewTokens::views_tree(const Layout& layout) const {
  std::vector<int32_t> tokens = first;
  append_predictors(tokens, layout);
  TreeExample example{make_sequence(std::move(tokens)), {}};
  example.tree.nodes.push_back({-1, second});
  example.targets = {hidden_end(example.tree, 0), hidden_end(example.tree, 1)};
  return example;
}

std::vector<ViewTokens> tokenize_views(const std::vector<Row>& rows, const TextCodec* codec,
                                       const TokenizeOptions& options, size_t predictors,
                                       const ModelConfig& model) {
  std::vector<ViewTokens> out;
  for (const Row& row : rows) {
    out.push_back(tokenize_row(row, codec, options, predictors, model));
    for (const auto* view : {&out.back().first, &out.back().second}) {
      for (int32_t id : *view) {
        if (id >= 0 && static_cast<size_t>(id) < model.vocab_size) continue;
        throw row_error(row, "token id " + std::to_string(id) +
                                 " of a view is not in the model's vocabulary: its tokenizer "
                                 "belongs to another model");
      }
    }
  }
  return out;
}

}  // namespace hone::llm
