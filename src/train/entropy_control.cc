#include "train/entropy_control.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace hone::train {

void EntropyControl::update(double entropy) {
  if (!config_.use_adaptive_entropy) return;
  coefficient_ =
      entropy <= config_.entropy_target
          ? std::min(coefficient_ + config_.entropy_coef_delta, config_.entropy_coef_max)
          : std::max(coefficient_ - config_.entropy_coef_delta, config_.entropy_coef_min);
  last_entropy_ = entropy;
}

Json EntropyControl::to_json() const {
  Json json = Json::object();
  json["entropy_coef"] = coefficient_;
  json["last_entropy"] = std::isfinite(last_entropy_) ? Json(last_entropy_) : Json();
  return json;
}

void EntropyControl::from_json(const Json& json) {
  const Json* coefficient = json.is_object() ? json.find("entropy_coef") : nullptr;
  const Json* last = json.is_object() ? json.find("last_entropy") : nullptr;
  if (coefficient == nullptr || !coefficient->is_number() || last == nullptr ||
      !(last->is_null() || last->is_number())) {
    throw corrupt_data("the checkpoint's entropy coefficient cannot be read");
  }
  coefficient_ = coefficient->as_double();
  last_entropy_ = last->is_null() ? std::numeric_limits<double>::infinity() : last->as_double();
}

}  // namespace hone::train
