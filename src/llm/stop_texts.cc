#include "llm/stop_texts.h"

#include <algorithm>
#include <utility>

namespace hone::llm {

StopTexts::Found StopTexts::push(std::string_view piece) {
  held_ += piece;
  Found found;
  size_t first = std::string::npos, held_back = 0;
  for (const std::string& stop : *texts_) {
    if (stop.empty()) continue;
    const size_t at = held_.find(stop);
    if (at < first) {
      first = at;
      found.stop = &stop;
    }
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > held_back; --n) {
      if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) held_back = n;
    }
  }
  if (found.stop != nullptr) {
    held_.resize(first);
    found.certain = std::exchange(held_, {});
    return found;
  }
  found.certain = held_.substr(0, held_.size() - held_back);
  held_.erase(0, held_.size() - held_back);
  return found;
}

std::string StopTexts::flush() { return std::exchange(held_, {}); }

}  // namespace hone::llm
