#include "train/dpo.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "seal/digest.h"
#include "tensor/recipe.h"
#include "train/dealt_trees.h"

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
  double sft = 0;   // sum of -log p over the chosen tokens, or their mean (sft_mean)
  double reward_chosen = 0, reward_rejected = 0;
  double log_prob_chosen = 0, log_prob_rejected = 0;
  PairLogProbs pair;  // as the losses read it
  double entropy = 0;
  size_t tokens = 0, correct = 0;                 // correct: of the chosen tokens
  double logits_chosen = 0, logits_rejected = 0;  // sums of the rows' mean logits
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

bool uses_sft(const DpoConfig& config) { return config.has(PreferenceLossType::kSft); }

// Of how many tokens a pair is among those that sft is the mean of; -log p is summed by the inverse.
double sft_share(const DpoConfig& config, const PreferenceTokens& example) {
  return config.sft_mean == SftMean::kTokens ? static_cast<double>(example.chosen_tokens()) : 1;
}
double sft_of_token(const DpoConfig& config, const PreferenceTokens& example) {
  return config.sft_mean == SftMean::kTokens ? 1 : 1 / static_cast<double>(example.chosen_tokens());
}

size_t shorter_answer(const PreferenceTokens& example) {
  return std::min(example.chosen_tokens(), example.rejected_tokens());
}

// What the losses read of a pair: sums over its answers' tokens, with ld_alpha weighed.
PairSums sums_of(const std::optional<double>& ld_alpha, const PreferenceTokens& example,
                 const TreeResult& result) {
  if (!ld_alpha) return llm::pair_sums(example, result);
  const size_t chosen = example.chosen_tokens(), shorter = shorter_answer(example);
  PairSums sums;
  for (size_t i = 0; i < result.log_probs.size(); ++i) {
    const double log_prob = static_cast<double>(result.log_probs[i]);
    const size_t place = i < chosen ? i : i - chosen;
    (i < chosen ? sums.chosen : sums.rejected) += ld_weight(place, shorter, *ld_alpha) * log_prob;
  }
  return sums;
}

std::optional<double> ld_alpha_of_reference(const DpoConfig& config) {
  return config.ld_alpha_of_reference ? config.ld_alpha : std::nullopt;
}

PairLogProbs log_probs_of(const DpoConfig& config, const PreferenceTokens& example,
                          const PairSums& reference, const TreeResult& result) {
  const PairSums sums = sums_of(config.ld_alpha, example, result);
  return {sums.chosen,        sums.rejected,           reference.chosen,
          reference.rejected, example.chosen_tokens(), example.rejected_tokens()};
}

// The coupled losses of a batch, each with its weight, by pair.
std::vector<PairLoss> coupled_of(const DpoConfig& config, const std::vector<PairLogProbs>& pairs) {
  std::vector<PairLoss> sums(pairs.size());
  for (size_t k = 0; k < config.loss_type.size(); ++k) {
    if (!is_coupled(config.loss_type[k])) continue;
    const double weight = loss_weight(config, k);
    for (size_t first = 0; first < pairs.size(); first += config.per_device_train_batch_size) {
      const size_t count = std::min(pairs.size() - first, config.per_device_train_batch_size);
      const std::vector<PairLoss> losses = coupled_losses(config.loss_type[k], config.form(),
                                                          std::span(pairs).subspan(first, count));
      for (size_t i = 0; i < count; ++i) {
        sums[first + i].value += weight * losses[i].value;
        sums[first + i].d_chosen += weight * losses[i].d_chosen;
        sums[first + i].d_rejected += weight * losses[i].d_rejected;
      }
    }
  }
  return sums;
}

