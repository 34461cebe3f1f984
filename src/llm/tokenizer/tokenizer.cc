#include "llm/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"
#include "llm/tokenizer/added_tokens.h"
#include "llm/tokenizer/bpe.h"
#include "llm/tokenizer/byte_alphabet.h"
#include "llm/tokenizer/regex_split.h"
#include "llm/tokenizer/stream_decoder.h"
#include "llm/tokenizer/text_map.h"

namespace hone::llm {
namespace {

constexpr size_t kTextBytesMax = (size_t{1} << 31) - 1;
constexpr std::string_view kSpacePiece = "\xE2\x96\x81";  // U+2581

// "<0x0A>" -> 10; nothing for any other text.
std::optional<uint8_t> byte_of_piece(std::string_view piece) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  const int high = digit(piece[3]), low = digit(piece[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<uint8_t>(high * 16 + low);
}

std::string with_spaces(std::string_view piece) {
  std::string out;
  for (size_t i = 0; i < piece.size();) {
    if (piece.substr(i).starts_with(kSpacePiece)) {
      out.push_back(' ');
      i += kSpacePiece.size();
    } else {
      out.push_back(piece[i++]);
    }
  }
  return out;
}

// Greater scores get lower priority numbers; equal scores equal ones.
uint32_t priority_of(float score) {
  const uint32_t bits = std::bit_cast<uint32_t>(score == 0.0f ? 0.0f : score);
  const uint32_t ascending = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return std::min(~ascending, PairMerge::kNone - 1);
}

// The parts of the concatenated text in which special tokens are recognised.
class Trust {
 public:
  explicit Trust(std::span<const TextSpan> spans) {
    uint32_t at = 0;
    for (const TextSpan& span : spans) {
      const auto end = at + static_cast<uint32_t>(span.text.size());
      if (span.trusted && end > at) {
        if (!ranges_.empty() && ranges_.back().end == at) {
          ranges_.back().end = end;
        } else {
          ranges_.push_back({at, end});
        }
      }
      at = end;
    }
  }
  bool covers(uint32_t begin, uint32_t end) const {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), begin,
                                        [](uint32_t b, const Range& r) { return b < r.begin; });
    return after != ranges_.begin() && std::prev(after)->end >= end;
  }

 private:
  std::vector<Range> ranges_;
};

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerData given);

  // The state of one encode().
  struct Run {
    const Trust& trust;
    bool parse_special;
    Encoding out;
    std::vector<Range> words;
    std::vector<Symbol> symbols;

    void emit(int32_t id, uint32_t begin, uint32_t end) {
      out.ids.push_back(id);
      out.begin.push_back(begin);
      out.end.push_back(end);
    }
  };

  void encode_text(std::string_view text, Run& run) const;
  template <typename Section>
  void cut(const AddedTokenFinder& finder, const MappedText& text, Run& run,
           const Section& section) const;
  void encode_section(MappedText text, Run& run) const;
  void encode_word(const MappedText& text, Range word, Run& run) const;
  void byte_symbols(std::string_view text, Range word, std::vector<Symbol>& symbols) const;
  void character_symbols(std::string_view text, Range word, std::vector<Symbol>& symbols) const;
  void add_bytes_of(std::string_view text, Symbol symbol, std::vector<Symbol>& symbols) const;
  void merge(std::string_view text, std::vector<Symbol>& symbols) const;
  void emit_symbols(const MappedText& text, Run& run) const;
  void index_pieces();
  void index_added_tokens();

  bool in_vocabulary(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < data.pieces.size();
  }
  void require(int32_t id) const {
    if (in_vocabulary(id)) return;
    throw invalid_input("token id " + std::to_string(id) + " is not in the vocabulary of " +
                        std::to_string(data.pieces.size()) + " tokens");
  }

  TokenizerData data;
  std::vector<std::string> bytes;  // what each id stands for
  // Pieces that text can become, as bytes of the (normalised) text.
  std::unordered_map<std::string_view, int32_t> text_pieces;
  std::unordered_map<std::string_view, int32_t> all_pieces;  // as the vocabulary writes them
  std::array<int32_t, 256> byte_ids{};                       // -1: none
  std::vector<bool> special, ends;
  size_t longest_piece = 0;
  MergeTable merges;
  bool by_score = false;
  RegexSplitter splitter;
  std::vector<std::string> normalized_added;  // texts of the second finder
  AddedTokenFinder raw_added, late_added;
};

