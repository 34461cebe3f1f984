#pragma once
// What the api asks of the roof about models: their digests, and that a server which answers from one
// learns what the registry says now. Any thread.

#include <string>
#include <string_view>

namespace hone::api {

class ModelHost {
 public:
  virtual ~ModelHost() = default;

  // Of a model file or folder (docs/formats/digest.md); may read all of it. Throws not_found,
  // unavailable.
  virtual std::string digest_of(const std::string& path) = 0;

  // Names or aliases have changed: what answers here follows before this returns.
  virtual void refresh() = 0;

  // Why this server does not answer with a model of the registry (mdl_…); empty = it does.
  virtual std::string why_not_served(std::string_view organisation, std::string_view model_id) = 0;
};

}  // namespace hone::api
