#pragma once
// What must hold for any bytes: the reader ends in rows or in an Error, and neither the size of the
// pieces nor skipping changes a row. The first byte of the input picks the size of the pieces.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "data/row_reader.h"

namespace hone::fuzz {

struct Outcome {
  std::string text;  // every row's line and content, then the counts or the refusal
};

inline Outcome read_rows(std::string_view bytes, data::RowFormat format, data::OnBadRow on_bad_row,
                         size_t piece) {
  Outcome outcome;
  try {
    data::ReadOptions options;
    options.on_bad_row = on_bad_row;
    options.max_line_bytes = 4096;
    data::RowReader reader("f", format, options, [&](data::Row&& row) {
      HONE_CHECK(row.weight >= 0.0 && row.probability >= 0.0 && row.probability <= 1.0);
      HONE_CHECK(row.token_labels.empty() || row.token_labels.size() == row.input_ids.size());
      outcome.text += std::to_string(row.line) + " " + data::row_content(row) + "\n";
    });
    for (size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size() - at)) {
      reader.feed(bytes.substr(at, piece));
    }
    reader.finish();
    outcome.text += std::to_string(reader.counts().rows) + " rows, " +
                    std::to_string(reader.counts().skipped) + " skipped\n";
    for (const std::string& reason : reader.counts().first_skipped) outcome.text += reason + "\n";
  } catch (const Error& error) {
    outcome.text += "refused: " + error.message() + "\n";
  }
  return outcome;
}

inline void rows_fuzz_one(const uint8_t* data, size_t size, data::RowFormat format) {
  if (size == 0) return;
  const size_t piece = data[0] % 64 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const auto on_bad_row : {data::OnBadRow::kFail, data::OnBadRow::kSkip}) {
    const Outcome whole = read_rows(bytes, format, on_bad_row, SIZE_MAX);
    HONE_CHECK(whole.text == read_rows(bytes, format, on_bad_row, piece).text);
  }
}

}  // namespace hone::fuzz
