// Background jobs of this organisation.
#include "api/dataset_view.h"
#include "api/handlers.h"
#include "store/job_queue.h"

namespace hone::api {
namespace {

Json job_json(const store::Job& job) {
  Json body = Json::object();
  body["id"] = job.public_id;
  body["kind"] = job.kind;
  const Json* run = job.payload.find("run_id");
  const Json* import = job.payload.find("import_id");
  const Json* alias = job.payload.find("alias");
  body["object_id"] = run != nullptr      ? *run
                      : import != nullptr ? *import
                      : alias != nullptr  ? *alias
                                          : Json("");
  body["state"] = store::job_state_name(job.state);
  body["progress"] = job.fraction;
  body["text"] = job.progress_text;
  body["error"] = job.error;
  body["created_at"] = time_text(job.created_at_ms);
  body["finished_at"] = time_json(job.finished_at_ms);
  return body;
}

store::Job find_job(Call& call, store::Connection& db) {
  auto job = store::get_job(db, call.id("job_id"));
  if (!job || job->organisation != call.who().organisation_id) {
    throw not_found("there is no such job");
  }
  return std::move(*job);
}

}  // namespace

http::Response list_jobs(Call& call) {
  const PageRequest page = read_page(call.request.query);
  store::JobPage wanted;
  wanted.organisation = call.who().organisation_id;
  if (!page.after.empty()) wanted.before_id = page.after[0];
  // The queue gives at most 200 a call; one more than asked for says whether there is a next page.
  const int limit = std::min(page.limit, kPageMax - 1);
  wanted.limit = limit + 1;
  const auto jobs = call.platform.control().read(
      [&](store::Connection& db) { return store::list_jobs(db, wanted); });
  return list_response(jobs, limit, job_json, [](const store::Job& each) { return each.id; });
}

http::Response read_job(Call& call) {
  return call.platform.control().read(
      [&](store::Connection& db) { return json_response(200, job_json(find_job(call, db))); });
}

http::Response cancel_job(Call& call) {
  call.platform.control().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    const store::Job job = find_job(call, tx);
    store::cancel_job(tx, job.public_id, call.now_ms());
  });
  if (call.platform.has_job_runner()) call.platform.job_runner().wake();
  return json_response(202, Json::object());
}

}  // namespace hone::api
