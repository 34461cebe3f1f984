// In and out: imports, splits, exports, snapshots.
#include "api/dataset_view.h"
#include "api/handlers.h"
#include "api/project_view.h"
#include "label/export.h"
#include "label/import.h"
#include "label/snapshots.h"
#include "label/splits.h"
#include "seal/digest.h"
#include "store/job_queue.h"

namespace hone::api {
namespace {

using store::Connection;

Json columns_of(const Call& call) {
  const std::string_view text = call.query("columns");
  if (text.empty()) return {};
  Result<Json> parsed = Json::parse(text, {.max_depth = 4});
  if (!parsed || !parsed->is_object()) {
    throw bad_field("columns", "columns must be a JSON object: column -> role");
  }
  return std::move(*parsed);
}

Json import_done_json(const label::ImportState& state) {
  const Json whole = state.to_json();
  Json body = Json::object();
  body["import_id"] = state.public_id;
  for (const char* name : {"rows", "created", "duplicates", "errors", "first_errors"}) {
    body[name] = whole.at(name);
  }
  return body;
}

void tell(Call& call, std::string_view kind, const std::string& id) {
  Json data;
  data["id"] = id;
  call.platform.events().publish(call.who().organisation_id, kind, data);
}

// Reads the body to its end and says what it was, for a request that has been answered before.
std::string digest_of_rest(http::BodyReader& reader) {
  seal::Sha256 sha;
  while (true) {
    const std::string_view bytes = reader.read();
    if (bytes.empty()) return sha.hex();
    sha.update(bytes);
  }
}

// Whether this key was answered before; the body is then read to its end and must be the same.
std::optional<Answer> answered_before(Call& call) {
  if (!call.request.headers.contains("Idempotency-Key")) return std::nullopt;
  const RepeatKey any = repeat_key_of_bytes(call, {});
  const bool known = call.platform.control().read([&](Connection& db) {
    return db
        .query_int64(
            "SELECT 1 FROM idempotency WHERE principal = $1 AND route = $2 AND key = $3 "
            "AND created_at_ms > $4",
            {any.principal, any.route, any.key, call.now_ms() - label::kDayMs})
        .has_value();
  });
  if (!known) return std::nullopt;
  const RepeatKey same = repeat_key_of_bytes(call, digest_of_rest(call.request.body_reader()));
  return call.platform.control().read(
      [&](Connection& db) { return find_repeat(call.platform, db, same); });
}

void keep_import(Call& call, const std::string& digest, const Answer& answer) {
  if (!call.request.headers.contains("Idempotency-Key")) return;
  const RepeatKey key = repeat_key_of_bytes(call, digest);
  call.platform.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    keep_answer(call.platform, tx, key, answer);
  });
}

// The digest of what was stored; it is on the disk when this returns.
std::string store_body(http::BodyReader& reader, WritableFile& file) {
  seal::Sha256 sha;
  while (true) {
    const std::string_view bytes = reader.read();
    if (bytes.empty()) break;
    sha.update(bytes);
    file.append(bytes);
  }
  file.sync();
  file.close();
  return sha.hex();
}

Answer import_now(Call& call, const label::Actor& actor, label::ImportRequest request,
                  std::string* digest) {
  label::Importer importer(call.organisation(), actor, std::move(request));
  seal::Sha256 sha;
  http::BodyReader& reader = call.request.body_reader();
  while (true) {
    const std::string_view bytes = reader.read();
    if (bytes.empty()) break;
    sha.update(bytes);
    importer.feed(bytes);
  }
  *digest = sha.hex();
  return {.status = 200, .body = import_done_json(importer.finish())};
}

// Stores the bytes in the organisation's folder and leaves the rest to a job.
Answer import_later(Call& call, const label::Actor& actor, const label::ImportRequest& request,
                    std::string* digest) {
  call.platform.job_runner();  // refuses before a byte is stored
  label::Organisation& organisation = call.organisation();
  Env& env = call.platform.env();
  const std::string name = "imports/" + seal::new_token(env).substr(0, 26) + ".part";
  const std::string path = organisation.folder() + "/" + name;
  env.create_directories(organisation.folder() + "/imports");
  try {
    *digest = store_body(call.request.body_reader(), *env.create_file(path));
    const label::ImportState reserved = label::Importer::reserve(
        organisation, actor, request, env.read_range(path, 0, label::ImportPreview::kMostBytes));
    Json payload = Json::object();
    payload["import_id"] = reserved.public_id;
    payload["project_id"] = request.project;
    payload["path"] = name;
    payload["votes"] = request.votes;
    Json body = Json::object();
    body["import_id"] = reserved.public_id;
    body["job_id"] = enqueue(call, "import", std::move(payload), reserved.public_id);
    return {.status = 202, .body = std::move(body)};
  } catch (...) {
    env.remove_all(path);
    throw;
  }
}

}  // namespace

