#include "llm/tokenizer/added_tokens.h"

#include <utf8proc.h>

#include "llm/tokenizer/text_map.h"

namespace hone::llm {
namespace {

bool is_word_character(char32_t c) {
  if (c == '_') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return false;
  }
}

size_t start_of_character_before(std::string_view text, size_t at) {
  do {
    --at;
  } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

bool touches_a_word(std::string_view text, size_t begin, size_t end) {
  if (begin > 0) {
    size_t i = start_of_character_before(text, begin);
    if (is_word_character(next_code_point(text, i))) return true;
  }
  return end < text.size() && is_word_character(next_code_point(text, end));
}

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string_view text) {
  if (text.empty()) return;
  starts_[static_cast<unsigned char>(text[0])] = true;
  uint32_t node = 0;
  for (const char byte : text) {
    const auto [place, is_new] = edges_.try_emplace(edge(node, byte), nodes_);
    if (is_new) ++nodes_;
    node = place->second;
  }
  ids_[node] = &token;
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, size_t at,
                                               const MayUse& may_use, size_t& end) const {
  const AddedToken* best = nullptr;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    const auto next = edges_.find(edge(node, text[i]));
    if (next == edges_.end()) break;
    node = next->second;
    const auto token = ids_.find(node);
    if (token == ids_.end()) continue;
    if (token->second->single_word && touches_a_word(text, at, i + 1)) continue;
    if (!may_use(*token->second, at, i + 1)) continue;
    best = token->second;
    end = i + 1;
  }
  return best;
}

std::optional<AddedMatch> AddedTokenFinder::find(std::string_view text, size_t from,
                                                 const MayUse& may_use) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (!starts_[static_cast<unsigned char>(text[at])]) continue;
    size_t end = 0;
    const AddedToken* token = longest_at(text, at, may_use, end);
    if (token == nullptr) continue;
    AddedMatch match{at, end, at, end, token};
    while (token->lstrip && match.begin > from) {
      size_t i = start_of_character_before(text, match.begin);
      const size_t start = i;
      if (start < from || !is_white_space(next_code_point(text, i))) break;
      match.begin = start;
    }
    while (token->rstrip && match.end < text.size()) {
      size_t i = match.end;
      if (!is_white_space(next_code_point(text, i))) break;
      match.end = i;
    }
    return match;
  }
  return std::nullopt;
}

}  // namespace hone::llm
