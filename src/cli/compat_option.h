#pragma once
// --compat, of the methods whose formulas other trainers write differently (train/compat.h).

#include <string>

#include "cli/options.h"
#include "train/compat.h"

namespace hone::cli {

struct CompatOption {
  std::string peer = "trl";

  void add_to(Options& options) {
    options.choice("compat", &peer, train::compat_names(),
                   "whose formulas, where trainers differ (docs/training.md)");
  }
  // Behind every other option.
  template <typename Config>
  void set(Config& config) const {
    train::set_compat(*train::compat_from_name(peer), config);
  }
};

}  // namespace hone::cli
