#include "train/dpo.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "seal/digest.h"
#include "tensor/recipe.h"

namespace hone::train {

using llm::PairSums;
using llm::PreferenceTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

constexpr uint64_t kMaxReferenceBytes = uint64_t{1} << 30;

// What the loop watches of one pair.
struct PairState {
  double loss = 0;  // weighted mix, without sft
  double sft = 0;   // sum of -log p over the chosen tokens
  double reward_chosen = 0, reward_rejected = 0;
  double log_prob_chosen = 0, log_prob_rejected = 0;
  double entropy = 0;
  size_t tokens = 0, correct = 0;
};

std::vector<TreeExample> trees_of(const std::vector<PreferenceTokens>& examples,
                                  bool prefix_sharing) {
  std::vector<TreeExample> trees;
  for (const PreferenceTokens& example : examples) trees.push_back(example.tree(prefix_sharing));
  return trees;
}

double loss_weight(const DpoConfig& config, size_t index) {
  return config.loss_weights.empty() ? 1.0 : config.loss_weights[index];
}

bool uses_sft(const DpoConfig& config) {
  return std::find(config.loss_type.begin(), config.loss_type.end(), PreferenceLossType::kSft) !=
         config.loss_type.end();
}

// The loss of one pair and its slopes: of the pair losses by both sums, of sft by each chosen
// token's log-probability (sft_scale brings its normaliser to the pairs').
PairState pair_loss(const DpoConfig& config, const PreferenceTokens& example,
                    const TreeExample& tree, const PairSums& reference, const TreeResult& result,
                    double sft_scale, std::span<float> coefficients) {
  const PairSums sums = llm::pair_sums(example, result);
  const PairLogProbs pair{sums.chosen,        sums.rejected,           reference.chosen,
                          reference.rejected, example.chosen_tokens(), example.rejected_tokens()};
  PairState state;
  double d_chosen = 0, d_rejected = 0, d_sft = 0;
  for (size_t k = 0; k < config.loss_type.size(); ++k) {
    const double weight = loss_weight(config, k);
    if (config.loss_type[k] == PreferenceLossType::kSft) {
      state.sft = -sums.chosen;
      d_sft -= weight * sft_scale;
      continue;
    }
    const PairLoss loss = preference_loss(config.loss_type[k], config.beta, config.label_smoothing,
                                          pair, example.probability);
    state.loss += weight * loss.value;
    d_chosen += weight * loss.d_chosen;
    d_rejected += weight * loss.d_rejected;
  }
  const size_t chosen = example.chosen_tokens();
  for (size_t i = 0; i < coefficients.size(); ++i) {
    coefficients[i] =
        static_cast<float>(example.weight * (i < chosen ? d_chosen + d_sft : d_rejected));
  }
  state.reward_chosen = config.beta * (sums.chosen - reference.chosen);
  state.reward_rejected = config.beta * (sums.rejected - reference.rejected);
  state.log_prob_chosen = sums.chosen;
  state.log_prob_rejected = sums.rejected;
  for (size_t i = 0; i < result.rows.size(); ++i) {
    const llm::TreeTarget& target = tree.targets[i];
    state.entropy += static_cast<double>(result.rows[i].entropy);
    state.correct += result.rows[i].argmax == tree.token(target) ? 1 : 0;
    ++state.tokens;
  }
  return state;
}

// sum(w L) / sum(w), plus sft over the weighted chosen tokens.
struct BatchLoss {
  double loss = 0;
  Json metrics = Json::object();
};

BatchLoss combine(const DpoConfig& config, const std::vector<PairState>& states,
                  const std::vector<const PreferenceTokens*>& pairs, const std::string& prefix) {
  double loss = 0, weight = 0, sft = 0, sft_tokens = 0;
  double chosen = 0, rejected = 0, correct = 0, logp_chosen = 0, logp_rejected = 0, entropy = 0;
  size_t tokens = 0, right = 0;
  for (size_t i = 0; i < states.size(); ++i) {
    const PairState& s = states[i];
    const double w = pairs[i]->weight;
    loss += w * s.loss;
    weight += w;
    sft += w * s.sft;
    sft_tokens += w * static_cast<double>(pairs[i]->chosen_tokens());
    chosen += s.reward_chosen;
    rejected += s.reward_rejected;
    correct += s.reward_chosen > s.reward_rejected ? 1 : 0;
    logp_chosen += s.log_prob_chosen;
    logp_rejected += s.log_prob_rejected;
    entropy += s.entropy;
    tokens += s.tokens;
    right += s.correct;
  }
  double sft_weight = 0;
  for (size_t k = 0; k < config.loss_type.size(); ++k) {
    if (config.loss_type[k] == PreferenceLossType::kSft) sft_weight += loss_weight(config, k);
  }
  BatchLoss out;
  out.loss = (weight > 0 ? loss / weight : 0) +
             (sft_weight > 0 && sft_tokens > 0 ? sft_weight * sft / sft_tokens : 0);
  const double n = static_cast<double>(std::max<size_t>(states.size(), 1));
  const double token_count = static_cast<double>(std::max<size_t>(tokens, 1));
  out.metrics[prefix + "rewards/chosen"] = chosen / n;
  out.metrics[prefix + "rewards/rejected"] = rejected / n;
  out.metrics[prefix + "rewards/accuracies"] = correct / n;
  out.metrics[prefix + "rewards/margins"] = (chosen - rejected) / n;
  out.metrics[prefix + "logps/chosen"] = logp_chosen / n;
  out.metrics[prefix + "logps/rejected"] = logp_rejected / n;
  out.metrics[prefix + "entropy"] = entropy / token_count;
  out.metrics[prefix + "mean_token_accuracy"] = static_cast<double>(right) / token_count;
  return out;
}

std::string pairs_digest(const std::vector<PreferenceTokens>& examples,
                         const std::string& reference) {
  seal::Sha256 sha;
  sha.update("hone.reference/1 " + std::string(tensor::kRecipe) + " " + reference + "\n");
  for (const PreferenceTokens& e : examples) {
    for (const auto* ids : {&e.prompt, &e.chosen, &e.rejected}) {
      sha.update(std::to_string(ids->size()) + ":");
      for (int32_t id : *ids) sha.update(std::to_string(id) + ",");
    }
    sha.update("\n");
  }
  return sha.hex();
}

// The reference's sums, from the run's cache when it is of the same pairs and the same model.
std::vector<PairSums> reference_sums(TrainJob& job, const DpoConfig& config,
                                     const std::vector<PreferenceTokens>& examples,
                                     const DpoReference& reference, const std::string& cache) {
  if (config.reference_free || examples.empty()) return std::vector<PairSums>(examples.size());
  const std::string digest = pairs_digest(examples, reference.digest);
  if (job.resume && job.env.exists(cache)) {
    const Result<Json> json = Json::parse(job.env.read_file(cache, kMaxReferenceBytes));
    const Json* stored = json ? json->find("digest") : nullptr;
    if (stored != nullptr && stored->is_string() && stored->as_string() == digest) {
      std::vector<PairSums> sums;
      for (const Json& pair : json->at("log_probs").as_array()) {
        sums.push_back({pair.as_array().at(0).as_double(), pair.as_array().at(1).as_double()});
      }
      if (sums.size() == examples.size()) return sums;
    }
  }
  const llm::Model& model = reference.model == nullptr ? job.model : *reference.model;
  std::vector<PairSums> sums =
      llm::score_pairs(job.compute, model, reference.adapter, examples,
                       {config.max_tokens_per_pass, config.prefix_sharing});
  Json json = Json::object();
  json["digest"] = digest;
  Json rows = Json::array();
  for (const PairSums& s : sums) {
    rows.push_back(Json(Json::Array{Json(s.chosen), Json(s.rejected)}));
  }
  json["log_probs"] = std::move(rows);
  write_file_atomically(job.env, cache, json.dump() + "\n");
  return sums;
}

}  // namespace

