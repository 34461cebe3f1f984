#pragma once
// Brings what the registry says into what a server answers with: models on the served base, and
// aliases. Called at the start and after every command about models.

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/model_host.h"
#include "api/platform.h"
#include "openai/service.h"

namespace hone::cli {

// One sentence for each name that cannot be served: another base, files that are gone or are no
// longer what was added.
struct Unserved {
  std::vector<std::string> notes;
  std::map<std::string, std::string, std::less<>> models;  // the note, by mdl_…
};

// Adapters that are served already are kept, not read again. One thread at a time.
Unserved serve_registry(Env& env, api::Platform& platform, openai::Service& service,
                        const std::string& data_folder);

// What the api and the jobs ask for. Any thread; must outlive the platform's server and jobs.
class ServedRegistry : public api::ModelHost {
 public:
  // service: null when this server answers from no model.
  ServedRegistry(Env& env, api::Platform& platform, openai::Service* service,
                 std::string data_folder);

  std::string digest_of(const std::string& path) override;
  void refresh() override { refreshed(); }
  std::string why_not_served(std::string_view organisation, std::string_view model_id) override;
  // The notes of what is not served.
  std::vector<std::string> refreshed();

 private:
  Env& env_;
  api::Platform& platform_;
  openai::Service* const service_;
  const std::string data_folder_;
  std::mutex refresh_mutex_;  // one refresh, one reading of digests at a time
  std::mutex mutex_;
  Unserved unserved_;  // guarded by mutex_
};

}  // namespace hone::cli
