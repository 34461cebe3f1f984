// A file of tasks of any bytes, in every format. What must hold: reading ends in tasks, errors or one
// refusal; every task has its digests and a body that is JSON of bounded size; every reason is UTF-8;
// and the size of the pieces changes nothing. The first byte picks the format and the size of the
// pieces, the second the task type and whether columns are confirmed.

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "base/utf8.h"
#include "data/object_stream.h"
#include "label/import.h"
#include "label/import_rows.h"

namespace {

using namespace hone;

constexpr const char* kTypes[] = {"pairwise", "ranking", "rating",      "text",
                                  "safety",   "rubric",  "conversation"};

struct Input {
  std::string_view bytes;
  label::ImportFormat format;
  label::TaskSchema schema;
  Json columns;
};

void add_task(const label::ImportedRow& row, std::string& text) {
  HONE_CHECK(row.task.content_digest.size() == 16 && row.task.group_digest.size() == 16);
  HONE_CHECK(row.task.body.size() <= label::NewTask::kMostBodyBytes);
  HONE_CHECK(!find_invalid_utf8(row.task.body));
  const Result<Json> body = Json::parse(row.task.body);
  HONE_CHECK(body.has_value());
  HONE_CHECK(body->at("responses").size() == row.task.response_ids.size());
  text += row.task.content_digest + row.task.group_digest + row.task.external_id.value_or("-") +
          row.task.language + std::to_string(row.task.priority);
  for (const label::Vote& vote : row.votes) {
    HONE_CHECK(!vote.worker.empty() && !find_invalid_utf8(vote.worker));
    text += vote.worker + "=" + vote.choice + ";";
  }
}

std::string read(const Input& input, size_t piece) {
  std::string text;
  try {
    label::ColumnRoles roles(input.schema.task_type, input.columns);
    label::PublicIds ids(real_env());
    data::ObjectStream stream(
        label::object_format_of(input.format, input.bytes), {.max_row_bytes = 4096},
        [&](data::ObjectRow&& row) {
          HONE_CHECK(row.line > 0 && row.end <= input.bytes.size());
          text += "\n" + std::to_string(row.line) + "@" + std::to_string(row.end) + " ";
          HONE_CHECK(!find_invalid_utf8(row.fault));
          if (!row.fault.empty()) {
            text += row.fault;
            return;
          }
          const auto made = label::imported_row(input.schema, input.format, roles,
                                                std::move(row.object), ids, true);
          if (made) return add_task(*made, text);
          HONE_CHECK(!find_invalid_utf8(made.error().message()));
        });
    for (size_t at = 0; at < input.bytes.size(); at += std::min(piece, input.bytes.size() - at)) {
      stream.feed(input.bytes.substr(at, piece));
    }
    stream.finish();
    text += roles.to_json().dump();
  } catch (const Error& error) {
    HONE_CHECK(error.code() == ErrorCode::kInvalidInput);
    HONE_CHECK(!find_invalid_utf8(error.message()));
    text += "\nrefused: " + error.message();
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Input input;
  input.bytes = std::string_view(reinterpret_cast<const char*>(data) + 2, size - 2);
  const unsigned choice = data[0] & 7;
  input.format = choice < 4 ? static_cast<label::ImportFormat>(choice)
                            : label::guess_import_format(input.bytes);
  input.schema = label::built_in_schema(kTypes[data[1] % 7]);
  if (data[1] & 128) {
    input.columns =
        Json(Json::Object{{"a", "left"}, {"b", "right"}, {"c", "prompt"}, {"d", "winner"}});
  }
  HONE_CHECK(read(input, SIZE_MAX) == read(input, (data[0] >> 3) + 1u));
  const Json preview = label::preview_import(input.schema, input.bytes, true).to_json();
  HONE_CHECK(!find_invalid_utf8(preview.dump()));
  return 0;
}
