// THE table: every route of /api/v1, who may ask, what it takes, what it gives, part by part in
// routes_people.cc, routes_labelling.cc, routes_data.cc and routes_models.cc. docs/api.md says the same
// for people; a test holds the two together.
#include "api/route_parts.h"

namespace hone::api {
namespace {

std::vector<ApiRoute> all_routes() {
  std::vector<ApiRoute> routes;
  for (auto& part : {session_routes(), people_routes(), project_routes(), task_routes(),
                     labelling_routes(), live_routes(), quality_routes(), dataset_routes(),
                     run_routes(), registry_routes(), feedback_routes(), service_routes()}) {
    routes.insert(routes.end(), part.begin(), part.end());
  }
  return routes;
}

}  // namespace

std::span<const ApiRoute> api_routes() {
  static const std::vector<ApiRoute> kRoutes = all_routes();
  return kRoutes;
}

}  // namespace hone::api
