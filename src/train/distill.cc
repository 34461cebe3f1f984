#include "train/distill.h"

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/error.h"
#include "base/rng.h"
#include "train/dealt_trees.h"
#include "train/online.h"
#include "train/sparse_divergence.h"

namespace hone::train {

using llm::PromptTokens;
using llm::SftTokens;
using llm::TreeExample;
using llm::TreeResult;

namespace {

constexpr const char* kReport = "distillation.json";
constexpr uint64_t kMaxReportBytes = 1 << 20;
constexpr size_t kRowsPerLook = 32;  // of each rank: teacher's answers, at whether to stop

// What stands before the row's last answer.
PromptTokens prompt_of(const SftTokens& row) {
  size_t end = row.tokens.size();
  while (end > 0 && row.trained[end - 1] == 0) --end;
  while (end > 0 && row.trained[end - 1] != 0) --end;
  PromptTokens prompt;
  prompt.ids.assign(row.tokens.begin(), row.tokens.begin() + static_cast<std::ptrdiff_t>(end));
  prompt.name = prompt.where = row.name;
  return prompt;
}

std::vector<PromptTokens> prompts_of(const std::vector<SftTokens>& rows) {
  std::vector<PromptTokens> prompts;
  for (const SftTokens& row : rows) {
    prompts.push_back(prompt_of(row));
    if (!prompts.back().ids.empty()) continue;
    throw invalid_input("row " + row.name +
                        " has no prompt: answers cannot be drawn for it (--lmbda 0 without "
                        "--seq-kd learns from the rows' own answers)");
  }
  return prompts;
}

std::vector<TreeExample> trees_of(const std::vector<SftTokens>& rows) {
  std::vector<TreeExample> trees;
  for (const SftTokens& row : rows) trees.push_back(row.tree());
  return trees;
}

// Sums over the tokens of one answer.
struct AnswerSums {
  double divergence = 0, negative_log_prob = 0, entropy = 0;
  size_t tokens = 0, correct = 0;
};

// The words of the tree's targets, as targets behind them.
void add_words(TreeExample& tree, const TeacherWords& words) {
  const size_t places = tree.targets.size();
  HONE_CHECK(words.places() == places);
  for (size_t place = 0; place < places; ++place) {
    for (size_t i = place * words.k; i < (place + 1) * words.k; ++i) {
      llm::TreeTarget target = tree.targets[place];
      target.word = words.ids[i];
      tree.targets.push_back(target);
    }
  }
}

// The divergence of one answer, and the slopes by the log-probabilities of its words times weight.
double word_divergence(double beta, const TeacherWords& words, const TreeResult& result,
                       double weight, std::span<float> coefficients) {
  const size_t places = words.places();
  double sum = 0;
  for (size_t place = 0; place < places; ++place) {
    const size_t from = place * words.k;
    const SparseDivergence d =
        sparse_divergence(beta, std::span(words.log_probs).subspan(from, words.k),
                          words.rest[place], result.log_probs.subspan(places + from, words.k));
    sum += d.value;
    if (coefficients.empty()) continue;
    for (size_t k = 0; k < words.k; ++k) {
      coefficients[places + from + k] = static_cast<float>(weight * d.slopes[k]);
    }
  }
  return sum;
}

// places: how many of the targets are the answer's tokens; words of theirs may stand behind.
AnswerSums sums_of(const TreeExample& example, const TreeResult& result, size_t places) {
  AnswerSums sums;
  for (size_t i = 0; i < places; ++i) {
    if (!result.divergences.empty()) {
      sums.divergence += static_cast<double>(result.divergences[i]);
    }
    sums.negative_log_prob -= static_cast<double>(result.log_probs[i]);
    sums.entropy += static_cast<double>(result.rows[i].entropy);
    sums.correct += result.rows[i].argmax == example.token(example.targets[i]) ? 1 : 0;
    ++sums.tokens;
  }
  return sums;
}

// Weighted token means of the batch.
struct Means {
  double divergence = 0, negative_log_prob = 0, entropy = 0, accuracy = 0, weight = 0;
};

Means means_of(const std::vector<AnswerSums>& answers, std::span<const double> weights) {
  Means means;
  double tokens = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const AnswerSums& a = answers[i];
    means.weight += weights[i] * static_cast<double>(a.tokens);
    means.divergence += weights[i] * a.divergence;
    means.negative_log_prob += weights[i] * a.negative_log_prob;
    means.entropy += a.entropy;
    means.accuracy += static_cast<double>(a.correct);
    tokens += static_cast<double>(a.tokens);
  }
  const double weight = means.weight > 0 ? means.weight : 1;
  means.divergence /= weight;
  means.negative_log_prob /= weight;
  means.entropy /= std::max(tokens, 1.0);
  means.accuracy /= std::max(tokens, 1.0);
  return means;
}

class Distillation {
 public:
  Distillation(TrainJob& job, const DistillConfig& config, const std::vector<SftTokens>& examples,
               const std::vector<SftTokens>& eval_examples, const DistillTeacher& teacher)
      : job_(job),
        config_(config),
        teacher_(teacher),
        examples_(examples),
        trees_(trees_of(examples)),
        eval_trees_(trees_of(eval_examples)),
        prompts_(draws() ? prompts_of(examples) : std::vector<PromptTokens>()),
        run_(job, config, make_manifest("distill", config, config.to_json(), job.manifest),
             largest_tree()),
        teacher_pass_(has_teacher() ? std::make_unique<llm::TrainingPass>(
                                          job.compute, teacher.model, teacher.adapter,
                                          run_.pass().max_rows(), llm::PassOptions{true})
                                    : nullptr) {
    for (const SftTokens& row : eval_examples) eval_weights_.push_back(row.weight);
    if (!config.sparse()) {
      run_.pass().learn_from(teacher_pass_.get(), static_cast<float>(config.beta));
    } else if (has_teacher()) {
      for (TreeExample& tree : eval_trees_) eval_places_.push_back(tree.targets.size());
      teacher_words(*teacher_pass_, eval_trees_, config.teacher_top_k,
                    [&](size_t, TeacherWords words) { eval_words_.push_back(std::move(words)); });
      for (size_t i = 0; i < eval_trees_.size(); ++i) add_words(eval_trees_[i], eval_words_[i]);
    }
  }