TrainResult train_dpo(TrainJob& job, const DpoConfig& config,
                      const std::vector<PreferenceTokens>& examples,
                      const std::vector<PreferenceTokens>& eval_examples,
                      const DpoReference& reference) {
  validate(config);
  check_not_empty(examples.size());
  for (const PreferenceTokens& example : examples) {
    if (example.probability != 1 && config.label_smoothing > 0) {
      throw invalid_input("row " + example.name + " has a probability of " +
                          number_to_string(example.probability) +
                          ": with --label-smoothing the same doubt would be counted twice; leave "
                          "one of them out");
    }
  }
  const std::vector<TreeExample> all = trees_of(examples, config.prefix_sharing);
  const std::vector<TreeExample> eval_trees = trees_of(eval_examples, config.prefix_sharing);
  const size_t max_rows = std::max(llm::least_pass_rows(all), llm::least_pass_rows(eval_trees));

  // The directory comes first: a refusal costs nothing yet.
  const data::RunManifest manifest = make_manifest("dpo", config, config.to_json(), job.manifest);
  RunDirectory::open(job.env, job.output, manifest, job.resume, job.overwrite);
  const auto ref = reference_sums(job, config, examples, reference, job.output + "/reference.json");
  const auto eval_ref =
      reference_sums(job, config, eval_examples, reference, job.output + "/reference_eval.json");
  job.resume = true;  // from here on the directory is ours
  TrainingRun run(job, config, manifest, max_rows);

  const size_t total = total_steps(config, all.size());
  const double per_epoch = static_cast<double>(steps_per_epoch(config, all.size()));
  const auto evaluate = [&](size_t at) {
    std::vector<PairState> states(eval_trees.size());
    std::vector<const PreferenceTokens*> pairs;
    for (const PreferenceTokens& example : eval_examples) pairs.push_back(&example);
    llm::score_trees(run.pass(), eval_trees, [&](size_t i, const TreeResult& result) {
      states[i] = pair_loss(config, eval_examples[i], eval_trees[i], eval_ref[i], result, 0, {});
    });
    BatchLoss loss = combine(config, states, pairs, "eval_");
    Json line = Json::object();
    line["step"] = uint64_t{at};
    line["eval_loss"] = loss.loss;
    for (auto& [key, value] : loss.metrics.as_object()) line[key] = std::move(value);
    return line;
  };

  size_t num_tokens = 0;
  DataOrder order(config, all.size());
  const size_t done = run.restore();
  size_t step = done;
  for (size_t s = 1; s <= total; ++s) {
    std::vector<TreeExample> batch;
    std::vector<const PreferenceTokens*> pairs;
    std::vector<PairSums> batch_ref;
    double weight = 0, sft_tokens = 0;
    for (size_t i : order.rows_of_step(s)) {
      num_tokens +=
          2 * examples[i].prompt.size() + examples[i].chosen.size() + examples[i].rejected.size();
      if (s <= done) continue;
      batch.push_back(all[i]);
      pairs.push_back(&examples[i]);
      batch_ref.push_back(ref[i]);
      weight += examples[i].weight;
      sft_tokens += examples[i].weight * static_cast<double>(examples[i].chosen_tokens());
    }
    if (s <= done) continue;
    if (weight == 0) weight = 1;  // every pair weighs 0: the gradient is 0 too
    const double sft_scale = uses_sft(config) && sft_tokens > 0 ? weight / sft_tokens : 0;
    std::vector<PairState> states(batch.size());
    const auto loss = [&](size_t i, const TreeResult& result, std::span<float> coefficients) {
      states[i] =
          pair_loss(config, *pairs[i], batch[i], batch_ref[i], result, sft_scale, coefficients);
    };
    const size_t row_count = accumulate_gradients(run.pass(), run.optimizer(), batch, loss, s);
    BatchLoss sums = combine(config, states, pairs, "");
    sums.metrics["num_tokens"] = uint64_t{num_tokens};
    StepEnd end{s,
                total,
                sums.loss,
                weight,
                row_count,
                static_cast<double>(s) / per_epoch,
                std::move(sums.metrics),
                {}};
    if (!eval_trees.empty()) end.evaluate = evaluate;
    step = s;
    if (!run.end_step(end)) break;
  }
  return run.finish(step, total);
}

}  // namespace hone::train
