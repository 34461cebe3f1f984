#include "train/shared_rewards.h"

#include "train/rank_bytes.h"

namespace hone::train {

namespace {

using Values = std::vector<std::optional<double>>;

std::string to_bytes(const Values& values) {
  RankWriter writer;
  for (const std::optional<double>& value : values) {
    writer.value(static_cast<unsigned char>(value ? 1 : 0));
    writer.value(value.value_or(0));
  }
  return writer.take();
}

void append(const std::string& bytes, Values& values) {
  RankReader reader(bytes);
  while (!reader.done()) {
    const bool is_there = reader.value<unsigned char>() != 0;
    const auto value = reader.value<double>();
    values.push_back(is_there ? std::optional<double>(value) : std::nullopt);
  }
}

Values values_of(Communicator& ranks, reward::RewardFunction& function,
                 std::span<const reward::Sample> samples, std::span<const size_t> begin) {
  Values values;
  if (!function.judges_alone()) {
    append(ranks.broadcast(ranks.leads() ? to_bytes(reward::score_one(function, samples)) : ""),
           values);
    return values;
  }
  const size_t rank = ranks.rank();
  const auto own = samples.subspan(begin[rank], begin[rank + 1] - begin[rank]);
  const Values mine = own.empty() ? Values() : reward::score_one(function, own);
  for (const std::string& bytes : ranks.gather(to_bytes(mine))) append(bytes, values);
  return values;
}

}  // namespace

std::vector<Values> score_shared(Communicator& ranks, const reward::Functions& functions,
                                 std::span<const reward::Sample> samples,
                                 std::span<const size_t> begin) {
  if (ranks.size() == 1) return reward::score_all(functions, samples);
  std::vector<Values> out(samples.size());
  for (const auto& function : functions) {
    const Values values = values_of(ranks, *function, samples, begin);
    HONE_CHECK(values.size() == samples.size());
    for (size_t i = 0; i < samples.size(); ++i) out[i].push_back(values[i]);
  }
  return out;
}

}  // namespace hone::train
