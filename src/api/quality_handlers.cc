// What the labels are worth: the reports of label/quality_report.h.
#include "api/handlers.h"
#include "label/projects.h"
#include "label/quality_report.h"

namespace hone::api {
namespace {

label::Project project_of(Call& call) {
  return call.organisation().read(
      [&](store::Connection& db) { return label::get_project(db, call.id("project_id")); });
}

}  // namespace

http::Response read_quality(Call& call) {
  return json_response(200, label::quality_overview(call.organisation(), project_of(call)));
}

// All at once: a project has no more people than a page can show, and the report is made for all.
http::Response list_quality_people(Call& call) {
  const PageRequest page = read_page(call.request.query);
  const Json report = label::quality_people(call.organisation(), project_of(call),
                                            call.can(label::Permission::kPeopleView));
  return json_response(200, page_of(report.at("items").as_array(), page));
}

http::Response read_ranking(Call& call) {
  return json_response(200, label::quality_ranking(call.organisation(), project_of(call)));
}

http::Response read_quality_next(Call& call) {
  const auto limit = call.query_int("limit").value_or(kPageDefault);
  return json_response(
      200, label::quality_next(call.organisation(), project_of(call), static_cast<size_t>(limit)));
}

}  // namespace hone::api
