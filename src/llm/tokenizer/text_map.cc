#include "llm/tokenizer/text_map.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/error.h"

namespace hone::llm {
namespace {

// Reordering combining marks costs the square of a run's length.
constexpr size_t kComposeRunMax = 256;

// True when a text is in NFC whatever stands before this character if it was before it: the
// character starts something new, composes with nothing to its left and does not decompose.
bool is_composition_border(char32_t c) {
  if (c < 0x300) return true;
  if (c >= 0x1100 && c <= 0x11FF) return false;  // Hangul jamo compose by rule, not by table
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  return property->combining_class == 0 && property->comb_index == UINT16_MAX &&
         property->decomp_seqindex == UINT16_MAX;
}

// No character below U+0300 is changed by NFC on its own, and only those from U+0300 combine.
bool is_nfc_at_a_glance(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

std::string compose(std::string_view run) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(run.data()),
                   static_cast<utf8proc_ssize_t>(run.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> guard(result, &std::free);
  if (size < 0) {
    throw Error(ErrorCode::kInternal, std::string("NFC failed: ") + utf8proc_errmsg(size));
  }
  return {reinterpret_cast<const char*>(result), static_cast<size_t>(size)};
}

// Calls visit(begin, end) for runs of text that can be composed alone.
template <typename Visit>
void for_each_composition_run(std::string_view text, const Visit& visit) {
  size_t begin = 0, i = 0, characters = 0;
  while (i < text.size()) {
    const size_t at = i;
    const char32_t c = next_code_point(text, i);
    if (at > begin && (characters == kComposeRunMax || is_composition_border(c))) {
      visit(begin, at);
      begin = at;
      characters = 0;
    }
    ++characters;
  }
  if (begin < text.size()) visit(begin, text.size());
}

}  // namespace

char32_t next_code_point(std::string_view text, size_t& i) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(i);
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (length == 1 || i + length > text.size()) {
    ++i;
    return lead;
  }
  char32_t c = lead & (0x7Fu >> length);
  for (size_t k = 1; k < length; ++k) c = (c << 6) | (byte(i + k) & 0x3Fu);
  i += length;
  return c;
}

bool is_white_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string to_nfc(std::string_view text) {
  if (is_nfc_at_a_glance(text)) return std::string(text);
  std::string out;
  for_each_composition_run(
      text, [&](size_t begin, size_t end) { out += compose(text.substr(begin, end - begin)); });
  return out;
}

MappedText MappedText::part(size_t from, size_t to) const {
  if (!owned_) {
    return MappedText(view_.substr(from, to - from), offset_ + static_cast<uint32_t>(from));
  }
  const uint32_t origin = from < begins_.size() ? begins_[from]
                          : ends_.empty()       ? offset_
                                                : ends_.back();
  MappedText result(std::string_view{}, origin);
  result.owned_ = true;
  result.copy_ = copy_.substr(from, to - from);
  const auto first = static_cast<std::ptrdiff_t>(from), last = static_cast<std::ptrdiff_t>(to);
  result.begins_.assign(begins_.begin() + first, begins_.begin() + last);
  result.ends_.assign(ends_.begin() + first, ends_.begin() + last);
  return result;
}

void MappedText::apply(const TextStep& step, bool at_start) {
  using Kind = TextStep::Kind;
  switch (step.kind) {
    case Kind::kNfc: nfc(); break;
    case Kind::kReplace: replace(step.pattern, step.content); break;
    case Kind::kPrepend:
      if (size() > 0) prepend(step.content);
      break;
    case Kind::kPrependIfMissing:
    case Kind::kPrependIfMissingAtStart:
      if (step.kind == Kind::kPrependIfMissingAtStart && !at_start) break;
      if (size() > 0 && !text().starts_with(step.content)) prepend(step.content);
      break;
  }
}

void MappedText::nfc() {
  const std::string_view text = this->text();
  if (is_nfc_at_a_glance(text)) return;
  std::string changed;
  std::vector<uint32_t> begins, ends;
  for_each_composition_run(text, [&](size_t from, size_t to) {
    const std::string_view run = text.substr(from, to - from);
    const std::string composed = compose(run);
    const bool same = composed == run;
    for (size_t k = 0; k < composed.size(); ++k) {
      begins.push_back(begin(same ? from + k : from));
      ends.push_back(end(same ? from + k : to - 1));
    }
    changed += composed;
  });
  if (changed == text) return;
  copy_ = std::move(changed);
  begins_ = std::move(begins);
  ends_ = std::move(ends);
  owned_ = true;
}

void MappedText::replace(std::string_view pattern, std::string_view content) {
  const std::string_view text = this->text();
  size_t found = text.find(pattern);
  if (pattern.empty() || found == std::string_view::npos) return;
  std::string changed;
  std::vector<uint32_t> begins, ends;
  size_t i = 0;
  while (true) {
    const size_t stop = std::min(found, text.size());
    changed.append(text.substr(i, stop - i));
    for (; i < stop; ++i) {
      begins.push_back(begin(i));
      ends.push_back(end(i));
    }
    if (found == std::string_view::npos) break;
    changed.append(content);
    begins.insert(begins.end(), content.size(), begin(found));
    ends.insert(ends.end(), content.size(), end(found + pattern.size() - 1));
    i = found + pattern.size();
    found = text.find(pattern, i);
  }
  copy_ = std::move(changed);
  begins_ = std::move(begins);
  ends_ = std::move(ends);
  owned_ = true;
}

void MappedText::prepend(std::string_view content) {
  const uint32_t origin = begin(0);
  if (!owned_) {
    begins_.resize(view_.size());
    ends_.resize(view_.size());
    for (size_t i = 0; i < view_.size(); ++i) {
      begins_[i] = begin(i);
      ends_[i] = end(i);
    }
    copy_ = view_;
    owned_ = true;
  }
  copy_.insert(0, content);
  begins_.insert(begins_.begin(), content.size(), origin);
  ends_.insert(ends_.begin(), content.size(), origin);
}

}  // namespace hone::llm
