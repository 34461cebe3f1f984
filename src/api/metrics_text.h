#pragma once
// /metrics in Prometheus' text form. Names no organisation, person or project (decisions 4.3).

#include <string>

#include "api/platform.h"

namespace hone::api {

std::string metrics_text(Platform& platform);

}  // namespace hone::api
