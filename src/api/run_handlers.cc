// Training runs: planned, started, followed, compared. What runs is a job of the roof; here are the row
// and the files that the run leaves (docs/formats/run.md).
#include "api/completions_log.h"
#include "api/dataset_view.h"
#include "api/gate_overlap.h"
#include "api/handlers.h"
#include "api/project_view.h"
#include "api/run_files.h"
#include "label/projects.h"
#include "label/runs.h"
#include "label/splits.h"
#include "label/task_rows.h"
#include "store/job_queue.h"

namespace hone::api {
namespace {

using store::Connection;
using store::Durability;
using store::Transaction;

Json member_or_null(const Json& object, std::string_view name) {
  const Json* found = object.find(name);
  return found == nullptr ? Json() : *found;
}

int64_t int_or_zero(const Json& object, std::string_view name) {
  const Json* found = object.find(name);
  return found == nullptr || !found->is_number() ? 0 : static_cast<int64_t>(found->as_double());
}

// What a running job last said: {phase, step, steps, rate, seconds_left}.
Json progress_of(Call& call, const label::Run& run) {
  if (run.ended() || run.job_id.empty()) return Json::object();
  const auto job =
      call.platform.control().read([&](Connection& db) { return store::get_job(db, run.job_id); });
  return job && job->progress.is_object() ? job->progress : Json::object();
}

Json run_json(Call& call, const label::Run& run) {
  const Json progress = progress_of(call, run);
  Json body = Json::object();
  body["id"] = run.public_id;
  body["name"] = run.name;
  body["method"] = run.method;
  body["model"] = run.model;
  body["snapshot_id"] = run.snapshot_id;
  body["project_id"] = run.project_id;
  // What was asked; once it is done, all that it ran with.
  const Json* effective = run.result.find("settings");
  body["settings"] = effective != nullptr ? *effective : run.settings;
  body["state"] = run.state;
  const Json* phase = progress.find("phase");
  body["phase"] = phase != nullptr && phase->is_string() ? *phase : Json(run.phase);
  const int64_t steps = std::max(int_or_zero(progress, "steps"), int_or_zero(run.result, "steps"));
  body["step"] = run.state == "done" ? steps : int_or_zero(progress, "step");
  body["steps"] = steps;
  body["rate"] = member_or_null(progress, "rate");
  body["seconds_left"] = member_or_null(progress, "seconds_left");
  body["error"] = run.error;
  for (const char* name : {"verdict", "before", "after", "p_value", "smallest_detectable"}) {
    body[name] = member_or_null(run.result, name);
  }
  body["created_at"] = time_text(run.created_at_ms);
  body["finished_at"] = time_json(run.finished_at_ms);
  body["job_id"] = run.job_id;
  return body;
}

void tell_run(Call& call, const std::string& run_id) {
  Json data;
  data["id"] = run_id;
  call.platform.events().publish(call.who().organisation_id, "run", data);
}

label::Run find_run(Call& call) {
  return call.organisation().read(
      [&](Connection& db) { return label::get_run(db, call.id("run_id")); });
}

const OfferedModel& wanted_model(Call& call) {
  const auto name = call.maybe_text("model");
  if (name) return call.platform.model(*name);
  const auto& models = call.platform.options().models;
  if (models.empty()) {
    throw Error(ErrorCode::kConflict, "this server offers no model: start it with --model");
  }
  return models.front();
}

Json settings_of(const Call& call) {
  return call.has("settings") ? call.body.at("settings") : Json::object();
}

Error no_labels() {
  return Error(ErrorCode::kConflict, "there are no labels to train on: label some tasks first");
}

data::Dataset training_rows(Call& call, const label::Snapshot& snapshot) {
  return data::load_dataset(
      call.platform.env(),
      label::snapshot_file(call.organisation(), snapshot.public_id, "train.jsonl"));
}

// Whoever trained on a gate's test cannot pass it: said before anything is made.
void check_gates(Call& call, const label::Snapshot& snapshot) {
  const auto sets = gate_sets(call.platform, call.organisation(), call.who().organisation_key);
  if (sets.empty()) return;
  refuse_gate_overlap(call.platform.env(), training_rows(call, snapshot),
                      "the training rows of " + snapshot.name, sets);
}

void add_gate_overlaps(Call& call, const label::Snapshot& snapshot, Json& missing) {
  const auto sets = gate_sets(call.platform, call.organisation(), call.who().organisation_key);
  if (sets.empty()) return;
  try {
    const data::Dataset rows = training_rows(call, snapshot);
    for (const GateOverlap& each : find_gate_overlaps(call.platform.env(), rows, sets)) {
      missing.push_back(each.words("the training rows"));
    }
  } catch (const Error& error) {
    missing.push_back(error.message());
  }
}

// Of the prompts, where nobody has frozen a split before the first run: without held-out rows there
// is no proof.
constexpr double kHeldoutShare = 0.25;

// The snapshot that was named, which must be of the project; or one that is made now.
label::Snapshot snapshot_for_run(Call& call, const label::Actor& actor) {
  const auto named = call.maybe_text("snapshot_id");
  label::Organisation& organisation = call.organisation();
  if (!named) {
    const label::Project project = organisation.read(
        [&](Connection& db) { return label::get_project(db, call.id("project_id")); });
    if (project.counts.annotations == 0) throw no_labels();
    if (project.split_state == "none") {
      label::freeze_splits(organisation, actor, project.public_id, kHeldoutShare);
    }
    return make_snapshot_of(call, actor, call.id("project_id"), "for training",
                            call.text("method") == "sft" ? "sft" : "preferences", 0.5, 1);
  }
  return organisation.read([&](Connection& db) {
    label::Snapshot snapshot = label::get_snapshot(db, *named);
    if (snapshot.project_id != call.id("project_id")) throw not_found("there is no such snapshot");
    return snapshot;
  });
}

}  // namespace

http::Response list_bases(Call& call) {
  read_page(call.request.query);  // they fit on one page; a cursor is checked all the same
  Json::Array items;
  for (const OfferedModel& each : call.platform.options().models) {
    Json entry = Json::object();
    entry["name"] = each.name;
    entry["parameters"] = each.parameters;
    entry["file"] = each.file;
    entry["fits"] = each.fits;
    items.push_back(std::move(entry));
  }
  return json_response(200, page_body(std::move(items), std::nullopt));
}

http::Response plan_run(Call& call) {
  label::Organisation& organisation = call.organisation();
  const auto named = call.maybe_text("snapshot_id");
  if (!named) {
    throw bad_field("/snapshot_id", "a plan is of a snapshot: make one first, then name it");
  }
  const label::Snapshot snapshot = organisation.read([&](Connection& db) {
    label::Snapshot found = label::get_snapshot(db, *named);
    if (found.project_id != call.id("project_id")) throw not_found("there is no such snapshot");
    return found;
  });
  const OfferedModel& model = wanted_model(call);
  Json body =
      call.platform.job_runner().plan_run(model, call.text("method"), settings_of(call),
                                          label::snapshot_folder(organisation, snapshot.public_id));
  body["rows"] = snapshot.rows_train;
  body["heldout_rows"] = snapshot.rows_heldout;
  Json missing = Json::array();
  if (const Json* more = body.find("missing")) missing = *more;
  if (snapshot.state != "ready") missing.push_back("a snapshot that is ready");
  if (snapshot.rows_train == 0) missing.push_back("rows to train on");
  if (snapshot.rows_heldout == 0) {
    missing.push_back("held-out rows for the proof: freeze a split, then make a snapshot");
  }
  if (snapshot.state == "ready" && snapshot.rows_train > 0) {
    add_gate_overlaps(call, snapshot, missing);
  }
  body["ready"] = missing.size() == 0;
  body["missing"] = std::move(missing);
  return json_response(200, body);
}

http::Response start_run(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  http::Response response = once_over_both(call, [&]() -> Answer {
    // Refused before anything is made.
    organisation.read([&](Connection& db) { label::get_project(db, call.id("project_id")); });
    call.platform.job_runner();
    const OfferedModel& model = wanted_model(call);
    const label::Snapshot snapshot = snapshot_for_run(call, actor);
    if (snapshot.rows_train == 0 || snapshot.rows_heldout == 0) {
      if (snapshot.rows_train == 0) throw no_labels();
      throw Error(ErrorCode::kConflict,
                  "there are no held-out labels, so nothing could show whether the model got "
                  "better: freeze a split before the snapshot, or label more tasks");
    }
    check_gates(call, snapshot);
    label::NewRun wanted;
    wanted.name = call.text("name", model.name + " on " + snapshot.name);
    wanted.method = call.text("method");
    wanted.model = model.name;
    wanted.settings = settings_of(call);
    label::Run run = organisation.write(Durability::kDisk, [&](Transaction& tx) {
      return label::create_run(organisation, tx, actor, snapshot.public_id, wanted);
    });
    Json payload = Json::object();
    payload["run_id"] = run.public_id;
    run.job_id = enqueue(call, "run", std::move(payload), run.public_id);
    organisation.write(Durability::kDisk,
                       [&](Transaction& tx) { label::set_run_job(tx, run.public_id, run.job_id); });
    tell_run(call, run.public_id);
    return {.status = 202, .body = run_json(call, run)};
  });
  return response;
}

http::Response list_runs(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const auto runs = call.organisation().read([&](Connection& db) {
    const label::Project project = label::get_project(db, call.id("project_id"));
    std::optional<int64_t> before;
    if (!page.after.empty()) before = page.after[0];
    return label::list_runs(db, project.id, before, static_cast<size_t>(page.limit) + 1);
  });
  return list_response(
      runs, page.limit, [&](const label::Run& each) { return run_json(call, each); },
      [](const label::Run& each) { return each.id; });
}

http::Response read_run(Call& call) { return json_response(200, run_json(call, find_run(call))); }

http::Response cancel_run(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  const label::Run run = find_run(call);
  if (run.ended()) return json_response(202, run_json(call, run));
  store::JobState state = store::JobState::kCancelled;
  if (!run.job_id.empty()) {
    state = call.platform.control().write(Durability::kDisk, [&](Transaction& tx) {
      return store::cancel_job(tx, run.job_id, call.now_ms());
    });
  }
  // A job that runs says itself how it ended; one that never began says nothing.
  if (state == store::JobState::kCancelled) {
    organisation.write(Durability::kDisk, [&](Transaction& tx) {
      if (label::get_run(tx, run.public_id).ended()) return;
      label::RunChange change;
      change.state = "cancelled";
      label::change_run(organisation, tx, actor, run.public_id, change);
    });
  }
  if (call.platform.has_job_runner()) call.platform.job_runner().wake();
  tell_run(call, run.public_id);
  return json_response(202, run_json(call, find_run(call)));
}

http::Response read_run_metrics(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const label::Run run = find_run(call);
  const std::string folder = label::run_folder(call.organisation(), run.public_id);
  const MetricsPage metrics =
      read_metrics(call.platform.env(), folder, call.query_int("after_step").value_or(-1),
                   page.after.empty() ? 0 : page.after[0], page.limit);
  std::optional<std::string> next;
  if (metrics.next_offset != 0) next = write_cursor({metrics.next_offset});
  return json_response(200, page_body(metrics.lines, next));
}

http::Response read_run_answers(Call& call) {
  const label::Run run = find_run(call);
  return json_response(
      200, page_body(read_shown_answers(call.platform.env(),
                                        label::run_folder(call.organisation(), run.public_id)),
                     std::nullopt));
}

http::Response read_run_items(Call& call) {
  const PageRequest page = read_page(call.request.query);
  label::Organisation& organisation = call.organisation();
  const label::Run run = find_run(call);
  const Json::Array all =
      read_margins(call.platform.env(), label::run_folder(organisation, run.public_id),
                   label::snapshot_folder(organisation, run.snapshot_id));
  return json_response(200, page_of(all, page));
}

http::Response read_run_completions(Call& call) {
  const label::Run run = find_run(call);
  const PageRequest page = read_page(call.request.query, 2);
  CompletionQuery query;
  query.step_from = call.query_int("step_from");
  query.step_to = call.query_int("step_to");
  query.reward = call.query("reward");
  query.reward_min = call.query_number("reward_min");
  query.reward_max = call.query_number("reward_max");
  const std::string_view sort = call.query("sort", "step");
  query.order = sort == "reward"      ? CompletionOrder::kReward
                : sort == "advantage" ? CompletionOrder::kAdvantage
                                      : CompletionOrder::kLogged;
  query.descending = call.query("order") == "desc";
  query.limit = static_cast<size_t>(page.limit);
  if (!page.after.empty()) {
    // What came into the log since the first page does not move those that follow.
    query.skip = static_cast<size_t>(std::max<int64_t>(page.after[0], 0));
    query.bytes = static_cast<uint64_t>(std::max<int64_t>(page.after[1], 1));
  }
  CompletionPage read = read_completions(
      call.platform.env(), label::run_folder(call.organisation(), run.public_id), query);
  const size_t next = query.skip + query.limit;
  Json body = Json::object();
  Json items = Json::array();
  for (Json& each : read.items) items.push_back(std::move(each));
  body["items"] = std::move(items);
  body["next"] =
      next < read.found
          ? Json(write_cursor({static_cast<int64_t>(next), static_cast<int64_t>(read.bytes)}))
          : Json();
  body["found"] = read.found;
  body["all"] = read.all;
  body["whole"] = read.whole;
  body["rewards"] = texts_json(read.rewards);
  body["first_step"] = read.first_step;
  body["last_step"] = read.last_step;
  return json_response(200, body);
}

http::Response read_run_labels(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const label::Run run = find_run(call);
  std::optional<int64_t> after;
  if (!page.after.empty()) after = page.after[0];
  const auto labels = call.organisation().read([&](Connection& db) {
    return label::list_run_labels(db, run, after, static_cast<size_t>(page.limit) + 1);
  });
  return list_response(
      labels, page.limit,
      [](const label::RunLabel& each) {
        Json item = Json::object();
        item["id"] = each.annotation_id;
        item["task_id"] = each.task_id;
        item["person"] = each.pseudonym;
        item["use"] = each.is_held_out ? "heldout" : "train";
        item["created_at"] = time_text(each.created_at_ms);
        return item;
      },
      [](const label::RunLabel& each) { return each.id; });
}

http::Response read_run_people(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const label::Run run = find_run(call);
  constexpr size_t kPeopleMax = 10'000;
  const auto people = call.organisation().read(
      [&](Connection& db) { return label::list_run_people(db, run, kPeopleMax); });
  Json::Array items;
  for (const label::RunPerson& each : people) {
    Json item = Json::object();
    item["person"] = each.pseudonym;
    item["train"] = each.trained;
    item["heldout"] = each.held_out;
    items.push_back(std::move(item));
  }
  return json_response(200, page_of(items, page));
}

// A project whose tasks are the answers of before and after to the same prompts: blind, sides by lot.
http::Response compare_run(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  const label::Run run = find_run(call);
  const Json::Array answers =
      read_shown_answers(call.platform.env(), label::run_folder(organisation, run.public_id));
  if (answers.empty()) {
    throw Error(ErrorCode::kConflict, "this run has no answers yet; wait until it is done");
  }
  label::PublicIds ids(organisation.env());
  std::vector<label::NewTask> tasks;
  for (const Json& each : answers) {
    Json row = Json::object();
    row["prompt"] = each.at("prompt");
    row["left"] = each.at("before");
    row["right"] = each.at("after");
    row["models"].push_back("base");
    row["models"].push_back(run.public_id);
    Result<label::NewTask> task = label::row_to_task("pairwise", row, ids);
    if (task) tasks.push_back(std::move(*task));
  }
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::NewProject wanted;
    wanted.name = ("Blind: " + run.name).substr(0, label::kProjectNameChars);
    wanted.task_type = "pairwise";
    wanted.description = "Answers of the model before and after this training, in random order.";
    const label::Project made = label::create_project(organisation, tx, actor, wanted);
    label::insert_tasks(tx, label::task_defaults(tx, made.id), tasks, std::nullopt, actor.id,
                        call.now_ms());
    const label::Project project = label::get_project(tx, made.public_id);
    return {.status = 201,
            .body = project_json(call, tx, project, actor),
            .etag = etag_of(project.version)};
  });
}

}  // namespace hone::api
