#include "llm/tokenizer/stream_decoder.h"

namespace hone::llm {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Scan {
  enum class Kind { kCharacter, kInvalid, kIncomplete } kind;
  size_t size;
};

// What starts at the front of `bytes` (Unicode, table 3-7, well-formed byte sequences).
Scan scan_front(std::string_view bytes) {
  using Kind = Scan::Kind;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {Kind::kCharacter, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Kind::kInvalid, 1};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < size; ++i) {
    if (i == bytes.size()) return {Kind::kIncomplete, i};
    const unsigned char from = i == 1 ? low : 0x80, to = i == 1 ? high : 0xBF;
    if (byte(i) < from || byte(i) > to) return {Kind::kInvalid, i};
  }
  return {Kind::kCharacter, size};
}

}  // namespace

size_t append_lossy(std::string& out, std::string_view bytes, bool is_end) {
  size_t used = 0;
  while (used < bytes.size()) {
    const Scan front = scan_front(bytes.substr(used));
    if (front.kind == Scan::Kind::kIncomplete && !is_end) break;
    if (front.kind == Scan::Kind::kCharacter) {
      out.append(bytes.substr(used, front.size));
    } else {
      out.append(kReplacement);
    }
    used += front.size;
  }
  return used;
}

std::string StreamDecoder::push(int32_t id) {
  std::string_view bytes = tokenizer_->bytes(id);
  if (options_.skip_special && tokenizer_->is_special(id)) return {};
  if (at_start_ && !bytes.empty()) {
    at_start_ = false;
    const bool strip = options_.strip_leading_space && tokenizer_->data().strip_leading_space;
    if (strip && !tokenizer_->is_special(id) && bytes.front() == ' ') bytes.remove_prefix(1);
  }
  held_.append(bytes);
  std::string out;
  held_.erase(0, append_lossy(out, held_, false));
  return out;
}

std::string StreamDecoder::flush() {
  std::string out;
  append_lossy(out, held_, true);
  held_.clear();
  at_start_ = true;
  return out;
}

}  // namespace hone::llm
