// hone replay RUN: computes steps of a run again and compares them to the bit.

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "cli/replay_run.h"
#include "tensor/recipe.h"

namespace hone::cli {

namespace {

struct StepRange {
  size_t first = 1, last = 0;
};

// "5:8", "5:", ":8" or "5", inside the run's steps.
StepRange parse_steps(const std::string& text, size_t begin, size_t done) {
  StepRange range{begin, done};
  if (text.empty()) return range;
  const auto number = [&](const std::string& part, size_t otherwise) {
    if (part.empty()) return otherwise;
    size_t value = 0;
    const char* end = part.data() + part.size();
    const auto [stop, status] = std::from_chars(part.data(), end, value);
    if (status != std::errc() || stop != end) {
      throw invalid_input("--steps \"" + text + "\" is not a range: write 5:8, 5: or 5");
    }
    return value;
  };
  const size_t colon = text.find(':');
  range.first = number(text.substr(0, colon), begin);
  range.last = colon == std::string::npos ? range.first : number(text.substr(colon + 1), done);
  if (range.first < begin || range.first > range.last || range.last > done) {
    throw invalid_input("--steps " + text + " is not in this run: it has steps " +
                        std::to_string(begin) + " to " + std::to_string(done) +
                        (begin > 1 ? " of this program's recipe" : ""));
  }
  return range;
}

size_t oldest_checkpoint(const std::string& run) {
  size_t oldest = 0;
  for (size_t first = SIZE_MAX; first > 1; first = oldest) {
    const Checkpoint found = nearest_checkpoint(run, first);
    if (found.step == 0) break;
    oldest = found.step;
  }
  return oldest;
}

struct Difference {
  size_t step = 0;
  std::string what, then, now;
};

bool same_bits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

std::optional<Difference> first_difference(const std::vector<train::StepRecord>& then,
                                           const std::vector<train::StepRecord>& now) {
  for (const train::StepRecord& fresh : now) {
    const auto old = std::find_if(then.begin(), then.end(), [&](const train::StepRecord& record) {
      return record.step == fresh.step;
    });
    if (old == then.end()) return Difference{fresh.step, "step", "missing", "computed"};
    if (!same_bits(old->loss, fresh.loss)) {
      return Difference{fresh.step, "loss", number_to_string(old->loss),
                        number_to_string(fresh.loss)};
    }
    if (!same_bits(old->grad_norm, fresh.grad_norm)) {
      return Difference{fresh.step, "grad_norm", number_to_string(old->grad_norm),
                        number_to_string(fresh.grad_norm)};
    }
    if (old->hash != fresh.hash) return Difference{fresh.step, "hash", old->hash, fresh.hash};
  }
  return std::nullopt;
}

// Behind the steps of earlier recipes (--accept-recipe), whose last checkpoint must still be there.
size_t first_replayable_step(const std::string& run, const data::RunManifest& manifest) {
  if (manifest.earlier_recipes.empty()) return 1;
  const size_t first = manifest.earlier_recipes.back().last_step + 1;
  if (nearest_checkpoint(run, first).step + 1 == first) return first;
  const size_t oldest = oldest_checkpoint(run);
  if (oldest < first) {
    throw invalid_input(run + " went on with another numerics recipe after step " +
                        std::to_string(first - 1) +
                        ", and no checkpoint from there on is left: nothing can be replayed");
  }
  return oldest + 1;
}

void check_replayable(const std::string& run, const data::RunManifest& manifest) {
  constexpr std::array<std::string_view, 12> kMethods = {"sft",  "dpo",  "reward",     "ppo",
                                                         "grpo", "rloo", "online_dpo", "orpo",
                                                         "cpo",  "kto",  "distill",    "jepa"};
  if (std::find(kMethods.begin(), kMethods.end(), manifest.method) == kMethods.end()) {
    throw invalid_input(run + " is a run of " + manifest.method +
                        ", which hone replay does not know");
  }
  if (!manifest.seeds.contains("seed")) throw invalid_input(run + ": the manifest has no seed");
  if (manifest.recipe != tensor::kRecipe) {
    throw Error(ErrorCode::kConflict, run + " was computed by recipe " + manifest.recipe +
                                          ", this program has " + tensor::kRecipe +
                                          ": replay it with hone " + manifest.program_version +
                                          " (" + manifest.program_commit + ")");
  }
}

void print(const std::string& run, size_t begins_after, size_t last, size_t count,
           const std::optional<Difference>& difference, bool json) {
  if (json) {
    Json out = Json::object();
    out["run"] = run;
    out["first_step"] = uint64_t{begins_after + 1};
    out["last_step"] = uint64_t{last};
    out["steps"] = uint64_t{count};
    out["equal"] = !difference.has_value();
    if (difference) {
      Json at = Json::object();
      at["step"] = uint64_t{difference->step};
      at["field"] = difference->what;
      at["then"] = difference->then;
      at["now"] = difference->now;
      out["first_difference"] = std::move(at);
    }
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  const std::string from =
      begins_after == 0 ? "from the start" : "from checkpoint step-" + std::to_string(begins_after);
  if (!difference) {
    std::printf("equal to the bit: steps %zu to %zu, computed again %s\n", begins_after + 1, last,
                from.c_str());
    return;
  }
  std::printf("DIFFERS first at step %zu: %s was %s, is now %s (computed again %s)\n",
              difference->step, difference->what.c_str(), difference->then.c_str(),
              difference->now.c_str(), from.c_str());
}

}  // namespace

int run_replay(const Arguments& arguments) {
  ReplayFlags flags;
  Options options("replay", "computes steps of a run again and compares them to the bit.",
                  "RUN [--steps a:b]");
  options.example("hone replay run", "every step: exit 0 when all are equal, 3 when not");
  options.example("hone replay run --steps 40:45", "from the nearest checkpoint before step 40");
  options.example("hone replay run --model m.gguf --data pairs.jsonl",
                  "when the files have moved; their digests are checked");
  options.text("steps", &flags.steps, "A:B", "first and last step; empty = all");
  options.text("model", &flags.model, "MODEL", "empty = where the run says it was");
  options.text("data", &flags.data, "FILE", "empty = where the run says it was");
  options.text("ref-model", &flags.ref_model, "MODEL", "of a run that had one");
  options.text("teacher", &flags.teacher, "MODEL",
               "of a distillation: the teacher, or the file of what it said");
  options.text("value-model", &flags.value_model, "MODEL", "of a run of ppo that had one");
  options.texts("reward", &flags.rewards, "SPEC",
                "of a run whose reward is a program: the same again");
  options.text("temporary-dir", &flags.temporary_dir, "DIR", "where a copy of the run is computed");
  flags.common.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() != 1) throw invalid_input("hone replay needs one RUN (a run's folder)");
  const std::string& run = words[0];
  const data::RunManifest manifest = train::RunDirectory::read_manifest(real_env(), run);
  check_replayable(run, manifest);
  if (!real_env().exists(run + "/steps.jsonl")) throw invalid_input(run + " has no steps yet");
  const auto then = train::RunDirectory::read_steps(real_env(), run);
  if (then.empty()) throw invalid_input(run + " has no steps yet");
  const size_t first = first_replayable_step(run, manifest);
  const StepRange range = parse_steps(flags.steps, first, then.back().step);
  interrupted();  // sets the handlers
  const Checkpoint checkpoint = nearest_checkpoint(run, range.first);
  const auto now = replay_steps(run, flags, manifest, checkpoint, range.last);
  const auto difference = first_difference(then, now);
  print(run, checkpoint.step, range.last, now.size(), difference, flags.common.json);
  return difference ? 3 : 0;
}

}  // namespace hone::cli
