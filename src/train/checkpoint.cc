#include "train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "llm/formats/safetensors.h"
#include "tensor/fixed_point.h"
#include "tensor/recipe.h"

namespace hone::train {

namespace {

using llm::SafetensorsEntry;
using llm::SafetensorsWriter;
using tensor::DataType;

// The step and the exponents are small whole numbers: exact in f32, so one file holds everything.
constexpr const char* kNumbers = "hone.numbers";
constexpr float kVersion = 1;
constexpr uint64_t kPieceBytes = uint64_t{16} << 20;
constexpr int kSplit = 1 << 20;  // a step beyond 2^24 keeps its bits in two parts
constexpr int kMostMillions = 1 << 20;

std::span<const std::byte> bytes_of(const float* values, size_t n) {
  return {reinterpret_cast<const std::byte*>(values), n * sizeof(float)};
}

std::vector<float> numbers_of(const Optimizer& optimizer, size_t step) {
  std::vector<float> numbers = {kVersion, static_cast<float>(step / size_t{kSplit}),
                                static_cast<float>(step % size_t{kSplit})};
  for (const llm::Parameter& p : optimizer.trainable().parameters) {
    numbers.push_back(static_cast<float>(p.exponent));
  }
  return numbers;
}

const char* const kKinds[] = {".value", ".exp_avg", ".exp_avg_sq"};

float* storage(Optimizer& optimizer, size_t parameter, size_t kind) {
  if (kind == 0) return optimizer.trainable().parameters[parameter].values;
  OptimizerState& state = optimizer.state()[parameter];
  return kind == 1 ? state.m : state.v;
}

}  // namespace

void write_checkpoint(Env& env, const std::string& path, Optimizer& optimizer, size_t step) {
  SafetensorsWriter writer(env, path);
  const auto& parameters = optimizer.trainable().parameters;
  const std::vector<float> numbers = numbers_of(optimizer, step);
  writer.declare(std::string(kNumbers) + " " + tensor::kRecipe, DataType::kF32, {numbers.size()});
  for (const llm::Parameter& p : parameters) {
    for (const char* kind : kKinds) writer.declare(p.name + kind, DataType::kF32, {p.size});
  }
  writer.append(bytes_of(numbers.data(), numbers.size()));
  for (size_t i = 0; i < parameters.size(); ++i) {
    for (size_t kind = 0; kind < 3; ++kind) {
      writer.append(bytes_of(storage(optimizer, i, kind), parameters[i].size));
    }
  }
  writer.finish();
}

CheckpointOrigin read_checkpoint(Env& env, const std::string& path, Optimizer& optimizer,
                                 bool accept_recipe) {
  const std::vector<SafetensorsEntry> layout = llm::read_safetensors_layout(env, path);
  std::map<std::string, const SafetensorsEntry*> by_name;
  for (const SafetensorsEntry& entry : layout) by_name[entry.name] = &entry;
  const auto find = [&](const std::string& name, size_t size) {
    const auto found = by_name.find(name);
    if (found == by_name.end() || found->second->bytes != size * sizeof(float)) {
      throw corrupt_data(path + " has no " + name + " of " + std::to_string(size) +
                         " values: it belongs to another model or other LoRA settings");
    }
    return found->second;
  };
  // Piece by piece: the file in memory beside the state would be the run's peak.
  const auto read = [&](const SafetensorsEntry& entry, float* to) {
    for (uint64_t done = 0; done < entry.bytes;) {
      const uint64_t count = std::min(entry.bytes - done, kPieceBytes);
      const std::string piece = env.read_range(path, entry.offset + done, count);
      if (piece.size() != count) {
        throw corrupt_data(path + " became shorter while it was read: resume again");
      }
      std::memcpy(reinterpret_cast<char*>(to) + done, piece.data(), count);
      done += count;
    }
  };
  auto& parameters = optimizer.trainable().parameters;
  std::vector<float> numbers(3 + parameters.size());
  const std::string prefix = std::string(kNumbers) + " ";
  const auto named = by_name.lower_bound(prefix);
  if (named == by_name.end() || !named->first.starts_with(prefix)) {
    throw corrupt_data(path + " has no " + kNumbers + ": it is not a checkpoint of hone");
  }
  const std::string& numbers_name = named->first;
  const std::string recipe = numbers_name.substr(prefix.size());
  if (recipe != tensor::kRecipe && !accept_recipe) {
    throw Error(ErrorCode::kConflict,
                path + " was written by numerics recipe " + recipe + ", this program computes by " +
                    tensor::kRecipe +
                    ": continue it with the program that wrote it, or with --accept-recipe (the "
                    "run can then be replayed from this checkpoint on only)");
  }
  read(*find(numbers_name, numbers.size()), numbers.data());
  const auto whole = [&](float number, int least, int most) {
    if (!(number >= static_cast<float>(least) && number <= static_cast<float>(most)) ||
        number != std::trunc(number)) {
      throw corrupt_data(path +
                         " is damaged: its step or exponents are no numbers that belong there; "
                         "remove its folder, and --resume goes on from the checkpoint before");
    }
    return static_cast<int>(number);
  };
  const size_t step = static_cast<size_t>(whole(numbers[1], 0, kMostMillions)) * size_t{kSplit} +
                      static_cast<size_t>(whole(numbers[2], 0, kSplit - 1));
  // Nothing is changed before everything is known to be there.
  for (const llm::Parameter& p : parameters) {
    for (const char* kind : kKinds) find(p.name + kind, p.size);
    whole(numbers[3 + static_cast<size_t>(&p - parameters.data())], tensor::kFixedMinExponent,
          tensor::kFixedMaxExponent);
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].exponent = static_cast<int>(numbers[3 + i]);
    for (size_t kind = 0; kind < 3; ++kind) {
      read(*find(parameters[i].name + kKinds[kind], parameters[i].size),
           storage(optimizer, i, kind));
    }
  }
  optimizer.values_changed();
  return {step, recipe};
}

}  // namespace hone::train
