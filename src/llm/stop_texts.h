#pragma once
// Stop texts in a stream: the answer ends before the first of them, and no part of one is ever
// shown. What was given out has no end that a stop text begins with, so only the bytes held back
// need to be looked at again.
//
// Pure; one stream, one thread. Borrows the texts.

#include <string>
#include <string_view>
#include <vector>

namespace hone::llm {

class StopTexts {
 public:
  // Empty texts never stop anything.
  explicit StopTexts(const std::vector<std::string>& texts) : texts_(&texts) {}

  struct Found {
    std::string certain;                // what became certain: belongs to the answer
    const std::string* stop = nullptr;  // the text that ended the answer, the first in its place
  };
  // The next piece of the stream. After a stop nothing may follow.
  Found push(std::string_view piece);
  // The stream ended by itself: what was held back belongs to the answer.
  std::string flush();

 private:
  const std::vector<std::string>* texts_;
  std::string held_;
};

}  // namespace hone::llm