  TrainResult train();

 private:
  struct Batch {
    std::vector<TreeExample> trees;
    std::vector<double> weights;
    std::vector<Group> drawn;         // when they are not the rows' own answers
    std::vector<TeacherWords> words;  // of each tree, where the loss reads them
    std::vector<size_t> places;       // of each tree: targets that are the answer's tokens
    bool on_policy = false;
  };

  bool draws() const { return config_.lmbda > 0 || config_.seq_kd; }
  size_t largest_tree() const {
    size_t rows = std::max(llm::least_pass_rows(trees_), llm::least_pass_rows(eval_trees_));
    for (const PromptTokens& prompt : prompts_) {
      rows = std::max(rows, prompt.ids.size() + config_.max_new_tokens);
    }
    return rows;
  }
  bool is_on_policy(size_t step) const {
    return Rng(config_.seed, rng_stream("on-policy", step)).uniform() < config_.lmbda;
  }
  // False: the job was asked to stop.
  bool draw_teachers_answers();
  Batch batch_of(std::span<const size_t> rows, size_t step);
  Means evaluate();
  double teachers_negative_log_prob();
  Json eval_line(size_t step);
  Json report_before();
  void report_after(Json report);
  bool has_teacher() const { return !config_.recorded_teacher; }
  // What the teacher says of the batch's answers, where the loss reads words.
  void take_words(Batch& batch, std::span<const size_t> rows);