// The loss of one pair and its slopes: of the pair losses by both sums, of sft by each chosen
// token's log-probability (sft_scale brings its normaliser to the pairs'). coupled: what the
// batch's sorts make of this pair.
PairState pair_loss(const DpoConfig& config, const PreferenceTokens& example,
                    const TreeExample& tree, const PairSums& reference, const TreeResult& result,
                    double sft_scale, const PairLoss& coupled, std::span<float> coefficients) {
  PairState state;
  state.pair = log_probs_of(config, example, reference, result);
  state.loss = coupled.value;
  double d_chosen = coupled.d_chosen, d_rejected = coupled.d_rejected, d_sft = 0;
  for (size_t k = 0; k < config.loss_type.size(); ++k) {
    const double weight = loss_weight(config, k);
    if (is_coupled(config.loss_type[k])) continue;
    if (config.loss_type[k] == PreferenceLossType::kSft) {
      state.sft = -llm::pair_sums(example, result).chosen * sft_of_token(config, example);
      d_sft -= weight * sft_scale * sft_of_token(config, example);
      continue;
    }
    const PairLoss loss =
        preference_loss(config.loss_type[k], config.form(), state.pair, example.probability);
    state.loss += weight * loss.value;
    d_chosen += weight * loss.d_chosen;
    d_rejected += weight * loss.d_rejected;
  }
  const size_t shorter = config.ld_alpha ? shorter_answer(example) : 0;
  const size_t chosen = example.chosen_tokens();
  for (size_t i = 0; i < coefficients.size(); ++i) {
    const double counts =
        config.ld_alpha ? ld_weight(i < chosen ? i : i - chosen, shorter, *config.ld_alpha) : 1;
    coefficients[i] = static_cast<float>(
        example.weight * (i < chosen ? counts * d_chosen + d_sft : counts * d_rejected));
  }
  state.reward_chosen = config.beta * (state.pair.chosen - reference.chosen);
  state.reward_rejected = config.beta * (state.pair.rejected - reference.rejected);
  state.log_prob_chosen = state.pair.chosen;
  state.log_prob_rejected = state.pair.rejected;
  for (size_t i = 0; i < result.rows.size(); ++i) {
    const llm::TreeTarget& target = tree.targets[i];
    state.entropy += static_cast<double>(result.rows[i].entropy);
    if (i < chosen) state.correct += result.rows[i].argmax == tree.token(target) ? 1 : 0;
    if (!result.mean_logits.empty()) {
      (i < chosen ? state.logits_chosen : state.logits_rejected) +=
          static_cast<double>(result.mean_logits[i]);
    }
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
  double logits_chosen = 0, logits_rejected = 0;
  size_t tokens = 0, right = 0, chosen_tokens = 0, rejected_tokens = 0;
  for (size_t i = 0; i < states.size(); ++i) {
    const PairState& s = states[i];
    const double w = pairs[i]->weight;
    loss += w * s.loss;
    weight += w;
    sft += w * s.sft;
    sft_tokens += w * sft_share(config, *pairs[i]);
    chosen += s.reward_chosen;
    rejected += s.reward_rejected;
    correct += s.reward_chosen > s.reward_rejected ? 1 : 0;
    logp_chosen += s.log_prob_chosen;
    logp_rejected += s.log_prob_rejected;
    entropy += s.entropy;
    tokens += s.tokens;
    right += s.correct;
    logits_chosen += s.logits_chosen;
    logits_rejected += s.logits_rejected;
    chosen_tokens += pairs[i]->chosen_tokens();
    rejected_tokens += pairs[i]->rejected_tokens();
  }
  double sft_weight = 0;
  for (size_t k = 0; k < config.loss_type.size(); ++k) {
    if (config.loss_type[k] == PreferenceLossType::kSft) sft_weight += loss_weight(config, k);
  }
  BatchLoss out;
  out.loss = (weight > 0 ? loss / weight : 0) +
             (sft_weight > 0 && sft_tokens > 0 ? sft_weight * sft / sft_tokens : 0);
  const double n = static_cast<double>(std::max<size_t>(states.size(), 1));
  const auto mean = [](double sum, size_t count) {
    return sum / static_cast<double>(std::max<size_t>(count, 1));
  };
  out.metrics[prefix + "rewards/chosen"] = chosen / n;
  out.metrics[prefix + "rewards/rejected"] = rejected / n;
  out.metrics[prefix + "rewards/accuracies"] = correct / n;
  out.metrics[prefix + "rewards/margins"] = (chosen - rejected) / n;
  out.metrics[prefix + "logps/chosen"] = logp_chosen / n;
  out.metrics[prefix + "logps/rejected"] = logp_rejected / n;
  out.metrics[prefix + "logits/chosen"] = mean(logits_chosen, chosen_tokens);
  out.metrics[prefix + "logits/rejected"] = mean(logits_rejected, rejected_tokens);
  out.metrics[prefix + "entropy"] = mean(entropy, tokens);
  out.metrics[prefix + "mean_token_accuracy"] = mean(static_cast<double>(right), chosen_tokens);
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

// Reference sums of training and evaluation pairs, from the run's cache as far as it goes. A pair
// that `wanted` leaves out keeps 0. The cache is saved now and then and at a stop.
class ReferencePhase {
 public:
  ReferencePhase(TrainJob& job, const DpoConfig& config, const DpoReference& reference)
      : job_(job), config_(config), reference_(reference) {}

  struct Pairs {
    const std::vector<PreferenceTokens>* examples = nullptr;
    std::vector<size_t> wanted;
    std::string cache;
    std::vector<PairSums> sums = {};  // a wanted pair each
  };

  // False: the job was asked to stop.
  bool run(std::vector<Pairs*> all) {
    for (Pairs* pairs : all) {
      load(*pairs);
      total_ += pairs->wanted.size();
      done_ += pairs->sums.size();
    }
    if (done_ == total_) return true;
    report();
    return std::all_of(all.begin(), all.end(), [&](Pairs* pairs) { return compute(*pairs); });
  }

  static std::vector<PairSums> spread(const Pairs& pairs) {
    std::vector<PairSums> sums(pairs.examples->size());
    for (size_t i = 0; i < pairs.sums.size(); ++i) sums[pairs.wanted[i]] = pairs.sums[i];
    return sums;
  }

 private:
  static constexpr size_t kPairsPerLook = 16;  // of each rank, at whether to stop
  static constexpr size_t kPairsPerSave = 256;

  std::string digest(const Pairs& pairs) const {
    std::vector<PreferenceTokens> examples;
    for (size_t i : pairs.wanted) examples.push_back((*pairs.examples)[i]);
    const std::optional<double> ld_alpha = ld_alpha_of_reference(config_);
    const std::string weighed = ld_alpha ? " ld_alpha " + number_to_string(*ld_alpha) : "";
    return pairs_digest(examples, reference_.digest + weighed);
  }

  void report() const {
    if (job_.reference_progress) job_.reference_progress(done_, total_);
  }

  void load(Pairs& pairs) const {
    if (!job_.resume || !job_.env.exists(pairs.cache)) return;
    const Result<Json> json = Json::parse(job_.env.read_file(pairs.cache, kMaxReferenceBytes));
    const Json* stored = json ? json->find("digest") : nullptr;
    if (stored == nullptr || !stored->is_string() || stored->as_string() != digest(pairs)) return;
    const Json::Array& rows = json->at("log_probs").as_array();
    if (rows.size() > pairs.wanted.size()) return;
    for (const Json& pair : rows) {
      pairs.sums.push_back({pair.as_array().at(0).as_double(), pair.as_array().at(1).as_double()});
    }
  }

  void save(const Pairs& pairs) const {
    Json json = Json::object();
    json["digest"] = digest(pairs);
    Json rows = Json::array();
    for (const PairSums& s : pairs.sums) {
      rows.push_back(Json(Json::Array{Json(s.chosen), Json(s.rejected)}));
    }
    json["log_probs"] = std::move(rows);
    write_file_atomically(job_.env, pairs.cache, json.dump() + "\n");
  }

  bool compute(Pairs& pairs) {
    if (pairs.sums.size() == pairs.wanted.size()) return true;
    const llm::Model& model = reference_.model == nullptr ? job_.model : *reference_.model;
    std::vector<TreeExample> trees;
    for (size_t i : pairs.wanted)
      trees.push_back((*pairs.examples)[i].tree(config_.prefix_sharing));
    // Nothing is kept for a backward pass, so the small memory of recompute is enough.
    llm::TrainingPass pass(job_.compute, model, reference_.adapter,
                           std::max(config_.max_tokens_per_pass, llm::least_pass_rows(trees)),
                           llm::PassOptions{true});
    while (pairs.sums.size() < trees.size()) {
      const size_t first = pairs.sums.size();
      const size_t count = std::min(kPairsPerLook * ranks_of(job_).size(), trees.size() - first);
      score_trees(
          ranks_of(job_), pass, std::span<const TreeExample>(trees).subspan(first, count),
          [&](size_t i, const TreeResult& result) {
            pairs.sums.push_back(sums_of(ld_alpha_of_reference(config_),
                                         (*pairs.examples)[pairs.wanted[first + i]], result));
            ++done_;
            report();
          });
      const bool whole = pairs.sums.size() == trees.size();
      const bool stop = !whole && asked_to_stop(job_);
      if (whole || stop || pairs.sums.size() / kPairsPerSave > first / kPairsPerSave) save(pairs);
      if (stop) return false;
    }
    return true;
  }

  TrainJob& job_;
  const DpoConfig& config_;
  const DpoReference& reference_;
  size_t done_ = 0, total_ = 0;
};

// The pairs that some step takes, ascending.
std::vector<size_t> pairs_of_steps(const DpoConfig& config, size_t pairs, size_t total) {
  std::vector<size_t> taken;
  if (total >= steps_per_epoch(config, pairs)) {
    for (size_t i = 0; i < pairs; ++i) taken.push_back(i);
    return taken;
  }
  DataOrder order(config, pairs);
  for (size_t s = 1; s <= total; ++s) {
    const auto rows = order.rows_of_step(s);
    taken.insert(taken.end(), rows.begin(), rows.end());
  }
  std::sort(taken.begin(), taken.end());
  return taken;
}

void check_rows(const DpoConfig& config, const std::vector<PreferenceTokens>& examples) {
  for (const PreferenceTokens& example : examples) {
    if (example.probability != 1 && config.label_smoothing > 0) {
      throw invalid_input("row " + example.name + " has a probability of " +
                          number_to_string(example.probability) +
                          ": with --label-smoothing the same doubt would be counted twice; leave "
                          "one of them out");
    }
    if (!config.is_coupled() || (example.probability == 1 && example.weight == 1)) continue;
    const bool doubtful = example.probability != 1;
    throw invalid_input("row " + example.name + " has a " +
                        (doubtful ? "probability of " + number_to_string(example.probability)
                                  : "weight of " + number_to_string(example.weight)) +
                        ": --loss-type aot and aot_unpaired sort pairs against each other, where "
                        "neither has a place; take another loss or leave it out");
  }
}

// What the sorts of aot make of a batch, from its log-probabilities as the model stands; zeros
// without such a loss.
std::vector<PairLoss> coupled_before(const DpoConfig& config, TrainingRun& run,
                                     const std::vector<TreeExample>& batch,
                                     const std::vector<const PreferenceTokens*>& pairs,
                                     const std::vector<PairSums>& reference) {
  std::vector<PairLogProbs> log_probs(batch.size());
  if (!config.is_coupled()) return std::vector<PairLoss>(batch.size());
  score_trees(run.ranks(), run.pass(), batch, [&](size_t i, const TreeResult& result) {
    log_probs[i] = log_probs_of(config, *pairs[i], reference[i], result);
  });
  return coupled_of(config, log_probs);
}

}  // namespace

TrainResult train_dpo(TrainJob& job, const DpoConfig& config,
                      const std::vector<PreferenceTokens>& examples,
                      const std::vector<PreferenceTokens>& eval_examples,
                      const DpoReference& reference) {
  validate(config);
  check_not_empty(examples.size());
  check_rows(config, examples);
  check_rows(config, eval_examples);
  const std::vector<TreeExample> all = trees_of(examples, config.prefix_sharing);
  const std::vector<TreeExample> eval_trees = trees_of(eval_examples, config.prefix_sharing);
  const size_t max_rows = std::max(llm::least_pass_rows(all), llm::least_pass_rows(eval_trees));

  // The directory comes first: a refusal costs nothing yet.
  const data::RunManifest manifest = make_manifest("dpo", config, config.to_json(), job.manifest);
  check_same_on_all_ranks(ranks_of(job), manifest);
  RunDirectory::open(job.env, job.output, manifest, {job.resume, job.overwrite, job.accept_recipe});
  const size_t total = total_steps(config, all.size());
  ReferencePhase::Pairs ref_pairs{&examples, {}, job.output + "/reference.json"};
  ReferencePhase::Pairs eval_pairs{&eval_examples, {}, job.output + "/reference_eval.json"};
  if (!config.reference_free) {
    ref_pairs.wanted = pairs_of_steps(config, all.size(), total);
    for (size_t i = 0; i < eval_examples.size(); ++i) eval_pairs.wanted.push_back(i);
  }
  if (!ReferencePhase(job, config, reference).run({&ref_pairs, &eval_pairs})) return {{}, 0, true};
  const std::vector<PairSums> ref = ReferencePhase::spread(ref_pairs);
  const std::vector<PairSums> eval_ref = ReferencePhase::spread(eval_pairs);
  job.resume = true;  // from here on the directory is ours
  TrainingRun run(job, config, manifest, max_rows);

  const double per_epoch = static_cast<double>(steps_per_epoch(config, all.size()));
  size_t num_tokens = 0;
  const auto evaluate = [&](size_t at) {
    run.watch_mean_logits(true);
    std::vector<PairState> states(eval_trees.size());
    std::vector<const PreferenceTokens*> pairs;
    for (const PreferenceTokens& example : eval_examples) pairs.push_back(&example);
    score_trees(run.ranks(), run.pass(), eval_trees, [&](size_t i, const TreeResult& result) {
      states[i] =
          pair_loss(config, eval_examples[i], eval_trees[i], eval_ref[i], result, 0, {}, {});
    });
    std::vector<PairLogProbs> log_probs;
    for (const PairState& state : states) log_probs.push_back(state.pair);
    const std::vector<PairLoss> coupled = coupled_of(config, log_probs);
    for (size_t i = 0; i < states.size(); ++i) states[i].loss += coupled[i].value;
    BatchLoss loss = combine(config, states, pairs, "eval_");
    Json line = Json::object();
    line["step"] = uint64_t{at};
    line["eval_loss"] = loss.loss;
    for (auto& [key, value] : loss.metrics.as_object()) line[key] = std::move(value);
    line["eval_num_tokens"] = uint64_t{num_tokens};
    return line;
  };

  std::vector<size_t> sizes;
  for (const TreeExample& tree : all) sizes.push_back(tree.tree.row_count());
  size_t eval_rows = 0, work_rows = 0;
  for (const TreeExample& tree : eval_trees) eval_rows += tree.tree.row_count();
  const WorkShare work(config, sizes, total, eval_rows);
  DataOrder order(config, all.size());
  const size_t done = run.restore();
  size_t step = done;
  if (done == 0) run.begin(0, 0);
  for (size_t s = 1; s <= total; ++s) {
    std::vector<TreeExample> batch;
    std::vector<const PreferenceTokens*> pairs;
    std::vector<PairSums> batch_ref;
    double weight = 0, sft_tokens = 0;
    for (size_t i : order.rows_of_step(s)) {
      num_tokens +=
          2 * examples[i].prompt.size() + examples[i].chosen.size() + examples[i].rejected.size();
      work_rows += sizes[i];
      if (s <= done) continue;
      batch.push_back(all[i]);
      pairs.push_back(&examples[i]);
      batch_ref.push_back(ref[i]);
      weight += examples[i].weight;
      sft_tokens += examples[i].weight * sft_share(config, examples[i]);
    }
    if (s == done) run.begin(done, work.done(s, work_rows));
    if (s <= done) continue;
    run.watch_mean_logits(run.logs(s, total));
    if (weight == 0) weight = 1;  // every pair weighs 0: the gradient is 0 too
    const double sft_scale = uses_sft(config) && sft_tokens > 0 ? weight / sft_tokens : 0;
    std::vector<PairState> states(batch.size());
    const std::vector<PairLoss> coupled = coupled_before(config, run, batch, pairs, batch_ref);
    const auto loss = [&](size_t i, const TreeResult& result, std::span<float> coefficients) {
      states[i] = pair_loss(config, *pairs[i], batch[i], batch_ref[i], result, sft_scale,
                            coupled[i], coefficients);
    };
    const Accumulated gradients = accumulate_gradients(run.pass(), run.optimizer(), batch, loss, s);
    BatchLoss sums = combine(config, states, pairs, "");
    sums.metrics["num_tokens"] = uint64_t{num_tokens};
    StepEnd end{s,
                total,
                sums.loss,
                weight,
                gradients,
                work.done(s, work_rows),
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
