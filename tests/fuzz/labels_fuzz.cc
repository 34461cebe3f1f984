// Labels and truth of any bytes, as CSV, as JSONL and by the first byte. What must hold: the reader
// ends in rows or in an Error, no field that it needs is empty, every text is UTF-8, and neither
// the size of the pieces nor skipping changes a row. The first byte picks the size of the pieces.

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "base/utf8.h"
#include "data/label_reader.h"

namespace {

using namespace hone;

template <typename Reader>
void feed(Reader& reader, std::string_view bytes, size_t piece, std::string& text) {
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
}

void add(std::string_view field, std::string& text) {
  HONE_CHECK(!find_invalid_utf8(field));
  text += field;
  text += '\x1F';
}

std::string read(std::string_view bytes, const char* name, const data::LabelReadOptions& options,
                 size_t piece) {
  std::string text;
  data::LabelReader labels(name, options, [&](const data::LabelRow& row) {
    HONE_CHECK(!row.task.empty() && !row.worker.empty() && !row.label.empty() && row.line > 0);
    HONE_CHECK(row.seconds >= -1.0);
    for (const auto field : {row.task, row.worker, row.label, row.rationale}) add(field, text);
  });
  feed(labels, bytes, piece, text);
  data::TruthReader truth(name, options, [&](const data::TruthRow& row) {
    HONE_CHECK(!row.task.empty() && !row.label.empty());
    add(row.task, text);
    add(row.label, text);
  });
  feed(truth, bytes, piece, text);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] % 64 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const char* name : {"f.csv", "f.jsonl", "f"}) {
    for (const auto on_bad_row : {data::OnBadRow::kFail, data::OnBadRow::kSkip}) {
      data::LabelReadOptions options;
      options.fields.on_bad_row = on_bad_row;
      options.fields.max_line_bytes = 4096;
      if (data[0] & 64) options.declared = {"yes", "no"};
      if (data[0] & 128) options.fields.columns = {{"task", "question"}};
      HONE_CHECK(read(bytes, name, options, SIZE_MAX) == read(bytes, name, options, piece));
    }
  }
  return 0;
}
