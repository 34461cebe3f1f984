#pragma once
// The model that a server answers from: loaded once, with its words, its adapters and the engine.
// Nothing reads the user's files after open() but an adapter that somebody loads later.

#include <memory>
#include <string>
#include <vector>

#include "api/platform.h"
#include "cli/common.h"
#include "cli/options.h"
#include "openai/service.h"

namespace hone::cli {

struct ServingFlags {
  std::vector<std::string> adapters;
  std::string adapter_folder;
  size_t context_tokens = 16384, kept_tokens = 0, parallel = 32, max_waiting = 2048;
  bool no_auth = false, plan = false;

  void add_to(Options& options);
};

class ServedModelFiles {
 public:
  // Opened, but not loaded: what it will take is known. Throws what the readers throw.
  ServedModelFiles(const std::string& model, const ServingFlags& flags,
                   const CommonOptions& common);

  const MemoryPlan& plan() const { return plan_; }
  // Loads and starts the engine; data_folder keeps digests. platform: who may ask; it must outlive
  // the service.
  void load(Env& env, api::Platform& platform, const std::string& data_folder);
  openai::Service& service() { return *service_; }

 private:
  const ServingFlags flags_;
  const CommonOptions common_;
  LoadedModel opened_;
  std::unique_ptr<llm::ModelFile> file_;
  serve::EngineOptions engine_;
  MemoryPlan plan_;
  uint64_t adapter_bytes_ = 0;                // of --adapter
  std::unique_ptr<openai::Service> service_;  // last: uses the model
};

}  // namespace hone::cli
