// What a teacher said, of any bytes, held against two rows: it ends in words for every trained token
// or in one hone::Error.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "data/jsonl_splitter.h"
#include "train/teacher_words.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  std::vector<llm::SftTokens> rows(2);
  rows[0].tokens = {3, 9, 4};
  rows[0].trained = {0, 1, 1};
  rows[1].tokens = {5, 6};
  rows[1].trained = {0, 1};
  try {
    train::TeacherWordsReader reader("f", rows, 10);
    data::JsonlSplitter splitter(4096, [&](Result<Json> value, uint64_t line) {
      if (!value) throw value.error();
      reader.line(*value, line);
    });
    splitter.feed(std::string_view(reinterpret_cast<const char*>(data), size));
    splitter.finish();
    const std::vector<train::TeacherWords> words = reader.finish();
    if (words.size() != 2 || words[0].places() != 2 || words[1].places() != 1) std::abort();
    for (const train::TeacherWords& each : words) {
      if (each.k == 0 || each.ids.size() != each.k * each.places()) std::abort();
      if (each.log_probs.size() != each.ids.size()) std::abort();
      for (float log_prob : each.log_probs) {
        if (!std::isfinite(log_prob)) std::abort();
      }
    }
  } catch (const Error& error) {
    if (error.message().empty()) std::abort();
  }
  return 0;
}
