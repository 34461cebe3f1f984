#pragma once
// What the columns of somebody's file mean (docs/formats/import.md): a role for each, guessed from
// names and values, confirmed by the caller; then a file's row becomes the row that task_rows.h takes.
//
// Of roles that one column can have only, a column with the role's own name comes first, then the
// first in the file; later ones are meta. Several prompt columns are joined by an empty line, several
// response columns are the list of responses, several winner columns are several people's votes.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hone::label {

enum class ColumnRole {
  kPrompt,
  kLeft,
  kRight,
  kResponse,
  kResponses,
  kMessages,
  kModels,
  kModel,
  kModelLeft,
  kModelRight,
  kId,
  kLanguage,
  kPriority,
  kGold,
  kWinner,
  kWorker,
  kMeta,
  kIgnore,
};
std::string_view column_role_name(ColumnRole role);  // "model_left"
std::optional<ColumnRole> column_role_from_name(std::string_view name);

// What somebody said of a pair before it came here.
struct Vote {
  std::string worker;
  std::string choice;  // first, second, tie, both_bad: in the order of the row
};
// The name of who judged: cut of white space at its ends, "imported" when nothing is left. Throws
// invalid_input when it is over 200 bytes or has a zero byte.
std::string vote_worker(std::string_view name);
// left, a, model_a, 1, "[[A]]" …; tie, 0, c, equal …; both_bad, "tie (bothbad)"; nothing for the rest.
std::optional<std::string> vote_choice(const Json& value);

struct ImportRow {
  Json row;  // for row_to_task
  std::vector<Vote> votes;
};

class ColumnRoles {
 public:
  explicit ColumnRoles(std::string task_type) : task_type_(std::move(task_type)) {}
  // confirmed: {"column": "role", …}; null or absent = all are guessed. Throws invalid_input for a
  // role that is none.
  ColumnRoles(std::string task_type, const Json& confirmed);

  // Gives roles to columns that are new in this row, then makes of it what row_to_task takes.
  // is_text: the values are cells of a CSV file: an empty cell is no value, and a cell where a list
  // or an answer belongs is read as JSON. Throws invalid_input with one clause.
  ImportRow apply(Json&& object, bool is_text);

  struct Column {
    std::string name;
    ColumnRole role = ColumnRole::kMeta;
    bool confirmed = false;
  };
  const std::string& task_type() const { return task_type_; }
  const std::vector<Column>& columns() const { return columns_; }  // in the order they came
  Json to_json() const;                                            // {"column": "role"}

 private:
  void learn(const Json::Object& object);
  ColumnRole guess(const std::string& name, const Json& value) const;
  void add(const std::string& name, ColumnRole role, bool confirmed);
  void take(const Column& column, Json&& value, bool is_text, ImportRow& out);
  void take_votes(ImportRow& out);

  static constexpr size_t kMostColumns = 4096;

  std::string task_type_;
  std::vector<Column> columns_;
  std::map<std::string, size_t, std::less<>> index_;
  std::map<ColumnRole, size_t> holders_;

  // Of the row at hand.
  std::vector<std::pair<std::string, Json>> winners_;
  std::string worker_;
};

}  // namespace hone::label
