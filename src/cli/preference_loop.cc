#include "cli/preference_loop.h"

#include <algorithm>
#include <set>

#include "base/env.h"
#include "base/error.h"
#include "base/rng.h"
#include "cli/preference_report.h"
#include "data/data_check.h"
#include "seal/digest.h"
#include "tensor/recipe.h"
#include "train/final_model.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxShownBytes = 1 << 20;
constexpr size_t kShownPrompts = 3, kMaxShown = 100;

void stop_if_asked() {
  stop_if_interrupted("what was trained is saved; the same command goes on from there");
}

std::vector<Json> first_prompts(const std::vector<data::Row>& rows) {
  std::vector<Json> show;
  std::set<std::string> seen;
  for (const data::Row& row : rows) {
    if (show.size() == kShownPrompts) break;
    if (row.kind != data::RowKind::kPreference || !seen.insert(row.prompt.dump()).second) continue;
    Json prompt = Json::object();
    prompt["prompt"] = row.prompt;
    show.push_back(std::move(prompt));
  }
  return show;
}

train::TrainResult train_on(const PreferenceLoop& loop, tensor::Compute& compute,
                            LoadedModel& loaded, const LoopPairs& pairs, LoopWatcher& watcher) {
  train::TrainJob job{compute, real_env(), loaded.model, loop.output,   false,
                      false,   {},         {},           &interrupted()};
  job.manifest.digests["model"] = model_digest(loop.model.model);
  job.manifest.digests["data"] = pairs.train_rows.digest;
  job.sources["model"] = absolute_path(loop.model.model);
  job.sources["data"] = absolute_path(loop.train_path);
  job.manifest.program_version = program_version();
  job.manifest.program_commit = program_commit();
  job.resume = real_env().exists(loop.output + "/manifest.json");
  watcher.attach(job, train::total_steps(loop.config, pairs.train.size()));
  const train::DpoReference reference{nullptr, nullptr, job.manifest.digests["model"]};
  train::TrainResult result;
  try {
    result = train::train_dpo(job, loop.config, pairs.train, {}, reference);
  } catch (const Error& error) {
    // A run of other settings or data is made anew.
    if (error.code() != ErrorCode::kConflict || !job.resume) throw;
    job.resume = false;
    job.overwrite = true;
    result = train::train_dpo(job, loop.config, pairs.train, {}, reference);
  }
  watcher.end();
  if (!result.stopped) {
    train::save_final(job, result, {loop.model.model, loaded.end_of_generation, &loaded.text()});
  }
  return result;
}

eval::Report measure(const PreferenceLoop& loop, tensor::Compute& compute,
                     const LoadedModel& loaded, const LoopPairs& pairs, LoopWatcher& watcher,
                     const std::vector<llm::PairSums>* reference,
                     std::vector<llm::PairSums>* sums) {
  watcher.begin(reference == nullptr ? LoopPhase::kMeasuringBefore : LoopPhase::kMeasuringAfter,
                pairs.held_out.size());
  *sums = llm::score_pairs(compute, loaded.model, loaded.adapter_or_null(), pairs.held_out, {},
                           [&](size_t done) {
                             watcher.update(done);
                             stop_if_asked();
                           });
  watcher.end();
  const PreferenceEvaluation evaluation{loaded,
                                        pairs.held_out,
                                        *sums,
                                        reference == nullptr ? *sums : *reference,
                                        loop.config.beta,
                                        loop.model.model,
                                        loaded.adapter ? loop.output + "/final" : "",
                                        pairs.held_out_rows.digest};
  return preference_report(evaluation);
}

std::vector<std::string> answers(const PreferenceLoop& loop, tensor::Compute& compute,
                                 const LoadedModel& loaded, const std::vector<Json>& rows,
                                 LoopWatcher& watcher, LoopPhase phase) {
  watcher.begin(phase, rows.size());
  llm::Generator generator(compute, loaded.model, loaded.adapter_or_null(),
                           &loaded.text().tokenizer(), loaded.end_of_generation, {});
  generator.on_text = [](uint64_t, uint64_t, std::string_view) { stop_if_asked(); };
  std::vector<llm::GenerationRequest> requests;
  for (size_t i = 0; i < rows.size(); ++i) {
    llm::GenerationRequest request;
    request.prompt = prompt_ids(loaded, rows[i], "prompt " + std::to_string(i + 1));
    request.index = i;
    request.max_tokens = loop.answer_tokens;
    request.sampling.temperature = 0;
    requests.push_back(std::move(request));
  }
  std::vector<std::string> texts(rows.size());
  size_t done = 0;
  generator.run(std::move(requests), [&](const llm::GeneratedSample& sample) {
    texts[sample.index] = sample.text;
    watcher.update(++done);
  });
  watcher.end();
  return texts;
}

