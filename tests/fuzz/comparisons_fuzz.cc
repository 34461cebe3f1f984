// Comparisons of any bytes, as CSV and as JSONL. What must hold: the reader ends in rows or in an
// Error, nothing is compared with itself, weights and style are finite, every text is UTF-8, and
// neither the size of the pieces nor skipping changes a row. The first byte picks the pieces.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/comparison_reader.h"

namespace {

using namespace hone;

std::string read(std::string_view bytes, const char* name,
                 const data::ComparisonReadOptions& options, size_t piece) {
  std::string text;
  data::ComparisonReader reader(name, options, [&](const data::ComparisonRow& row) {
    HONE_CHECK(row.left != row.right && !row.left.empty() && !row.right.empty());
    HONE_CHECK(std::isfinite(row.weight) && row.weight > 0);
    for (const auto field : {row.left, row.right, row.worker, row.task}) {
      HONE_CHECK(!find_invalid_utf8(field));
      text += field;
      text += '\x1F';
    }
    for (const double value : row.style) {
      HONE_CHECK(std::isfinite(value));
      text += number_to_string(value) + " ";
    }
    text += std::to_string(static_cast<int>(row.winner)) + number_to_string(row.weight) + "\n";
  });
  try {
    for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
      reader.feed(bytes.substr(at, piece));
    }
    reader.finish();
  } catch (const Error& error) {
    HONE_CHECK(!find_invalid_utf8(error.message()));
    text += "refused: " + error.message() + "\n";
  }
  text += std::to_string(reader.counts().rows) + " rows\n";
  for (const std::string& reason : reader.counts().first_skipped) text += reason + "\n";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] % 64 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const char* name : {"f.csv", "f.jsonl"}) {
    for (const auto on_bad_row : {data::OnBadRow::kFail, data::OnBadRow::kSkip}) {
      data::ComparisonReadOptions options;
      options.fields.on_bad_row = on_bad_row;
      options.fields.max_line_bytes = 4096;
      if (data[0] & 64) options.style = {"length"};
      HONE_CHECK(read(bytes, name, options, SIZE_MAX) == read(bytes, name, options, piece));
    }
  }
  return 0;
}
