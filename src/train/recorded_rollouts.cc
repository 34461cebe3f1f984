#include "train/recorded_rollouts.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"
#include "base/error.h"
#include "tensor/math.h"
#include "train/online_config.h"

namespace hone::train {

namespace {

constexpr const char* kOneReward = "reward";
constexpr double kLeast = -1e6;  // no sampler draws what is less likely

std::string place_of(const data::Row& row) { return row.file + ":" + std::to_string(row.line); }

[[noreturn]] void refuse(const data::Row& row, const std::string& why) {
  throw invalid_input(place_of(row) + ": " + why);
}

// The reward of a row that is recorded and judged by no function here.
class Recorded : public reward::RewardFunction {
 public:
  explicit Recorded(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  std::vector<std::optional<double>> score(std::span<const reward::Sample>) override {
    throw invalid_input("the reward " + name_ +
                        " was recorded with the rollouts: it cannot judge other answers");
  }

 private:
  std::string name_;
};

// A number a token, none above `most`.
std::vector<float> numbers_of(const data::Row& row, const char* key, double most) {
  const Json* list = row.provenance.find(key);
  if (list == nullptr || !list->is_array()) {
    refuse(row, std::string("\"") + key + "\" is not a list of numbers, one for each of " +
                    "completion_ids");
  }
  if (list->size() != row.completion_ids.size()) {
    refuse(row, std::string("\"") + key + "\" has " + std::to_string(list->size()) +
                    " numbers for " + std::to_string(row.completion_ids.size()) +
                    " completion_ids: give one each");
  }
  std::vector<float> numbers;
  for (const Json& value : list->as_array()) {
    const double number = value.is_number() ? value.as_double() : std::nan("");
    if (!(number >= kLeast && number <= most)) {
      refuse(row, std::string("\"") + key + "\" holds " + value.dump() + ": it must be a number, " +
                      number_to_string(most) + " at most");
    }
    numbers.push_back(static_cast<float>(number));
  }
  return numbers;
}

Reward reward_of(const data::Row& row, const std::string& name, const Json& value) {
  if (value.is_null()) return std::nullopt;
  if (!value.is_number() || !std::isfinite(value.as_double())) {
    refuse(row, "the reward \"" + name + "\" is " + value.dump() + ": it must be a number or null");
  }
  return value.as_double();
}

// Names and values; nothing when the row has none.
std::vector<std::pair<std::string, Reward>> rewards_of(const data::Row& row) {
  std::vector<std::pair<std::string, Reward>> rewards;
  const Json* one = row.provenance.find("reward");
  const Json* several = row.provenance.find("rewards");
  if (one != nullptr && several != nullptr) refuse(row, "it has \"reward\" and \"rewards\"");
  if (one != nullptr) rewards.emplace_back(kOneReward, reward_of(row, kOneReward, *one));
  if (several == nullptr) return rewards;
  if (!several->is_object() || several->as_object().empty()) {
    refuse(row, "\"rewards\" is not an object of numbers by name");
  }
  for (const auto& [name, value] : several->as_object()) {
    rewards.emplace_back(name, reward_of(row, name, value));
  }
  return rewards;
}

std::string group_name(const data::Row& row) {
  const Json* group = row.provenance.find("group");
  if (group == nullptr || !(group->is_string() || group->is_integer())) {
    refuse(row, "\"group\" is not a text or a whole number: it says which answers belong together");
  }
  return group->dump();
}

class Reader {
 public:
  explicit Reader(const RolloutReader& options) : options_(options) {}

  void add(const data::Row& row) {
    const std::string group = group_name(row);
    if (out_.groups.empty() || group != group_) {
      if (!seen_.insert(group).second) {
        refuse(row, "rows of group " + group + " do not stand together");
      }
      end_group();
      begin_group(row, group);
    } else if (row.prompt_ids != out_.prompts.back().ids) {
      refuse(row, "its group " + group + " began with another prompt");
    }
    out_.groups.back().completions.push_back(completion_of(row));
    out_.where.back().push_back(place_of(row));
  }

  RecordedRollouts finish() {
    end_group();
    if (out_.groups.empty()) throw invalid_input("there are no rollouts in the file");
    for (const std::string& name : names_) {
      out_.rewards.push_back(std::make_unique<Recorded>(name));
    }
    out_.has_rewards = !names_.empty();
    return std::move(out_);
  }

 private:
  void begin_group(const data::Row& row, const std::string& group) {
    group_ = group;
    llm::PromptTokens prompt;
    prompt.ids = row.prompt_ids;
    prompt.name = data::row_name(row);
    prompt.where = place_of(row);
    prompt.columns = row.provenance;
    check_ids(row, row.prompt_ids, "prompt_ids");
    if (options_.tokenizer != nullptr) prompt.text = options_.tokenizer->decode(prompt.ids);
    out_.prompts.push_back(std::move(prompt));
    out_.groups.push_back({out_.groups.size(), {}});
    out_.where.emplace_back();
  }