Tokenizer::Impl::Impl(TokenizerData given)
    : data((check_tokenizer_data(given), std::move(given))),
      merges(data.merges.size()),
      splitter(data.splits) {
  by_score = data.merges.empty() && !data.scores.empty();
  index_pieces();
  for (size_t rank = 0; rank < data.merges.size(); ++rank) {
    const TokenizerData::Merge& merge = data.merges[rank];
    if (special[static_cast<size_t>(merge.result)]) continue;
    merges.add(merge.left, merge.right, {static_cast<uint32_t>(rank), merge.result});
  }
  index_added_tokens();
}

void Tokenizer::Impl::index_pieces() {
  const size_t size = data.pieces.size();
  std::vector<bool> added(size, false);
  special.assign(size, false);
  for (const AddedToken& token : data.added_tokens) {
    added[static_cast<size_t>(token.id)] = true;
    if (token.special) special[static_cast<size_t>(token.id)] = true;
  }
  byte_ids.fill(-1);
  bytes.resize(size);
  const bool byte_level = data.model == TokenizerModel::kByteLevelBpe;
  for (size_t i = 0; i < size; ++i) {
    const std::string& piece = data.pieces[i];
    const TokenType type = data.types[i];
    const auto id = static_cast<int32_t>(i);
    if (type == TokenType::kControl || type == TokenType::kUnknown) special[i] = true;
    if (piece.empty()) continue;
    all_pieces[piece] = id;
    const std::optional<uint8_t> byte = byte_level ? std::nullopt : byte_of_piece(piece);
    if (byte && (type == TokenType::kByte || data.byte_fallback)) {
      bytes[i].assign(1, static_cast<char>(*byte));
      byte_ids[*byte] = id;
      continue;
    }
    if (special[i] || added[i] || type == TokenType::kUserDefined) {
      bytes[i] = piece;
    } else if (byte_level) {
      bytes[i] = bytes_of_piece(piece).value_or(piece);
    } else {
      bytes[i] = with_spaces(piece);
    }
    if (special[i]) continue;
    if (byte_level && bytes[i].size() == 1) byte_ids[static_cast<unsigned char>(bytes[i][0])] = id;
    text_pieces[byte_level ? std::string_view(bytes[i]) : std::string_view(piece)] = id;
    longest_piece = std::max(longest_piece, byte_level ? bytes[i].size() : piece.size());
  }
  ends.assign(size, false);
  for (const int32_t id : data.end_of_generation) ends[static_cast<size_t>(id)] = true;
}

void Tokenizer::Impl::index_added_tokens() {
  normalized_added.reserve(data.added_tokens.size());
  for (const AddedToken& token : data.added_tokens) {
    if (!token.normalized || data.normalizer.empty()) {
      raw_added.add(token, token.text);
      continue;
    }
    MappedText text(token.text, 0);
    for (const TextStep& step : data.normalizer) text.apply(step, true);
    normalized_added.emplace_back(text.text());
    late_added.add(token, normalized_added.back());
  }
}

// Emits the added tokens of `text` and hands what lies between them to `section`.
template <typename Section>
void Tokenizer::Impl::cut(const AddedTokenFinder& finder, const MappedText& text, Run& run,
                          const Section& section) const {
  if (finder.empty()) return section(text);
  const auto may_use = [&](const AddedToken& token, size_t begin, size_t end) {
    if (!token.special && !special[static_cast<size_t>(token.id)]) return true;
    return run.parse_special && run.trust.covers(text.begin(begin), text.end(end - 1));
  };
  size_t at = 0;
  while (const auto match = finder.find(text.text(), at, may_use)) {
    if (match->begin > at) section(text.part(at, match->begin));
    run.emit(match->token->id, text.begin(match->text_begin), text.end(match->text_end - 1));
    at = match->end;
  }
  if (at == 0) {
    section(text);
  } else if (at < text.size()) {
    section(text.part(at, text.size()));
  }
}