// Everything that the kept things depend on.
std::string result_digest(const PreferenceLoop& loop, const LoopPairs& pairs) {
  Json show = Json::array();
  for (const Json& row : pairs.show) show.push_back(row);
  return seal::sha256_hex("hone.loop/1 " + std::string(tensor::kRecipe) + " " + program_version() +
                          " " + program_commit() + " " + model_digest(loop.model.model) + " " +
                          model_digest(loop.output + "/final") + " " + pairs.train_rows.digest +
                          " " + pairs.held_out_rows.digest + " " + seal::sha256_hex(show.dump()) +
                          " " + loop.config.to_json().dump_canonical());
}

Json texts_json(const std::vector<std::string>& texts) {
  Json json = Json::array();
  for (const std::string& text : texts) json.push_back(text);
  return json;
}

std::vector<std::string> texts_from(const Json& json) {
  std::vector<std::string> texts;
  for (const Json& text : json.as_array()) texts.push_back(text.as_string());
  return texts;
}

void keep(const PreferenceLoop& loop, const LoopPairs& pairs, const LoopResult& result) {
  eval::write_report(real_env(), loop.output + "/before.json", result.before, true);
  eval::write_report(real_env(), loop.output + "/after.json", result.after, true);
  Json json = Json::object();
  json["digest"] = result_digest(loop, pairs);
  Json prompts = Json::array();
  for (const Json& row : pairs.show) prompts.push_back(row.at("prompt"));
  json["prompts"] = std::move(prompts);
  json["before"] = texts_json(result.answers_before);
  json["after"] = texts_json(result.answers_after);
  write_file_atomically(real_env(), loop.output + "/shown.json", json.dump() + "\n");
}

}  // namespace

std::string_view loop_phase_name(LoopPhase phase) {
  switch (phase) {
    case LoopPhase::kMeasuringBefore: return "measuring before";
    case LoopPhase::kAnswersBefore: return "answers before";
    case LoopPhase::kReference: return "reference";
    case LoopPhase::kTraining: return "training";
    case LoopPhase::kMeasuringAfter: return "measuring after";
    case LoopPhase::kAnswersAfter: return "answers after";
  }
  return "";
}

train::DpoConfig recommended_settings(uint64_t seed) {
  train::DpoConfig config;
  config.learning_rate = 2e-4;
  config.lora_r = 16;
  config.num_train_epochs = 2;
  config.per_device_train_batch_size = 8;
  config.loss_type = {train::PreferenceLossType::kSigmoid, train::PreferenceLossType::kSft};
  config.loss_weights = {1, 1};
  config.max_length = 512;
  config.logging_steps = 1;
  config.save_steps = 10;
  config.seed = seed;
  return config;
}

std::string prompt_text(const Json& prompt) {
  if (prompt.is_string()) return prompt.as_string();
  if (!prompt.is_array() || prompt.size() == 0) return "";
  const Json* content = prompt.as_array().back().find("content");
  return content != nullptr && content->is_string() ? content->as_string() : "";
}

LoopPairs load_loop_pairs(const PreferenceLoop& loop, const LoadedModel& loaded) {
  data::ReadOptions read;
  read.accepted = llm::preference_row_kinds();
  LoopPairs pairs;
  pairs.train_rows = data::load_dataset(real_env(), loop.train_path, read);
  pairs.held_out_rows = data::load_dataset(real_env(), loop.held_out_path, read);
  const data::DataReport check = data::check_data(pairs.train_rows, &pairs.held_out_rows, {});
  if (check.shared_prompts.count > 0) {
    throw invalid_input(loop.train_path + ": " + std::to_string(check.shared_prompts.count) +
                        " training prompts stand in " + loop.held_out_path +
                        " too: split the files by prompt");
  }
  const llm::TokenizeOptions cut = {loop.config.max_length, loop.config.max_prompt_length, true,
                                    false};
  const auto tokenize = [&](const data::Dataset& rows, size_t* tokens) {
    auto out =
        name_pairs(llm::tokenize_preferences(rows.rows, &loaded.text(), cut, loaded.model.config),
                   data::unique_row_names(rows.rows));
    for (const auto& pair : out) *tokens += pair.tree(true).tree.row_count();
    return out;
  };
  pairs.train = tokenize(pairs.train_rows, &pairs.train_tokens);
  pairs.held_out = tokenize(pairs.held_out_rows, &pairs.held_out_tokens);
  pairs.show = loop.show_path.empty() ? first_prompts(pairs.held_out_rows.rows)
                                      : read_json_lines(loop.show_path);
  if (pairs.show.size() > kMaxShown) pairs.show.resize(kMaxShown);
  return pairs;
}

