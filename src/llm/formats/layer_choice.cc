#include "llm/formats/layer_choice.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/error.h"

namespace hone::llm {

namespace {
constexpr std::string_view kPrefix = "model.layers.";
}

LayerChoice::LayerChoice(const ModelConfig& config, std::span<const size_t> dropped)
    : config_(config) {
  std::vector<size_t> sorted(dropped.begin(), dropped.end());
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] >= config.layers.size()) {
      throw invalid_input("layer " + std::to_string(sorted[i]) + " is not there: the model has " +
                          std::to_string(config.layers.size()) + ", counted from 0");
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      throw invalid_input("layer " + std::to_string(sorted[i]) + " is named twice");
    }
  }
  if (sorted.size() == config.layers.size()) throw invalid_input("no layer would be left");
  config_.layers.clear();
  for (size_t i = 0; i < config.layers.size(); ++i) {
    if (std::binary_search(sorted.begin(), sorted.end(), i)) continue;
    kept_.push_back(i);
    config_.layers.push_back(config.layers[i]);
  }
}

RowReader LayerChoice::rows(RowReader of_whole) const {
  return [read = std::move(of_whole), kept = kept_](std::string_view name, size_t row, float* out) {
    if (!name.starts_with(kPrefix)) return read(name, row, out);
    size_t layer = 0;
    const char* begin = name.data() + kPrefix.size();
    const auto [rest, error] = std::from_chars(begin, name.data() + name.size(), layer);
    HONE_CHECK(error == std::errc() && layer < kept.size());
    read(std::string(kPrefix) + std::to_string(kept[layer]) +
             std::string(rest, name.data() + name.size()),
         row, out);
  };
}

}  // namespace hone::llm
