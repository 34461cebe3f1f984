#pragma once
// LLM-JEPA (Huang, LeCun, Balestriero, arXiv 2509.14252), from config to loop: beside the next
// token, a row's first view shall predict the representation of its second.
//
//   loss = gamma * L_sft + lambda * sum(w d(u, v)) / sum(w)
//
// u is the final norm's output at the end of the first view, behind its predictor tokens; v the one
// at the end of the second, which does not see the first (llm/view_rows.h). L_sft is sft's, the mean
// over the batch's trained tokens; d is train/jepa_loss.h. With jepa_dropout a step leaves the second
// term and its rows out with that probability, by the stream of (seed, step). infonce looks at the
// other rows of a micro-batch: their states are computed once before the step, without a gradient.

#include <vector>

#include "llm/view_rows.h"
#include "train/jepa_loss.h"
#include "train/training_run.h"

namespace hone::train {

struct JepaConfig : SftConfig {
  JepaLossType jepa_loss = JepaLossType::kCosine;
  double jepa_lambda = 0.1;  // the paper's code; its sweeps take 0.5 to 4
  double jepa_gamma = 1;     // of the next-token loss; 0 = none
  size_t jepa_predictors = 0;
  double jepa_dropout = 0;         // share of the steps without the second term
  double jepa_temperature = 0.07;  // of infonce
  Json to_json() const;
};
JepaConfig jepa_config_from_json(const Json& settings);
void validate(const JepaConfig& config);

llm::ViewTokens::Layout view_layout(const JepaConfig& config, const llm::ModelConfig& model);

TrainResult train_jepa(TrainJob& job, const JepaConfig& config,
                       const std::vector<llm::ViewTokens>& examples,
                       const std::vector<llm::ViewTokens>& eval_examples);

}  // namespace hone::train