std::string enqueue(Call& call, const std::string& kind, Json payload,
                    std::optional<std::string> unique_key) {
  JobRunner& runner = call.platform.job_runner();
  store::NewJob job;
  job.public_id = "job_" + seal::new_token(call.platform.env()).substr(0, 26);
  job.kind = kind;
  job.organisation = call.who().organisation_id;
  job.payload = std::move(payload);
  job.unique_key = std::move(unique_key);
  job.created_by = call.who().person_id;
  const store::Enqueued made = call.platform.control().write(
      store::Durability::kDisk,
      [&](store::Transaction& tx) { return store::enqueue_job(tx, job, call.now_ms()); });
  runner.wake();
  tell(call, "job", made.public_id);
  return made.public_id;
}

http::Response preview_import(Call& call) {
  const label::Actor actor = call.actor();
  const Json columns = columns_of(call);
  const auto schema = call.organisation().read([&](Connection& db) {
    const label::Project project = visible_project(call, db, actor);
    return label::get_schema(db, project.id, project.schema_version);
  });
  const bool whole = call.request.body.size() < label::ImportPreview::kMostBytes;
  return json_response(
      200, label::preview_import(*schema, call.request.body, whole, call.query("format"), columns)
               .to_json());
}

http::Response import_tasks(Call& call) {
  const label::Actor actor = call.actor();
  if (const auto before = answered_before(call)) return replayed_response(*before);
  label::ImportRequest request;
  request.project = call.id("project_id");
  request.name = call.query("name", "upload");
  request.format = call.query("format");
  request.columns = columns_of(call);
  request.votes = call.query("votes") != "false";
  request.max_bytes = call.platform.options().max_import_bytes;
  std::string digest;
  const Answer answer = call.query_bool("background")
                            ? import_later(call, actor, request, &digest)
                            : import_now(call, actor, std::move(request), &digest);
  keep_import(call, digest, answer);
  tell(call, "project", call.id("project_id"));
  return to_response(answer);
}

namespace {

Json import_json(const label::ImportState& state) {
  const Json whole = state.to_json();
  Json body = Json::object();
  for (const auto& [name, value] : whole.as_object()) {
    if (name != "created_at_ms" && name != "finished_at_ms") body[name] = value;
  }
  body["created_at"] = time_text(state.created_at_ms);
  body["finished_at"] = time_json(state.finished_at_ms);
  return body;
}

}  // namespace

http::Response list_imports(Call& call) {
  const PageRequest page = read_page(call.request.query);
  return call.organisation().read([&](Connection& db) {
    const label::Project project = label::get_project(db, call.id("project_id"));
    std::optional<int64_t> before;
    if (!page.after.empty()) before = page.after[0];
    const auto imports =
        label::list_imports(db, project.id, before, static_cast<size_t>(page.limit) + 1);
    return list_response(imports, page.limit, import_json,
                         [](const label::ImportState& each) { return each.id; });
  });
}

http::Response read_import(Call& call) {
  return call.organisation().read([&](Connection& db) {
    return json_response(200, import_json(label::get_import(db, call.id("import_id"))));
  });
}

http::Response freeze_split(Call& call) {
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    std::optional<std::string> seed;
    if (const auto number = call.maybe_int("seed")) seed = std::to_string(*number);
    const label::SplitCounts counts =
        label::freeze_splits(call.organisation(), actor, call.id("project_id"),
                             *call.maybe_number("heldout_fraction"), seed);
    Json body = Json::object();
    body["train"] = counts.train;
    body["heldout"] = counts.heldout;
    return {.status = 201, .body = std::move(body)};
  });
}

namespace {

label::ExportRequest export_request(const Call& call) {
  label::ExportRequest request;
  request.format = label::export_format_from_name(call.query("format", "preferences"));
  request.split = call.query("split");
  request.min_probability = call.query_number("min_probability").value_or(0.5);
  request.min_annotations = call.query_int("min_annotations").value_or(1);
  return request;
}

}  // namespace

