#pragma once
// Cuts CSV bytes into records (RFC 4180): comma, double quotes, quotes doubled inside quotes, line
// breaks of either kind inside quotes, CRLF or LF between records. Bytes may come in any pieces.
//
// A record that cannot be cut comes out with a fault instead of cells, and cutting goes on at the
// next line break. Memory: one record, at most max_record_bytes and kMostColumns.
// Used by one thread at a time.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::data {

struct CsvCell {
  std::string text;
  bool quoted = false;
};

struct CsvRecord {
  std::vector<CsvCell> cells;
  uint64_t line = 1;  // of its first byte
  std::string fault;  // empty: the cells are good
  bool blank() const { return cells.size() == 1 && cells[0].text.empty() && !cells[0].quoted; }
};

class CsvSplitter {
 public:
  static constexpr size_t kMostColumns = 4096;

  CsvSplitter(size_t max_record_bytes, std::function<void(CsvRecord&)> on_record)
      : max_record_bytes_(max_record_bytes), on_record_(std::move(on_record)) {
    start_record();
  }

  void feed(std::string_view bytes);
  void finish();  // the last record needs no line break

 private:
  enum class State { kCellStart, kPlain, kQuoted, kQuoteInQuoted, kAfterReturn, kDiscard };

  void take(char byte);
  void take_outside_quotes(char byte);
  void start_record();
  void end_cell();
  void end_record();
  void fail(std::string fault);

  const size_t max_record_bytes_;
  const std::function<void(CsvRecord&)> on_record_;
  State state_ = State::kCellStart;
  CsvRecord record_;
  CsvCell cell_;
  size_t record_bytes_ = 0;
  uint64_t line_ = 1;
};

}  // namespace hone::data