void Tokenizer::Impl::encode_text(std::string_view text, Run& run) const {
  cut(raw_added, MappedText(text, 0), run, [&](MappedText raw) {
    for (const TextStep& step : data.normalizer) raw.apply(step, raw.origin() == 0);
    cut(late_added, raw, run, [&](MappedText section) { encode_section(std::move(section), run); });
  });
}

void Tokenizer::Impl::encode_section(MappedText text, Run& run) const {
  for (const TextStep& step : data.pre_steps) text.apply(step, text.origin() == 0);
  std::vector<Range> words = std::move(run.words);
  splitter.split(text.text(), words);
  for (const Range word : words) encode_word(text, word, run);
  run.words = std::move(words);
}

void Tokenizer::Impl::encode_word(const MappedText& text, Range word, Run& run) const {
  const std::string_view content = text.text().substr(word.begin, word.end - word.begin);
  if (data.ignore_merges && content.size() <= longest_piece) {
    if (const auto whole = text_pieces.find(content); whole != text_pieces.end()) {
      run.emit(whole->second, text.begin(word.begin), text.end(word.end - 1));
      return;
    }
  }
  run.symbols.clear();
  if (data.model == TokenizerModel::kByteLevelBpe) {
    byte_symbols(text.text(), word, run.symbols);
  } else {
    character_symbols(text.text(), word, run.symbols);
  }
  merge(text.text(), run.symbols);
  emit_symbols(text, run);
}

void Tokenizer::Impl::byte_symbols(std::string_view text, Range word,
                                   std::vector<Symbol>& symbols) const {
  for (uint32_t i = word.begin; i < word.end; ++i) {
    symbols.push_back({byte_ids[static_cast<unsigned char>(text[i])], i, i + 1});
  }
}

void Tokenizer::Impl::character_symbols(std::string_view text, Range word,
                                        std::vector<Symbol>& symbols) const {
  for (size_t i = word.begin; i < word.end;) {
    const size_t begin = i;
    next_code_point(text, i);
    const auto piece = text_pieces.find(text.substr(begin, i - begin));
    const int32_t id = piece == text_pieces.end() ? -1 : piece->second;
    const Symbol symbol{id, static_cast<uint32_t>(begin), static_cast<uint32_t>(i)};
    // Merges by score can still make a piece of an unknown character, merges by rank cannot.
    if (id < 0 && !by_score) {
      add_bytes_of(text, symbol, symbols);
    } else {
      symbols.push_back(symbol);
    }
  }
}

// The bytes of a character that is no piece, if all of them have a token; else the character.
void Tokenizer::Impl::add_bytes_of(std::string_view text, Symbol symbol,
                                   std::vector<Symbol>& symbols) const {
  const auto byte_id = [&](uint32_t i) { return byte_ids[static_cast<unsigned char>(text[i])]; };
  bool has_all = data.byte_fallback;
  for (uint32_t i = symbol.begin; i < symbol.end; ++i) has_all = has_all && byte_id(i) >= 0;
  if (!has_all) {
    symbols.push_back(symbol);
    return;
  }
  for (uint32_t i = symbol.begin; i < symbol.end; ++i) symbols.push_back({byte_id(i), i, i + 1});
}

void Tokenizer::Impl::merge(std::string_view text, std::vector<Symbol>& symbols) const {
  if (!by_score) {
    merge_symbols(symbols, [&](const Symbol& left, const Symbol& right) {
      return merges.find(left.id, right.id);
    });
    return;
  }
  merge_symbols(symbols, [&](const Symbol& left, const Symbol& right) -> PairMerge {
    const size_t size = right.end - left.begin;
    if (size > longest_piece) return {};
    const auto piece = text_pieces.find(text.substr(left.begin, size));
    if (piece == text_pieces.end()) return {};
    return {priority_of(data.scores[static_cast<size_t>(piece->second)]), piece->second};
  });
  std::vector<Symbol> known;
  for (const Symbol& symbol : symbols) {
    if (symbol.id >= 0) {
      known.push_back(symbol);
    } else {
      add_bytes_of(text, symbol, known);
    }
  }
  symbols.swap(known);
}