http::Response export_project(Call& call) {
  label::Organisation& organisation = call.organisation();
  const label::ExportRequest request = export_request(call);
  const label::Project project = organisation.read(
      [&](Connection& db) { return label::get_project(db, call.id("project_id")); });
  label::check_export(organisation, project, request);  // once streaming, nothing can be refused
  // The organisation stays open as long as the platform, which outlives the server's streams.
  http::Response response = http::Response::streamed(
      label::export_media_type(request.format),
      [&organisation, project, request](http::StreamWriter& writer) {
        label::export_project(organisation, project, request, [&](std::string_view piece) {
          if (!writer.write(piece)) throw Error(ErrorCode::kUnavailable, "the client left");
        });
      });
  response.headers.set("Content-Disposition",
                       "attachment; filename=\"" + project.public_id + "-" +
                           std::string(request.format == label::ExportFormat::kCsv
                                           ? "annotations"
                                           : label::export_format_name(request.format)) +
                           "." + std::string(label::export_file_ending(request.format)) + "\"");
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

namespace {

Json snapshot_json(const Call& call, Connection& db, const label::Snapshot& snapshot) {
  Json body = Json::object();
  body["id"] = snapshot.public_id;
  body["name"] = snapshot.name;
  body["format"] = snapshot.format;
  body["state"] = snapshot.state;
  body["rows_train"] = snapshot.rows_train;
  body["rows_heldout"] = snapshot.rows_heldout;
  body["annotations"] = snapshot.annotations;
  body["digest"] = snapshot.digest;
  body["filter"] = snapshot.filter;
  body["created_at"] = time_text(snapshot.created_at_ms);
  body["created_by"] = named_actor(call, db, snapshot.created_by);
  return body;
}

}  // namespace

label::Snapshot make_snapshot_of(Call& call, const label::Actor& actor, const std::string& project,
                                 const std::string& name, const std::string& format,
                                 double min_probability, int64_t min_annotations) {
  label::SnapshotRequest request;
  request.name = name;
  request.filter.format = label::export_format_from_name(format);
  request.filter.min_probability = min_probability;
  request.filter.min_annotations = min_annotations;
  request.program_version = call.platform.options().version;
  return label::create_snapshot(call.organisation(), actor, project, request);
}

http::Response make_snapshot(Call& call) {
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    const label::Snapshot snapshot = make_snapshot_of(
        call, actor, call.id("project_id"), call.text("name"), call.text("format", "preferences"),
        call.maybe_number("min_probability").value_or(0.5),
        call.maybe_int("min_annotations").value_or(1));
    return {.status = 201, .body = call.organisation().read([&](Connection& db) {
              return snapshot_json(call, db, snapshot);
            })};
  });
}

http::Response list_snapshots(Call& call) {
  const PageRequest page = read_page(call.request.query);
  return call.organisation().read([&](Connection& db) {
    const label::Project project = label::get_project(db, call.id("project_id"));
    std::optional<int64_t> before;
    if (!page.after.empty()) before = page.after[0];
    const auto snapshots =
        label::list_snapshots(db, project.id, before, static_cast<size_t>(page.limit) + 1);
    return list_response(
        snapshots, page.limit,
        [&](const label::Snapshot& each) { return snapshot_json(call, db, each); },
        [](const label::Snapshot& each) { return each.id; });
  });
}

http::Response read_snapshot(Call& call) {
  return call.organisation().read([&](Connection& db) {
    return json_response(200,
                         snapshot_json(call, db, label::get_snapshot(db, call.id("snapshot_id"))));
  });
}

http::Response read_snapshot_file(Call& call) {
  const std::string name = call.id("file");
  const std::string path = label::snapshot_file(call.organisation(), call.id("snapshot_id"), name);
  Env& env = call.platform.env();
  const uint64_t size = env.file_size(path);
  http::Response response =
      http::Response::streamed(name == "manifest.json" ? "application/json" : "application/jsonl",
                               [&env, path, size](http::StreamWriter& writer) {
                                 constexpr uint64_t kPiece = uint64_t{256} * 1024;
                                 for (uint64_t at = 0; at < size; at += kPiece) {
                                   if (!writer.write(env.read_range(path, at, kPiece))) return;
                                 }
                               });
  response.headers.set("Content-Disposition", "attachment; filename=\"" + name + "\"");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace hone::api
