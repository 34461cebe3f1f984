#include "train/training_run.h"

#include <cmath>

#include "base/error.h"
#include "llm/dora.h"
#include "llm/mean_logits.h"
#include "llm/predictor_tokens.h"
#include "llm/score_head.h"
#include "tensor/recipe.h"

namespace hone::train {

namespace {

// A copy of the model's own score head, or a new one.
tensor::PanelMatrix start_score_head(const llm::Model& model, TrainedHeads heads, uint64_t seed) {
  if (heads.score_from_zero) return llm::zero_score_head(model.config.hidden_size);
  if (model.score.rows() == 0) return llm::new_score_head(model.config.hidden_size, seed);
  tensor::PanelMatrix head = llm::zero_score_head(model.config.hidden_size);
  std::vector<float> row(model.config.hidden_size);
  model.score.read_row(0, row.data());
  head.write_row(0, row.data());
  return head;
}

// A copy of the model's own predictor tokens, or new ones.
tensor::PanelMatrix start_predictors(const llm::Model& model, size_t count, uint64_t seed) {
  if (count == 0 || model.predictors.rows() != count) {
    return llm::new_predictors(model, count, seed);
  }
  return model.predictors.clone();
}

// With all weights trained the model itself gets its score head and predictors here.
std::optional<llm::LoraAdapter> new_adapter(TrainJob& job, const TrainConfig& config,
                                            TrainedHeads heads) {
  if (config.lora_r == 0) {
    if (heads.score) {
      job.model.score = start_score_head(job.model, heads, config.seed);
      job.model.config.score_head = true;
    }
    job.model.predictors = start_predictors(job.model, heads.predictors, config.seed);
    return std::nullopt;
  }
  llm::LoraAdapter adapter = new_lora(job.compute, job.model, config);
  if (heads.score) adapter.score = start_score_head(job.model, heads, config.seed);
  adapter.predictors = start_predictors(job.model, heads.predictors, config.seed);
  return adapter;
}

// "settings.beta 0.1 and 0.2; .."
std::string difference(const Json& a, const Json& b, const std::string& name) {
  if (a.is_object() && b.is_object()) {
    std::string all;
    for (const auto& [key, value] : a.as_object()) {
      const Json* other = b.find(key);
      const std::string part = difference(value, other == nullptr ? Json() : *other,
                                          name + (name.empty() ? "" : ".") + key);
      all += (all.empty() || part.empty() ? "" : "; ") + part;
    }
    return all;
  }
  const std::string then = a.dump_canonical(), now = b.dump_canonical();
  return then == now ? "" : name + " " + then + " and " + now;
}

}  // namespace

llm::LoraAdapter new_lora(tensor::Compute& compute, const llm::Model& model,
                          const TrainConfig& config) {
  llm::LoraOptions options;
  options.r = config.lora_r;
  options.alpha = config.lora_alpha;
  options.target_modules = config.lora_target_modules;
  options.use_rslora = config.use_rslora;
  llm::LoraAdapter adapter = llm::make_lora(model, options, config.seed);
  if (config.use_dora) llm::start_dora(compute, model, adapter);
  return adapter;
}

bool asked_to_stop(const TrainJob& job) {
  return ranks_of(job).any(job.stop != nullptr && job.stop->load());
}

void check_same_on_all_ranks(Communicator& ranks, const data::RunManifest& manifest) {
  if (ranks.size() == 1) return;
  const Json json = manifest.to_json();
  Json mine = Json::object();
  for (const char* key : {"method", "recipe", "seeds", "digests", "settings"}) {
    const Json* value = json.find(key);
    if (value != nullptr) mine[key] = *value;
  }
  const std::vector<std::string> all = ranks.gather(mine.dump_canonical());
  for (size_t r = 1; r < all.size(); ++r) {
    if (all[r] == all[0]) continue;
    throw Error(ErrorCode::kConflict,
                "rank " + std::to_string(r) + " would not compute what rank 0 does (" +
                    difference(Json::parse(all[0]).value(), Json::parse(all[r]).value(), "") +
                    "): give every rank the same files and options");
  }
}

data::RunManifest make_manifest(const std::string& method, const TrainConfig& config,
                                const Json& settings, data::RunManifest manifest) {
  manifest.method = method;
  manifest.settings = settings;
  manifest.seeds["seed"] = config.seed;
  manifest.recipe = tensor::kRecipe;
  return manifest;
}

llm::PassOptions pass_options(const TrainConfig& config, size_t kept_layers) {
  return {config.recompute || kept_layers > 0,
          config.lora_dropout > 0,
          config.known_coefficients,
          config.teacher,
          config.use_dora,
          std::max<size_t>(1, kept_layers)};
}

size_t planned_training_bytes(const llm::ModelConfig& model, const TrainConfig& config,
                              size_t max_rows) {
  // The program, its libraries, the tokenizer and the scratch of each thread; and the pages that a
  // piece of memory is rounded up to.
  constexpr size_t kProgramBytes = size_t{64} << 20;
  return kProgramBytes + planned_trained_bytes(model, config, max_rows);
}

size_t planned_trained_bytes(const llm::ModelConfig& model, const TrainConfig& config,
                             size_t max_rows) {
  size_t trained = 0;
  for (const llm::LayerConfig& layer : model.layers) {
    const size_t h = model.hidden_size, q = layer.head_count * layer.head_dim;
    const size_t kv = layer.kv_head_count * layer.head_dim, f = layer.intermediate_size;
    trained += config.lora_r == 0 ? h * (2 * q + 2 * kv + 3 * f + 2)
                                  : config.lora_r * (7 * h + 2 * q + 2 * kv + 3 * f) +
                                        // Magnitudes, and what follows from them.
                                        (config.use_dora ? 2 * (q + 2 * kv + 2 * h + 2 * f) : 0);
  }
  if (config.lora_r == 0) {
    trained += model.vocab_size * model.hidden_size * (model.tie_word_embeddings ? 1 : 2);
  }
  // The panel of a score head or of predictor tokens (at most 16), should there be one.
  trained += 16 * model.hidden_size;
  // int64 gradient, two moments; a LoRA's values too (the model counts its own).
  const size_t per_value =
      sizeof(int64_t) + 2 * sizeof(float) + (config.lora_r == 0 ? 0 : sizeof(float));
  const size_t state = trained * per_value;
  return state + state / 64 +
         llm::TrainingPass::planned_bytes(model, config.lora_r, max_rows, pass_options(config));
}

WorkShare::WorkShare(const TrainConfig& config, std::span<const size_t> sizes, size_t total_steps,
                     size_t eval_tokens)
    : total_steps_(total_steps),
      eval_steps_(config.eval_steps),
      eval_tokens_(eval_tokens),
      per_token_(config.lora_r == 0 ? 3 : 2) {
  uint64_t of_epoch = 0, tokens = 0;
  for (size_t size : sizes) of_epoch += size;
  const size_t per_epoch = steps_per_epoch(config, sizes.size());
  const size_t epochs = total_steps / per_epoch;
  tokens = epochs * of_epoch;
  DataOrder order(config, sizes.size());
  for (size_t s = epochs * per_epoch + 1; s <= total_steps; ++s) {
    for (size_t row : order.rows_of_step(s)) tokens += sizes[row];
  }
  whole_ = std::max(1.0, per_token_ * static_cast<double>(tokens) +
                             evaluations(total_steps) * static_cast<double>(eval_tokens));
}

double WorkShare::evaluations(size_t step) const {
  const size_t regular = eval_steps_ == 0 ? 0 : step / eval_steps_;
  const bool at_the_end = step == total_steps_ && (eval_steps_ == 0 || step % eval_steps_ != 0);
  return static_cast<double>(regular + (at_the_end ? 1 : 0));
}

double WorkShare::done(size_t step, uint64_t tokens) const {
  return std::min(1.0, (per_token_ * static_cast<double>(tokens) +
                        evaluations(step) * static_cast<double>(eval_tokens_)) /
                           whole_);
}

// Nothing is made before all ranks are known to agree.
TrainJob& TrainingRun::checked(TrainJob& job, const data::RunManifest& manifest) {
  check_same_on_all_ranks(ranks_of(job), manifest);
  return job;
}

TrainingRun::TrainingRun(TrainJob& job, const TrainConfig& config,
                         const data::RunManifest& manifest, size_t max_rows, TrainedHeads heads,
                         const Companion* companion)
    : job_(checked(job, manifest)),
      config_(config),
      companion_(companion),
      adapter_(new_adapter(job, config, heads)),
      trainable_(adapter_ ? llm::lora_parameters(job.model, *adapter_)
                          : llm::full_parameters(job.model, heads.language)),
      optimizer_(std::make_unique<Optimizer>(job.compute, trainable_, config, ranks_of(job))),
      pass_(std::make_unique<llm::TrainingPass>(
          job.compute, job.model, adapter_ ? &*adapter_ : nullptr,
          std::max(config.max_tokens_per_pass, max_rows), pass_options(config, job.kept_layers))),
      directory_(RunDirectory::open(job.env, job.output, manifest,
                                    {job.resume, job.overwrite, job.accept_recipe})) {
  directory_.write_sources(job.sources);
}

void TrainingRun::watch_mean_logits(bool wanted) {
  if (!wanted) {
    pass_->watch_mean_logits({});
    return;
  }
  const bool trained = config_.lora_r == 0;
  if (trained || mean_head_row_.empty()) {
    mean_head_row_ = llm::mean_head_row(job_.compute, job_.model.head());
  }
  pass_->watch_mean_logits(mean_head_row_);
}

void TrainingRun::check_same_weights(size_t step, const std::string& hash) {
  if (ranks().size() == 1) return;
  const std::vector<std::string> all = ranks().gather(hash);
  for (size_t r = 1; r < all.size(); ++r) {
    if (all[r] == all[0]) continue;
    throw Error(ErrorCode::kInternal,
                "behind step " + std::to_string(step) + " rank " + std::to_string(r) +
                    " has other weights than rank 0 (" + all[r] + ", " + all[0] +
                    "): a machine computes wrongly, or other rewards there; hone selfcheck on "
                    "each tells which. Checkpoints up to here are whole");
  }
}

MoreStates TrainingRun::more_states() const {
  if (companion_ == nullptr) return {};
  return {{companion_->name, companion_->optimizer}};
}

TrainingRun::Update TrainingRun::update(const StepEnd& end) {
  const double share = schedule_multiplier(config_, end.step, end.total_steps);
  const double rate = config_.learning_rate * share;
  Update done;
  const auto add_norms = [&](const Optimizer::Applied& applied, const std::string& prefix) {
    for (const auto& [name, norm] : applied.by_name) done.tail["grad_norm/" + prefix + name] = norm;
  };
  if (!end.rests) {
    const Optimizer::Applied applied = optimizer_->apply(end.normaliser, rate, end.step);
    done.grad_norm = applied.grad_norm;
    add_norms(applied, "");
  }
  done.head["grad_norm"] = done.grad_norm;
  done.head["grad_flushed_to_zero"] = end.gradients.flushed_to_zero;
  done.head["learning_rate"] = rate;
  if (companion_ == nullptr) return done;
  const double beside = companion_->learning_rate * share;
  const Optimizer::Applied applied =
      companion_->optimizer->apply(end.companion_normaliser, beside, end.step);
  done.head[companion_->name + "/grad_norm"] = applied.grad_norm;
  done.head[companion_->name + "/learning_rate"] = beside;
  add_norms(applied, companion_->name + "/");
  return done;
}

bool TrainingRun::end_step(const StepEnd& end) {
  if (!std::isfinite(end.loss)) {
    directory_.flush();
    throw Error(ErrorCode::kInternal,
                "the loss of step " + std::to_string(end.step) +
                    " is not a number: lower --learning-rate or look at the rows of that step; "
                    "checkpoints up to here are whole (--resume goes on from the last one)");
  }
  const bool last = end.step == end.total_steps;
  const Update done = update(end);
  const std::string hash =
      parameter_hash(job_.compute, trainable_,
                     companion_ == nullptr ? nullptr : &companion_->optimizer->trainable());
  check_same_weights(end.step, hash);
  directory_.log_step({end.step, end.loss, done.grad_norm, hash});
  if (logs(end.step, end.total_steps)) {
    Json line = Json::object();
    line["step"] = uint64_t{end.step};
    line["epoch"] = end.epoch;
    line["loss"] = end.loss;
    for (const Json* part : {&done.head, &end.metrics, &done.tail}) {
      for (const auto& [key, value] : part->as_object()) line[key] = value;
    }
    directory_.log_metrics(line);
  }
  const bool due = config_.eval_steps > 0 && end.step % config_.eval_steps == 0;
  if (end.evaluate && (due || last)) directory_.log_metrics(end.evaluate(end.step));
  const bool stop = asked_to_stop(job_);
  if (stop || last || (config_.save_steps > 0 && end.step % config_.save_steps == 0)) {
    directory_.save_checkpoint(
        *optimizer_, end.step, config_.save_total_limit,
        end.checkpoint_files ? end.checkpoint_files() : std::map<std::string, std::string>(),
        more_states());
  }
  if (job_.progress) {
    job_.progress(
        {end.step, end.total_steps, end.loss, end.gradients.rows, end.share_done, end.note});
  }
  return !stop;
}

TrainResult TrainingRun::finish(size_t step, size_t total) {
  directory_.flush();
  TrainResult result;
  result.adapter = std::move(adapter_);
  result.steps = step;
  result.stopped = step < total;
  return result;
}

}  // namespace hone::train