  void end_group() {
    if (out_.groups.empty()) return;
    const size_t count = out_.groups.back().completions.size();
    if (count == options_.num_generations) return;
    throw invalid_input(out_.where.back().front() + ": its group " + group_ + " has " +
                        std::to_string(count) + " answers and --num-generations is " +
                        std::to_string(options_.num_generations) + ": they must be equal");
  }

  void check_ids(const data::Row& row, const std::vector<int32_t>& ids, const char* key) const {
    if (ids.empty()) refuse(row, std::string("\"") + key + "\" is empty");
    for (int32_t id : ids) {
      if (id >= 0 && static_cast<size_t>(id) < options_.vocab_size) continue;
      refuse(row, std::string("\"") + key + "\" holds " + std::to_string(id) +
                      ", and the model knows 0 to " + std::to_string(options_.vocab_size - 1));
    }
  }

  Completion completion_of(const data::Row& row) {
    check_ids(row, row.completion_ids, "completion_ids");
    if (row.completion_ids.size() > options_.max_completion_length) {
      refuse(row, "its answer has " + std::to_string(row.completion_ids.size()) +
                      " tokens and --max-completion-length is " +
                      std::to_string(options_.max_completion_length));
    }
    if (row.prompt_ids.size() + row.completion_ids.size() > options_.context_length) {
      refuse(row, "prompt and answer are longer than the model's context of " +
                      std::to_string(options_.context_length));
    }
    Completion c;
    c.ids = row.completion_ids;
    c.log_probs = numbers_of(row, "logprobs", 0);
    if (row.provenance.find("kept_mass") != nullptr) {
      c.kept = numbers_of(row, "kept_mass", 1);
      for (size_t t = 0; t < c.kept.size(); ++t) {
        if (!(c.kept[t] > 0)) refuse(row, "\"kept_mass\" must be above 0");
        c.log_probs[t] += static_cast<float>(tensor::log_f64(static_cast<double>(c.kept[t])));
      }
    }
    const auto& ends = options_.end_of_generation;
    c.ended = std::find(ends.begin(), ends.end(), c.ids.back()) != ends.end();
    if (options_.tokenizer != nullptr) {
      c.text = options_.tokenizer->decode(std::span(c.ids).first(c.ids.size() - (c.ended ? 1 : 0)));
    }
    take_rewards(row, c);
    return c;
  }

  void take_rewards(const data::Row& row, Completion& c) {
    const auto rewards = rewards_of(row);
    std::vector<std::string> names;
    for (const auto& [name, value] : rewards) {
      names.push_back(name);
      c.rewards.push_back(value);
    }
    if (!began_) names_ = names;
    began_ = true;
    if (names == names_) return;
    refuse(row,
           "it has other rewards than the rows before: all rows carry the same, in one order, "
           "or none");
  }

  const RolloutReader& options_;
  RecordedRollouts out_;
  std::string group_;
  std::set<std::string> seen_;
  std::vector<std::string> names_;
  bool began_ = false;
};

}  // namespace

RecordedRollouts recorded_rollouts(const std::vector<data::Row>& rows,
                                   const RolloutReader& options) {
  Reader reader(options);
  for (const data::Row& row : rows) reader.add(row);
  return reader.finish();
}

double check_rollouts(tensor::Compute& compute, const llm::Model& model,
                      const RecordedRollouts& rollouts, const OnlineConfig& config,
                      double tolerance) {
  std::vector<llm::TreeExample> trees;
  for (const Group& group : rollouts.groups) {
    trees.push_back(
        group_tree(rollouts.prompts[group.prompt].ids, group.completions, config.prefix_sharing));
  }
  llm::TrainingPass pass(compute, model, nullptr,
                         std::max(config.max_tokens_per_pass, llm::least_pass_rows(trees)),
                         llm::PassOptions{true});
  pass.set_head_scale(head_scale(config.temperature));
  double largest = 0;
  llm::score_trees(pass, trees, [&](size_t g, const llm::TreeResult& result) {
    size_t at = 0;
    for (size_t k = 0; k < rollouts.groups[g].completions.size(); ++k) {
      const Completion& c = rollouts.groups[g].completions[k];
      for (size_t t = 0; t < c.ids.size(); ++t, ++at) {
        const double now = static_cast<double>(result.log_probs[at]);
        const double then = static_cast<double>(c.log_probs[t]);
        const double off = std::abs(now - then);
        largest = std::max(largest, off);
        if (off <= tolerance) continue;
        throw invalid_input(
            rollouts.where[g][k] + ": completion_ids[" + std::to_string(t) + "] (" +
            std::to_string(c.ids[t]) + ") was recorded with log-probability " +
            number_to_string(then) + " and has " + number_to_string(now) +
            " under --model at --temperature " + number_to_string(config.temperature) +
            ": give the model, temperature and token ids that it was drawn with, or raise "
            "--rollout-tolerance (" +
            number_to_string(tolerance) + ")");
      }
    }
  });
  return largest;
}

}  // namespace hone::train
