#include "data/csv_splitter.h"

#include <utility>

namespace hone::data {

void CsvSplitter::feed(std::string_view bytes) {
  for (const char byte : bytes) take(byte);
}

void CsvSplitter::take(char byte) {
  if (state_ != State::kDiscard && ++record_bytes_ > max_record_bytes_ && byte != '\n') {
    fail("the record is longer than " + std::to_string(max_record_bytes_) +
         " bytes (a quote that is never closed?); --max-line-bytes moves the bound");
  }
  switch (state_) {
    case State::kQuoted:
      if (byte == '"') {
        state_ = State::kQuoteInQuoted;
      } else {
        cell_.text += byte;
      }
      break;
    case State::kQuoteInQuoted:
      if (byte == '"') {
        cell_.text += '"';
        state_ = State::kQuoted;
      } else if (byte == ',' || byte == '\n' || byte == '\r') {
        take_outside_quotes(byte);
      } else {
        fail(
            "a closing quote must be followed by a comma or the end of the line; a quote inside "
            "quotes is written twice");
      }
      break;
    case State::kAfterReturn:
      if (byte == '\n') {
        end_record();
      } else {
        fail("a carriage return without a line feed outside quotes");
      }
      break;
    case State::kDiscard:
      if (byte == '\n') end_record();
      break;
    case State::kCellStart:
    case State::kPlain: take_outside_quotes(byte); break;
  }
  if (byte == '\n') {
    ++line_;
    if (record_bytes_ == 0) record_.line = line_;
  }
}

void CsvSplitter::take_outside_quotes(char byte) {
  if (byte == ',') {
    end_cell();
  } else if (byte == '\n') {
    end_record();
  } else if (byte == '\r') {
    state_ = State::kAfterReturn;
  } else if (byte == '"' && state_ == State::kCellStart) {
    cell_.quoted = true;
    state_ = State::kQuoted;
  } else if (byte == '"') {
    fail("a quote inside a cell that does not begin with one");
  } else {
    cell_.text += byte;
    state_ = State::kPlain;
  }
}

void CsvSplitter::finish() {
  if (state_ == State::kQuoted) fail("a quote is opened and never closed");
  if (record_bytes_ > 0) end_record();
}

void CsvSplitter::start_record() {
  record_ = CsvRecord();
  record_.line = line_;
  cell_ = CsvCell();
  record_bytes_ = 0;
  state_ = State::kCellStart;
}

void CsvSplitter::end_cell() {
  if (record_.cells.size() >= kMostColumns) {
    return fail("more than " + std::to_string(kMostColumns) + " columns");
  }
  record_.cells.push_back(std::exchange(cell_, CsvCell()));
  state_ = State::kCellStart;
}

void CsvSplitter::end_record() {
  if (record_.fault.empty()) end_cell();
  CsvRecord record = std::move(record_);
  start_record();
  on_record_(record);
}

void CsvSplitter::fail(std::string fault) {
  record_.cells.clear();
  record_.fault = std::move(fault);
  cell_ = CsvCell();
  state_ = State::kDiscard;
}

}  // namespace hone::data