MemoryPlan loop_memory(const PreferenceLoop& loop, const LoadedModel& loaded) {
  return training_memory(loaded, nullptr, loop.config, loop.config.max_tokens_per_pass);
}

double reading_rate(tensor::Compute& compute, const LoadedModel& loaded) {
  constexpr size_t kTokens = 256;
  llm::TokenTree tree = llm::make_sequence({});
  Rng rng(1, rng_stream("reading-rate"));
  for (size_t i = 0; i < kTokens; ++i) {
    tree.nodes[0].tokens.push_back(static_cast<int32_t>(rng.below(loaded.model.config.vocab_size)));
  }
  const llm::TreeExample example{tree, {{0, kTokens - 1}}};
  llm::TrainingPass pass(compute, loaded.model, nullptr, kTokens, {true});
  double best = 0;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const double begin = real_env().steady_seconds();
    llm::score_trees(pass, {&example, 1}, [](size_t, const llm::TreeResult&) {});
    best = std::max(best, kTokens / (real_env().steady_seconds() - begin));
  }
  return best;
}

double loop_seconds(const PreferenceLoop& loop, const LoopPairs& pairs, double rate) {
  const size_t steps = train::total_steps(loop.config, pairs.train.size());
  const size_t batch =
      loop.config.per_device_train_batch_size * loop.config.gradient_accumulation_steps;
  const double epochs = static_cast<double>(steps * batch) /
                        static_cast<double>(std::max<size_t>(pairs.train.size(), 1));
  // Forward and backward of LoRA cost about 2.6 readings; references and two evaluations one each.
  const double readings = epochs * 2.6 * static_cast<double>(pairs.train_tokens) +
                          static_cast<double>(pairs.train_tokens) +
                          3 * static_cast<double>(pairs.held_out_tokens);
  return readings / rate + 10;
}

std::optional<LoopResult> kept_result(const PreferenceLoop& loop, const LoopPairs& pairs) {
  const std::string path = loop.output + "/shown.json";
  if (!real_env().exists(path) || !real_env().exists(loop.output + "/final")) return std::nullopt;
  try {
    const Json json = Json::parse(real_env().read_file(path, kMaxShownBytes)).value();
    if (json.at("digest").as_string() != result_digest(loop, pairs)) return std::nullopt;
    LoopResult result{eval::read_report(real_env(), loop.output + "/before.json"),
                      eval::read_report(real_env(), loop.output + "/after.json"),
                      texts_from(json.at("before")), texts_from(json.at("after"))};
    const size_t count = pairs.show.size();
    if (result.answers_before.size() != count || result.answers_after.size() != count) {
      return std::nullopt;
    }
    return result;
  } catch (const Error&) {
    return std::nullopt;  // a file that cannot be read is made anew
  }
}

std::optional<LoopResult> run_loop(const PreferenceLoop& loop, tensor::Compute& compute,
                                   LoadedModel& loaded, const LoopPairs& pairs,
                                   LoopWatcher& watcher, size_t* stopped_at) {
  std::vector<llm::PairSums> base_sums, tuned_sums;
  LoopResult done;
  done.before = measure(loop, compute, loaded, pairs, watcher, nullptr, &base_sums);
  done.answers_before =
      answers(loop, compute, loaded, pairs.show, watcher, LoopPhase::kAnswersBefore);
  const train::TrainResult result = train_on(loop, compute, loaded, pairs, watcher);
  if (result.stopped) {
    *stopped_at = result.steps;
    return std::nullopt;
  }
  loaded.adapter = llm::load_lora(loaded.model, loop.output + "/final");
  done.after = measure(loop, compute, loaded, pairs, watcher, &base_sums, &tuned_sums);
  done.answers_after =
      answers(loop, compute, loaded, pairs.show, watcher, LoopPhase::kAnswersAfter);
  keep(loop, pairs, done);
  return done;
}

}  // namespace hone::cli