  TrainJob& job_;
  const DistillConfig& config_;
  const DistillTeacher& teacher_;
  const std::vector<SftTokens>& examples_;
  std::vector<TreeExample> trees_, eval_trees_;
  std::vector<PromptTokens> prompts_;
  std::vector<double> eval_weights_;
  TrainingRun run_;
  std::unique_ptr<llm::TrainingPass> teacher_pass_;  // null: what it says was recorded
  std::vector<TeacherWords> eval_words_;             // with teacher_top_k
  std::vector<size_t> eval_places_;
  std::vector<Group> teachers_answers_;  // with seq_kd: one a row
};

bool Distillation::draw_teachers_answers() {
  if (!config_.seq_kd || config_.lmbda >= 1) return true;
  Rollouts rollouts(
      job_.compute,
      {&teacher_.model, teacher_.adapter, teacher_.tokenizer, teacher_.end_of_generation},
      distill_rollout(config_), longest_prompt(prompts_), run_.ranks());
  std::vector<size_t> rows(prompts_.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = i;
  const size_t per_look = kRowsPerLook * run_.ranks().size();
  for (size_t first = 0; first < rows.size(); first += per_look) {
    if (asked_to_stop(job_)) return false;
    const auto some = std::span(rows).subspan(first, std::min(per_look, rows.size() - first));
    for (Group& group : rollouts.generate(prompts_, some, "teacher", 0, first)) {
      teachers_answers_.push_back(std::move(group));
    }
    if (job_.reference_progress) {
      job_.reference_progress(teachers_answers_.size(), rows.size());
    }
  }
  return true;
}

Distillation::Batch Distillation::batch_of(std::span<const size_t> rows, size_t step) {
  Batch batch;
  batch.on_policy = is_on_policy(step);
  for (size_t row : rows) batch.weights.push_back(examples_[row].weight);
  if (batch.on_policy) {
    Rollouts rollouts(job_.compute,
                      {&job_.model, run_.adapter(), teacher_.tokenizer, teacher_.end_of_generation},
                      distill_rollout(config_), longest_prompt(prompts_), run_.ranks());
    batch.drawn = rollouts.generate(prompts_, rows, "student", step);
  } else if (config_.seq_kd) {
    for (size_t row : rows) batch.drawn.push_back(teachers_answers_[row]);
  } else {
    for (size_t row : rows) batch.trees.push_back(trees_[row]);
  }
  for (const Group& group : batch.drawn) {
    batch.trees.push_back(group_tree(prompts_[group.prompt].ids, group.completions, true));
  }
  for (const TreeExample& tree : batch.trees) batch.places.push_back(tree.targets.size());
  if (config_.sparse()) take_words(batch, rows);
  return batch;
}

void Distillation::take_words(Batch& batch, std::span<const size_t> rows) {
  if (config_.recorded_teacher) {
    for (size_t row : rows) batch.words.push_back((*teacher_.recorded)[row]);
  } else {
    teacher_words(*teacher_pass_, batch.trees, config_.teacher_top_k,
                  [&](size_t, TeacherWords words) { batch.words.push_back(std::move(words)); });
  }
  for (size_t i = 0; i < batch.trees.size(); ++i) add_words(batch.trees[i], batch.words[i]);
}

Means Distillation::evaluate() {
  std::vector<AnswerSums> answers(eval_trees_.size());
  score_trees(run_.ranks(), run_.pass(), eval_trees_, [&](size_t i, const TreeResult& result) {
    const bool words = !eval_words_.empty();
    answers[i] =
        sums_of(eval_trees_[i], result, words ? eval_places_[i] : eval_trees_[i].targets.size());
    if (words) {
      answers[i].divergence = word_divergence(config_.beta, eval_words_[i], result, 0, {});
    }
  });
  return means_of(answers, eval_weights_);
}

double Distillation::teachers_negative_log_prob() {
  std::vector<AnswerSums> answers(eval_trees_.size());
  score_trees(run_.ranks(), *teacher_pass_, eval_trees_, [&](size_t i, const TreeResult& result) {
    answers[i] = sums_of(eval_trees_[i], result,
                         eval_words_.empty() ? eval_trees_[i].targets.size() : eval_places_[i]);
  });
  return means_of(answers, eval_weights_).negative_log_prob;
}

Json Distillation::eval_line(size_t step) {
  const Means means = evaluate();
  Json line = Json::object();
  line["step"] = uint64_t{step};
  if (has_teacher()) line["eval_loss"] = means.divergence;
  line["eval_nll_loss"] = means.negative_log_prob;
  line["eval_entropy"] = means.entropy;
  line["eval_mean_token_accuracy"] = means.accuracy;
  return line;
}

// Kept in the run: a run that goes on no longer has the student as it was.
Json Distillation::report_before() {
  const std::string path = job_.output + "/" + kReport;
  if (job_.env.exists(path)) {
    const Result<Json> json = Json::parse(job_.env.read_file(path, kMaxReportBytes));
    if (json && json->find("before") != nullptr) return *json;
  }
  const Means before = evaluate();
  Json report = Json::object();
  report["schema"] = "hone.distillation/1";
  report["teacher"] = -teachers_negative_log_prob();
  report["before"] = -before.negative_log_prob;
  report["divergence_before"] = before.divergence;
  write_file_atomically(job_.env, path, report.dump_pretty() + "\n");
  return report;
}

// kept: of the log-likelihood that separated the student from its teacher, the share
// that it gained.
void Distillation::report_after(Json report) {
  const Means after = evaluate();
  const double teacher = report.at("teacher").as_double(), before = report.at("before").as_double();
  report["after"] = -after.negative_log_prob;
  report["divergence_after"] = after.divergence;
  if (teacher > before) {
    report["recovered"] = (-after.negative_log_prob - before) / (teacher - before);
  }
  write_file_atomically(job_.env, job_.output + "/" + kReport, report.dump_pretty() + "\n");
}

TrainResult Distillation::train() {
  const size_t total = total_steps(config_, trees_.size());
  const double per_epoch = static_cast<double>(steps_per_epoch(config_, trees_.size()));
  DataOrder order(config_, trees_.size());
  const size_t done = run_.restore();
  size_t step = done;
  if (!draw_teachers_answers()) return {{}, done, true};
  Json report;
  if (!eval_trees_.empty() && has_teacher()) report = report_before();
  const auto share = [&](size_t s) { return static_cast<double>(s) / static_cast<double>(total); };
  run_.begin(done, share(done));
  for (size_t s = 1; s <= total; ++s) {
    const auto rows = order.rows_of_step(s);
    if (s <= done) continue;
    const Batch batch = batch_of(rows, s);
    std::vector<AnswerSums> answers(batch.trees.size());
    double normaliser = 0;
    for (size_t i = 0; i < batch.trees.size(); ++i) {
      normaliser += batch.weights[i] * static_cast<double>(batch.places[i]);
    }
    if (normaliser == 0) normaliser = 1;  // every row weighs 0: the gradient is 0 too
    const auto known = [&](size_t i, std::span<float> coefficients) {
      std::fill(coefficients.begin(), coefficients.end(), static_cast<float>(batch.weights[i]));
    };
    const auto watch = [&](size_t i, const TreeResult& result, std::span<float> coefficients) {
      answers[i] = sums_of(batch.trees[i], result, batch.places[i]);
      if (!config_.sparse()) return;
      answers[i].divergence =
          word_divergence(config_.beta, batch.words[i], result, batch.weights[i], coefficients);
    };
    const Accumulated gradients =
        accumulate_gradients(run_.pass(), run_.optimizer(), batch.trees, watch, s,
                             config_.sparse() ? KnownCoefficients() : known);
    const Means means = means_of(answers, batch.weights);
    StepEnd end;
    end.step = s;
    end.total_steps = total;
    end.loss = means.divergence;
    end.normaliser = normaliser;
    end.gradients = gradients;
    end.share_done = share(s);
    end.epoch = static_cast<double>(s) / per_epoch;
    end.metrics["entropy"] = means.entropy;
    end.metrics["mean_token_accuracy"] = means.accuracy;
    end.metrics["on_policy"] = batch.on_policy ? 1 : 0;
    if (!batch.drawn.empty()) add_length_metrics(end.metrics, "", batch.drawn);
    if (!eval_trees_.empty()) end.evaluate = [&](size_t at) { return eval_line(at); };
    step = s;
    if (!run_.end_step(end)) break;
  }
  if (step == total && !eval_trees_.empty() && has_teacher()) report_after(std::move(report));
  return run_.finish(step, total);
}

}  // namespace

RolloutOptions distill_rollout(const DistillConfig& config) {
  RolloutOptions options;
  options.num_generations = 1;
  options.max_completion_length = config.max_new_tokens;
  options.sampling.temperature = config.temperature;
  options.seed = config.seed;
  return options;
}

std::optional<int32_t> first_other_word(const llm::Tokenizer& a, const llm::Tokenizer& b) {
  const size_t words = std::min(a.vocab_size(), b.vocab_size());
  for (size_t id = 0; id < words; ++id) {
    const auto at = static_cast<int32_t>(id);
    if (a.piece(at) != b.piece(at)) return at;
  }
  return std::nullopt;
}

void check_teacher(const llm::Tokenizer& student, const llm::Tokenizer& teacher,
                   const llm::ModelConfig& student_config, const llm::ModelConfig& teacher_config) {
  const auto refuse = [](const std::string& why) {
    throw invalid_input("the teacher has another tokenizer: " + why +
                        ". Distillation compares the two word by word, so both must read the same "
                        "tokens");
  };
  if (student_config.vocab_size != teacher_config.vocab_size) {
    refuse("it has " + std::to_string(teacher_config.vocab_size) + " words and the student " +
           std::to_string(student_config.vocab_size));
  }
  if (const auto at = first_other_word(student, teacher)) {
    refuse("word " + std::to_string(*at) + " is \"" + std::string(teacher.piece(*at)) +
           "\" and the student's is \"" + std::string(student.piece(*at)) + "\"");
  }
}

TrainResult train_distill(TrainJob& job, const DistillConfig& config,
                          const std::vector<SftTokens>& examples,
                          const std::vector<SftTokens>& eval_examples,
                          const DistillTeacher& teacher) {
  validate(config);
  check_not_empty(examples.size());
  if (config.teacher_top_k > teacher.model.config.vocab_size) {
    throw invalid_input("--teacher-top-k is " + std::to_string(config.teacher_top_k) +
                        " and the teacher knows " +
                        std::to_string(teacher.model.config.vocab_size) + " words");
  }
  HONE_CHECK(config.recorded_teacher == (teacher.recorded != nullptr));
  return Distillation(job, config, examples, eval_examples, teacher).train();
}

}  // namespace hone::train
