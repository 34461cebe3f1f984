#include "train/row_steps.h"

#include <algorithm>

#include "train/dealt_trees.h"

namespace hone::train {

namespace {

Json evaluate(TrainingRun& run, const Rows& eval, size_t step, size_t num_tokens) {
  std::vector<size_t> all(eval.trees.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  eval.loss->begin(all, run.pass());
  score_trees(run.ranks(), run.pass(), eval.trees,
              [&](size_t i, const llm::TreeResult& result) { eval.loss->row(i, result, {}); });
  RowBatch batch = eval.loss->end("eval_");
  Json line = Json::object();
  line["step"] = uint64_t{step};
  line["eval_loss"] = batch.loss;
  for (auto& [key, value] : batch.metrics.as_object()) line[key] = std::move(value);
  line["eval_num_tokens"] = uint64_t{num_tokens};
  return line;
}

}  // namespace

TrainResult train_rows(TrainingRun& run, const TrainConfig& config, const Rows& rows,
                       const Rows& eval) {
  std::vector<size_t> sizes;
  size_t eval_rows = 0, work_rows = 0, num_tokens = 0;
  for (const llm::TreeExample& tree : rows.trees) sizes.push_back(tree.tree.row_count());
  for (const llm::TreeExample& tree : eval.trees) eval_rows += tree.tree.row_count();
  const size_t total = total_steps(config, sizes.size());
  const double per_epoch = static_cast<double>(steps_per_epoch(config, sizes.size()));
  const WorkShare work(config, sizes, total, eval_rows);
  DataOrder order(config, sizes.size());
  const size_t done = run.restore();
  size_t step = done;
  if (done == 0) run.begin(0, 0);
  for (size_t s = 1; s <= total; ++s) {
    const std::span<const size_t> chosen = order.rows_of_step(s);
    for (size_t i : chosen) {
      num_tokens += rows.tokens[i];
      work_rows += sizes[i];
    }
    if (s == done) run.begin(done, work.done(s, work_rows));
    if (s <= done) continue;
    if (rows.loss->reads_words()) run.watch_mean_logits(run.logs(s, total));
    std::vector<llm::TreeExample> batch = rows.loss->trees_of_step(s, chosen);
    if (batch.empty()) {
      for (size_t i : chosen) batch.push_back(rows.trees[i]);
    }
    rows.loss->begin(chosen, run.pass());
    const auto loss = [&](size_t place, const llm::TreeResult& result,
                          std::span<float> coefficients) {
      rows.loss->row(place, result, coefficients);
    };
    KnownCoefficients known;
    if (rows.loss->slopes_are_known()) {
      known = [&](size_t place, std::span<float> coefficients) {
        rows.loss->known(place, coefficients);
      };
    }
    const Accumulated gradients =
        accumulate_gradients(run.pass(), run.optimizer(), batch, loss, s, known);
    RowBatch sums = rows.loss->end("");
    sums.metrics["num_tokens"] = uint64_t{num_tokens};
    StepEnd end;
    end.step = s;
    end.total_steps = total;
    end.loss = sums.loss;
    end.normaliser = sums.normaliser;
    end.gradients = gradients;
    end.share_done = work.done(s, work_rows);
    end.epoch = static_cast<double>(s) / per_epoch;
    end.metrics = std::move(sums.metrics);
    if (!eval.trees.empty()) {
      end.evaluate = [&](size_t at) { return evaluate(run, eval, at, num_tokens); };
    }
    step = s;
    if (!run.end_step(end)) break;
  }
  return run.finish(step, total);
}

TrainResult train_rows(TrainJob& job, const TrainConfig& config, const std::string& method,
                       const Json& settings, const Rows& rows, const Rows& eval,
                       const TrainedHeads& heads) {
  check_not_empty(rows.trees.size());
  TrainingRun run(job, config, make_manifest(method, config, settings, job.manifest),
                  std::max(rows.largest_pass(), eval.largest_pass()), heads);
  return train_rows(run, config, rows, eval);
}

}  // namespace hone::train
