#pragma once
// A model without some of its layers: what distillation begins with when there is no smaller model.

#include <span>

#include "llm/formats/model_writer.h"

namespace hone::llm {

class LayerChoice {
 public:
  // dropped: layers counted from 0, in any order. Throws invalid_input for one that is not there, is
  // named twice, or when none is left.
  LayerChoice(const ModelConfig& config, std::span<const size_t> dropped);

  const ModelConfig& config() const { return config_; }
  // Rows under the names of the model that is left. The reader is copied.
  RowReader rows(RowReader of_whole) const;

 private:
  ModelConfig config_;
  std::vector<size_t> kept_;  // the old number of each layer
};

}  // namespace hone::llm
