#include "train/value_model.h"

#include <algorithm>

#include "base/error.h"
#include "llm/dora.h"
#include "llm/fold_lora.h"
#include "llm/score_head.h"

namespace hone::train {

namespace {

// A copy of the score head that it has, or one of 0.
tensor::PanelMatrix value_head(const llm::Model& model, const llm::LoraAdapter* adapter) {
  tensor::PanelMatrix head = llm::zero_score_head(model.config.hidden_size);
  if (const tensor::PanelMatrix* from = llm::score_head(model, adapter)) {
    std::vector<float> row(model.config.hidden_size);
    from->read_row(0, row.data());
    head.write_row(0, row.data());
  }
  return head;
}

std::optional<llm::LoraAdapter> start_trunk(TrainJob& job, const TrainConfig& config,
                                            ValueStart& start) {
  llm::Model& model = start.model;
  tensor::PanelMatrix head = value_head(model, start.adapter ? &*start.adapter : nullptr);
  if (config.lora_r == 0) {
    if (start.adapter) llm::fold_lora(model, *start.adapter);
    start.adapter.reset();
    model.score = std::move(head);
    model.config.score_head = true;
    return std::nullopt;
  }
  std::optional<llm::LoraAdapter> adapter = std::move(start.adapter);
  start.adapter.reset();
  if (!adapter) adapter = new_lora(job.compute, model, config);
  llm::refresh_dora(job.compute, model, *adapter);
  adapter->score = std::move(head);
  return adapter;
}

llm::PassOptions value_pass_options(const TrainJob& job, const TrainConfig& config,
                                    const llm::Model& value, const llm::LoraAdapter* adapter) {
  llm::PassOptions options =
      pass_options(config, kept_value_layers(job.kept_layers, job.model.config, value.config));
  options.dora = adapter != nullptr && adapter->use_dora;
  return options;
}

}  // namespace

void check_value_model(const llm::ModelConfig& policy, const llm::ModelConfig& value,
                       size_t longest) {
  if (policy.vocab_size != value.vocab_size) {
    throw invalid_input("the value model reads " + std::to_string(value.vocab_size) +
                        " tokens and the policy writes " + std::to_string(policy.vocab_size) +
                        ": --value-model must have the policy's vocabulary");
  }
  const size_t needed = std::min(longest, policy.context_length);
  if (needed > value.context_length) {
    throw invalid_input("the value model reads " + std::to_string(value.context_length) +
                        " tokens at most, and a prompt with its answer may have " +
                        std::to_string(needed) +
                        ": lower --response-length or --max-prompt-length, or name another "
                        "--value-model");
  }
}

size_t kept_value_layers(size_t kept, const llm::ModelConfig& policy,
                         const llm::ModelConfig& value) {
  const size_t all = std::max<size_t>(1, policy.layers.size());
  return (std::min(kept, all) * value.layers.size() + all - 1) / all;
}

ValueModel::ValueModel(TrainJob& job, const TrainConfig& config, double learning_rate,
                       ValueStart& start, size_t max_rows)
    : adapter_(start_trunk(job, config, start)),
      trainable_(adapter_ ? llm::lora_parameters(start.model, *adapter_)
                          : llm::full_parameters(start.model, false)),
      optimizer_(std::make_unique<Optimizer>(job.compute, trainable_, config, ranks_of(job))),
      pass_(std::make_unique<llm::TrainingPass>(
          job.compute, start.model, adapter_ ? &*adapter_ : nullptr,
          std::max(config.max_tokens_per_pass, max_rows),
          value_pass_options(job, config, start.model, adapter_ ? &*adapter_ : nullptr))),
      companion_{"value", optimizer_.get(), learning_rate} {}

}  // namespace hone::train
