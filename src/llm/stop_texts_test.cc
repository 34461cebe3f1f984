#include "llm/stop_texts.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace hone::llm {
namespace {

struct Answer {
  std::string text;
  std::string stop;
};

// The text in pieces of random lengths; what is shown must never have to be taken back.
Answer stream(const std::vector<std::string>& stops, const std::string& text, Rng& rng) {
  StopTexts watcher(stops);
  Answer answer;
  for (size_t at = 0; at < text.size();) {
    const size_t n = std::min<size_t>(text.size() - at, 1 + rng.below(4));
    const StopTexts::Found found = watcher.push(text.substr(at, n));
    at += n;
    answer.text += found.certain;
    EXPECT_EQ(text.compare(0, answer.text.size(), answer.text), 0);
    if (found.stop != nullptr) {
      answer.stop = *found.stop;
      return answer;
    }
  }
  answer.text += watcher.flush();
  return answer;
}

TEST(StopTexts, CutWhereTheFirstOneBeginsHoweverTheTextComes) {
  Rng rng(4, rng_stream("stop-texts"));
  for (size_t round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t i = 0, n = rng.below(30); i < n; ++i) {
      text += static_cast<char>('a' + rng.below(3));
    }
    std::vector<std::string> stops;
    for (size_t i = 0, n = rng.below(4); i < n; ++i) {
      std::string stop;
      for (size_t k = 0, m = rng.below(5); k < m; ++k) {
        stop += static_cast<char>('a' + rng.below(3));
      }
      stops.push_back(stop);
    }
    // Simple and slow: the stop text whose end comes first ends the text; of those, the one that
    // begins first.
    size_t end = std::string::npos;
    size_t pieces_end = std::string::npos;
    for (const std::string& stop : stops) {
      if (!stop.empty() && text.find(stop) != std::string::npos) {
        end = std::min(end, text.find(stop) + stop.size());
      }
    }
    StopTexts watcher(stops);
    std::string shown;
    bool stopped = false;
    for (size_t i = 0; i < text.size() && !stopped; ++i) {  // letter by letter
      const StopTexts::Found found = watcher.push(text.substr(i, 1));
      shown += found.certain;
      stopped = found.stop != nullptr;
      if (stopped) {
        pieces_end = i + 1;
        EXPECT_EQ(shown + *found.stop, text.substr(0, shown.size() + found.stop->size()));
      }
    }
    EXPECT_EQ(pieces_end, end) << text;
    if (!stopped) {
      EXPECT_EQ(shown + watcher.flush(), text);
    }
    const Answer answer = stream(stops, text, rng);
    EXPECT_EQ(answer.stop.empty(), end == std::string::npos);
    if (answer.stop.empty()) {
      EXPECT_EQ(answer.text, text);
    }
  }
}

TEST(StopTexts, HoldBackNoMoreThanCouldBecomeOne) {
  const std::vector<std::string> stops = {"", "END", "\n\nUser:"};
  StopTexts watcher(stops);
  EXPECT_EQ(watcher.push("one E").certain, "one ");
  EXPECT_EQ(watcher.push("N").certain, "");
  EXPECT_EQ(watcher.push("V\n").certain, "ENV");
  EXPECT_EQ(watcher.push("\n").certain, "");
  EXPECT_EQ(watcher.push("\n").certain, "\n");
  const StopTexts::Found found = watcher.push("User: no");
  EXPECT_EQ(found.certain, "");
  ASSERT_NE(found.stop, nullptr);
  EXPECT_EQ(*found.stop, "\n\nUser:");
}

}  // namespace
}  // namespace hone::llm
