#pragma once
// The words that the tables of routes are written in, and the tables: routes.cc puts them together.

#include <vector>

#include "api/handlers.h"
#include "api/route.h"

namespace hone::api {

inline constexpr uint64_t kBigBody = 1 << 20;  // guidelines, schemas, answers
inline constexpr bool kForLabelling = true;

inline Gives gives(std::string_view shape, int status = 200) {
  return {.status = status, .shape = shape};
}
inline Gives list_of(std::string_view shape) { return {.shape = shape, .is_list = true}; }
inline Gives nothing(int status = 204) { return {.status = status}; }
inline Takes body(std::string_view shape, uint64_t max_bytes = size_t{64} * 1024) {
  return {.body = shape, .max_bytes = max_bytes};
}
inline Takes query(std::vector<Field> fields) { return {.query = std::move(fields)}; }

std::vector<ApiRoute> session_routes();
std::vector<ApiRoute> people_routes();
std::vector<ApiRoute> project_routes();
std::vector<ApiRoute> task_routes();
std::vector<ApiRoute> labelling_routes();
std::vector<ApiRoute> live_routes();
std::vector<ApiRoute> quality_routes();
std::vector<ApiRoute> dataset_routes();
std::vector<ApiRoute> run_routes();
std::vector<ApiRoute> registry_routes();
std::vector<ApiRoute> feedback_routes();
std::vector<ApiRoute> service_routes();

}  // namespace hone::api
