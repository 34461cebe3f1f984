#pragma once
// final/ of a run: a PEFT adapter, or the whole model as a Hugging Face directory (f32).

#include <string>
#include <vector>

#include "llm/text_codec.h"
#include "train/training_run.h"

namespace hone::train {

struct FinalSources {
  std::string model_path;  // where the base came from
  std::vector<int32_t> end_of_generation;
  const llm::TextCodec* codec = nullptr;  // null: the model has no tokenizer
};

void save_final(const TrainJob& job, const TrainResult& result, const FinalSources& sources);

// Rows of the model in memory under Hugging Face names, for the writers.
std::function<void(std::string_view name, size_t row, float* out)> model_rows(
    const llm::Model& model);

}  // namespace hone::train
