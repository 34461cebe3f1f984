#include "label/import_rows.h"

#include <utility>

#include "base/error.h"

namespace hone::label {
namespace {

// A vote is an answer to the main question like any other.
void check_votes(const TaskSchema& schema, const std::vector<Vote>& votes) {
  const Question& question = schema.main();
  if (question.kind != QuestionKind::kComparison) {
    throw invalid_input("the project does not ask which of two is better, so it takes no votes");
  }
  for (const Vote& vote : votes) {
    if ((vote.choice == "tie" && !question.tie) ||
        (vote.choice == "both_bad" && !question.both_bad)) {
      throw invalid_input("the row's vote is \"" + vote.choice +
                          "\", which this project does not offer");
    }
  }
}

constexpr std::string_view kImportColumns =
    "SELECT i.id, i.public_id, i.project_id, p.public_id, i.name, i.format, i.state, i.columns,"
    " i.bytes_done, i.rows, i.created, i.duplicates, i.errors, i.first_errors, i.created_by,"
    " i.created_at_ms, i.finished_at_ms FROM import i JOIN project p ON p.id = i.project_id ";

std::vector<RowError> row_errors_from(std::string_view text) {
  std::vector<RowError> errors;
  const Json list = Json::parse(text).value();
  for (const Json& entry : list.as_array()) {
    errors.push_back(
        {static_cast<uint64_t>(entry.at("line").as_int()), entry.at("reason").as_string()});
  }
  return errors;
}

ImportState read_import(const store::Row& row) {
  ImportState state;
  state.id = row.int64(0);
  state.public_id = row.string(1);
  state.project = row.int64(2);
  state.project_id = row.string(3);
  state.name = row.string(4);
  state.format = row.string(5);
  state.state = row.string(6);
  state.columns = Json::parse(row.text(7)).value();
  state.bytes_done = static_cast<uint64_t>(row.int64(8));
  state.rows = row.int64(9);
  state.created = row.int64(10);
  state.duplicates = row.int64(11);
  state.errors = row.int64(12);
  state.first_errors = row_errors_from(row.text(13));
  state.created_by = row.string(14);
  state.created_at_ms = row.int64(15);
  state.finished_at_ms = row.optional_int64(16);
  return state;
}

}  // namespace

Result<ImportedRow> imported_row(const TaskSchema& schema, ImportFormat format, ColumnRoles& roles,
                                 Json&& object, PublicIds& ids, bool votes) {
  try {
    ImportRow row = row_from_object(format, roles, std::move(object));
    if (votes && !row.votes.empty()) check_votes(schema, row.votes);
    Result<NewTask> task = row_to_task(schema, row.row, ids);
    if (!task) return task.error();
    ImportedRow made{std::move(*task), {}};
    if (votes) made.votes = std::move(row.votes);
    return made;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput) throw;
    return error;
  }
}

Json row_errors_json(const std::vector<RowError>& errors) {
  Json list = Json::array();
  for (const RowError& error : errors) {
    list.push_back(Json(Json::Object{{"line", error.line}, {"reason", error.reason}}));
  }
  return list;
}

void append_first_errors(store::Transaction& tx, int64_t import_id,
                         const std::vector<RowError>& errors) {
  const auto text = tx.query_text("SELECT first_errors FROM import WHERE id = $1", {import_id});
  std::vector<RowError> all = row_errors_from(text.value_or("[]"));
  all.insert(all.end(), errors.begin(), errors.end());
  if (all.size() > ImportState::kMostErrors) all.resize(ImportState::kMostErrors);
  tx.execute("UPDATE import SET first_errors = $2 WHERE id = $1",
             {import_id, row_errors_json(all).dump()});
}

ImportState get_import(store::Connection& db, std::string_view import_id) {
  auto state = db.query_one(std::string(kImportColumns) + "WHERE i.public_id = $1", {import_id},
                            read_import);
  if (!state) throw not_found("there is no such import");
  return *std::move(state);
}

std::vector<ImportState> list_imports(store::Connection& db, int64_t project,
                                      std::optional<int64_t> before_id, size_t limit) {
  return db.query_all(std::string(kImportColumns) +
                          "WHERE i.project_id = $1 AND i.id < $2 ORDER BY i.id DESC LIMIT $3",
                      {project, before_id.value_or(INT64_MAX), limit}, read_import);
}

}  // namespace hone::label