void Tokenizer::Impl::emit_symbols(const MappedText& text, Run& run) const {
  bool after_unknown = false;
  for (const Symbol& symbol : run.symbols) {
    const uint32_t begin = text.begin(symbol.begin), end = text.end(symbol.end - 1);
    if (symbol.id >= 0) {
      run.emit(symbol.id, begin, end);
    } else if (after_unknown && data.fuse_unk) {
      run.out.end.back() = end;
    } else if (data.emit_unk && data.unk) {
      run.emit(*data.unk, begin, end);
    }
    after_unknown = symbol.id < 0 && data.emit_unk && data.unk.has_value();
  }
}

Tokenizer::Tokenizer(TokenizerData data) : impl_(std::make_unique<const Impl>(std::move(data))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  return encode_with_ranges(text, options).ids;
}

Encoding Tokenizer::encode_with_ranges(std::string_view text, EncodeOptions options) const {
  const TextSpan span{text, true};
  return encode(std::span<const TextSpan>(&span, 1), options);
}

Encoding Tokenizer::encode(std::span<const TextSpan> spans, EncodeOptions options) const {
  size_t size = 0;
  for (const TextSpan& span : spans) {
    size += span.text.size();
    if (size > kTextBytesMax) {
      throw Error(ErrorCode::kTooLarge, "a text to tokenize is longer than 2 GiB; cut it");
    }
  }
  std::string joined;
  std::string_view text = spans.size() == 1 ? spans[0].text : std::string_view();
  if (spans.size() > 1) {
    joined.reserve(size);
    for (const TextSpan& span : spans) joined += span.text;
    text = joined;
  }
  if (const auto at = find_invalid_utf8(text)) {
    throw invalid_input("the text is not valid UTF-8 at byte " + std::to_string(*at) +
                        "; convert it to UTF-8 first");
  }
  const Trust trust(spans);
  Impl::Run run{trust, options.parse_special, {}, {}, {}};
  const auto at_end = static_cast<uint32_t>(text.size());
  if (options.add_special) {
    for (const int32_t id : impl_->data.prefix) run.emit(id, 0, 0);
  }
  impl_->encode_text(text, run);
  if (options.add_special) {
    for (const int32_t id : impl_->data.suffix) run.emit(id, at_end, at_end);
  }
  return std::move(run.out);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, DecodeOptions options) const {
  StreamDecoder decoder(*this, options);
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  return text + decoder.flush();
}

std::string_view Tokenizer::piece(int32_t id) const {
  impl_->require(id);
  return impl_->data.pieces[static_cast<size_t>(id)];
}

std::string_view Tokenizer::bytes(int32_t id) const {
  impl_->require(id);
  return impl_->bytes[static_cast<size_t>(id)];
}

std::optional<int32_t> Tokenizer::find(std::string_view piece) const {
  const auto found = impl_->all_pieces.find(piece);
  if (found == impl_->all_pieces.end()) return std::nullopt;
  return found->second;
}

bool Tokenizer::is_special(int32_t id) const {
  return impl_->in_vocabulary(id) && impl_->special[static_cast<size_t>(id)];
}

bool Tokenizer::is_end_of_generation(int32_t id) const {
  return impl_->in_vocabulary(id) && impl_->ends[static_cast<size_t>(id)];
}

const std::vector<int32_t>& Tokenizer::end_of_generation() const {
  return impl_->data.end_of_generation;
}

std::optional<int32_t> Tokenizer::bos() const { return impl_->data.bos; }
std::optional<int32_t> Tokenizer::eos() const { return impl_->data.eos; }
std::optional<int32_t> Tokenizer::unk() const { return impl_->data.unk; }
std::optional<int32_t> Tokenizer::pad() const { return impl_->data.pad; }

bool Tokenizer::adds_bos() const {
  return impl_->data.bos && !impl_->data.prefix.empty() &&
         impl_->data.prefix.front() == *impl_->data.bos;
}

bool Tokenizer::adds_eos() const {
  return impl_->data.eos && !impl_->data.suffix.empty() &&
         impl_->data.suffix.back() == *impl_->data.eos;
}

size_t Tokenizer::vocab_size() const { return impl_->data.pieces.size(); }
const TokenizerData& Tokenizer::data() const { return impl_->data; }

}  // namespace hone::llm
