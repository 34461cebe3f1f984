// hone bench platform: a training run beside the people who label.

#include <chrono>
#include <thread>

#include "base/env.h"
#include "base/error.h"
#include "cli/platform_bench.h"

namespace hone::cli {

namespace {

constexpr double kStepsSeconds = 240, kEndSeconds = 90;
constexpr uint64_t kDemoBytes = 4096;

std::string demo_project(const BenchServer& server) {
  const std::string path = server.data() + "/demo.json";
  if (!real_env().exists(path)) {
    throw invalid_input("the data folder " + server.data() +
                        " has no demo project to train on; make it anew with --training");
  }
  return Json::parse(real_env().read_file(path, kDemoBytes)).value().at("project").as_string();
}

}  // namespace

BenchTraining::BenchTraining(const BenchServer& server, const std::string& token)
    : client_(server.client()), token_(token) {
  const std::string project = "/api/v1/projects/" + demo_project(server);
  // A folder that was used before has its splits.
  const auto split = client_.request(
      request_of("POST", project + "/splits", token, "{\"heldout_fraction\":0.3,\"seed\":1}"));
  if (split.status != 409) expect(split, 201, "splits");
  const auto started =
      client_.request(request_of("POST", project + "/runs", token, "{\"method\":\"dpo\"}"));
  run_ = expect(started, 202, "the run; is HONE_MODEL set?").at("id").as_string();
  const double begin = real_env().steady_seconds();
  while (!is_training()) {
    const Json run = read();
    const std::string& state = run.at("state").as_string();
    if (state != "queued" && state != "running") {
      throw Error(ErrorCode::kInternal, "the run is " + state + ": " + run.at("error").as_string());
    }
    if (real_env().steady_seconds() - begin > kStepsSeconds) {
      throw Error(ErrorCode::kInternal, "the run takes no step: " + run.dump());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

Json BenchTraining::read() {
  return expect(client_.request(request_of("GET", "/api/v1/runs/" + run_, token_)), 200, "run");
}

bool BenchTraining::is_training() {
  const Json run = read();
  return run.at("state").as_string() == "running" && run.at("phase").as_string() == "training" &&
         run.at("step").as_int() > 0;
}

void BenchTraining::stop() {
  expect(client_.request(request_of("POST", "/api/v1/runs/" + run_ + "/cancel", token_, "{}")), 202,
         "cancel");
  const double begin = real_env().steady_seconds();
  for (;;) {
    const std::string state = read().at("state").as_string();
    if (state != "queued" && state != "running") return;
    if (real_env().steady_seconds() - begin > kEndSeconds) {
      throw Error(ErrorCode::kInternal, "the run does not end");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace hone::cli
