#include "store/database.h"

#include "base/error.h"

namespace hone::store {
namespace {

std::string_view kind_name(ValueKind kind) {
  constexpr std::string_view kNames[] = {"null", "an integer", "a real number", "text", "bytes"};
  return kNames[static_cast<size_t>(kind)];
}

[[noreturn]] void wrong_kind(size_t column, ValueKind wanted, ValueKind found) {
  throw Error(ErrorCode::kInternal, "the database gave a value of another kind than expected",
              "column " + std::to_string(column) + " is " + std::string(kind_name(found)) +
                  ", wanted " + std::string(kind_name(wanted)));
}

}  // namespace

ValueKind Row::kind(size_t column) const {
  if (column >= statement_->columns()) {
    throw Error(ErrorCode::kInternal, "the database gave fewer columns than expected",
                "column " + std::to_string(column) + " of " + std::to_string(columns()));
  }
  return statement_->kind(column);
}

int64_t Row::int64(size_t column) const {
  ValueKind found = kind(column);
  if (found != ValueKind::kInt64) wrong_kind(column, ValueKind::kInt64, found);
  return statement_->int64(column);
}

double Row::real(size_t column) const {
  ValueKind found = kind(column);
  if (found == ValueKind::kInt64) return static_cast<double>(statement_->int64(column));
  if (found != ValueKind::kDouble) wrong_kind(column, ValueKind::kDouble, found);
  return statement_->real(column);
}

std::string_view Row::text(size_t column) const {
  ValueKind found = kind(column);
  if (found != ValueKind::kText) wrong_kind(column, ValueKind::kText, found);
  return statement_->text(column);
}

std::string_view Row::bytes(size_t column) const {
  ValueKind found = kind(column);
  if (found != ValueKind::kBytes) wrong_kind(column, ValueKind::kBytes, found);
  return statement_->bytes(column);
}

std::optional<int64_t> Row::optional_int64(size_t column) const {
  if (is_null(column)) return std::nullopt;
  return int64(column);
}
std::optional<double> Row::optional_real(size_t column) const {
  if (is_null(column)) return std::nullopt;
  return real(column);
}
std::optional<std::string_view> Row::optional_text(size_t column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}
std::optional<std::string> Row::optional_string(size_t column) const {
  if (is_null(column)) return std::nullopt;
  return string(column);
}

bool Cursor::next() {
  if (started_ && has_row_) has_row_ = statement_->step();
  started_ = true;
  if (!has_row_) close();
  return has_row_;
}

void Cursor::close() noexcept {
  if (statement_ != nullptr) std::exchange(statement_, nullptr)->finish();
}

Cursor Connection::query(std::string_view sql, std::span<const Value> values) {
  auto [statement, has_row] = start(sql, values);
  return Cursor(*statement, has_row);
}

std::optional<int64_t> Connection::query_int64(std::string_view sql,
                                               std::initializer_list<Value> values) {
  auto value = query_one(sql, values, [](const Row& row) { return row.optional_int64(0); });
  return value ? *value : std::nullopt;
}

std::optional<std::string> Connection::query_text(std::string_view sql,
                                                  std::initializer_list<Value> values) {
  auto value = query_one(sql, values, [](const Row& row) { return row.optional_string(0); });
  return value ? std::move(*value) : std::nullopt;
}

void Connection::require_end(Cursor& cursor) {
  if (!cursor.next()) return;
  throw Error(ErrorCode::kInternal, "the database gave more rows than expected",
              "query_one found a second row");
}

int64_t Transaction::execute(std::string_view sql, std::span<const Value> values) {
  auto [statement, has_row] = start(sql, values);
  Cursor cursor(*statement, has_row);
  while (cursor.next()) {
  }
  return changed_rows();
}

Error error_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& other) {
    return {ErrorCode::kInternal, "the work failed inside the program; its log says why",
            other.what()};
  }
}

}  // namespace hone::store
