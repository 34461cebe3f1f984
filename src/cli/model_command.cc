// hone model info | export | quantize | merge | prune: model files in and out, without running the model.
// Its other words are about names in a data folder (admin_models.cc).

#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/model_files.h"
#include "cli/value_input.h"
#include "llm/formats/adapter.h"
#include "llm/formats/layer_choice.h"

namespace hone::cli {

namespace {

// An adapter from PEFT's form to GGUF's, or back: the same numbers.
int export_adapter(const OutputFlags& flags, const std::string& base) {
  if (base.empty()) {
    throw invalid_input(flags.model +
                        " is an adapter: name the model that it stands on with --base");
  }
  if (!flags.type.empty())
    throw invalid_input("--type is about models: adapters are written as F32");
  const llm::ModelConfig config = llm::ModelFile::open(base)->config();
  llm::Adapter adapter = llm::read_adapter(flags.model, config);
  if (adapter.base_model.empty()) adapter.base_model = base;
  if (is_gguf_name(flags.output)) {
    llm::write_gguf_adapter(real_env(), flags.output, adapter, config);
  } else {
    llm::write_adapter(real_env(), flags.output, adapter);
  }
  const std::string digest = model_digest(flags.output);
  if (flags.common.json) {
    Json json = Json::object();
    json["output"] = flags.output;
    json["maps"] = uint64_t{adapter.pairs.size()};
    json["digest"] = digest;
    std::printf("%s\n", json.dump().c_str());
  } else {
    std::printf("%s: %zu maps, sha256 %s\n", flags.output.c_str(), adapter.pairs.size(),
                digest.c_str());
  }
  return 0;
}

int export_model(const Arguments& arguments) {
  OutputFlags flags;
  std::string base;
  Options options("model export", "a model in another format: GGUF or a Hugging Face folder.",
                  "M --output DIR|FILE.gguf");
  options.example("hone model export m.gguf --output folder --type BF16",
                  "what transformers and other trainers read");
  options.example("hone model export folder --output m.gguf --type F16", "what llama.cpp reads");
  options.example("hone model export run/final --base m.gguf --output adapter.gguf",
                  "an adapter as llama.cpp reads it; a folder as --output: as PEFT does");
  options.text("base", &base, "M", "the model that an adapter stands on");
  flags.add_to(options, false,
               "F32, F16, BF16, and in GGUF Q8_0, Q4_0, Q4_1; empty = the source's, F32 when it is "
               "quantised");
  if (!flags.parse(options, arguments, "hone model export")) return 0;
  if (names_adapter(flags.model)) return export_adapter(flags, base);
  if (!base.empty())
    throw invalid_input("--base is about adapters, and " + flags.model + " is none");
  const auto file = open_model_file(flags.model);
  return write_model(flags, *file, llm::rows_of(*file));
}

int quantize(const Arguments& arguments) {
  OutputFlags flags;
  Options options("model quantize", "a smaller GGUF file of a model.",
                  "M --type Q8_0 --output FILE.gguf");
  options.example("hone model quantize folder --type Q8_0 --output m.gguf",
                  "8 bits a weight: hardly a loss");
  options.example("hone model quantize m-f16.gguf --type Q4_1 --output m-q4.gguf",
                  "5 bits a weight: smallest");
  flags.add_to(options, false, "F16, BF16, Q8_0, Q4_0 or Q4_1");
  if (!flags.parse(options, arguments, "hone model quantize")) return 0;
  options.require("type", flags.type);
  if (!is_gguf_name(flags.output)) {
    throw invalid_input("--output " + flags.output +
                        ": quantised models are GGUF files; name it "
                        "FILE.gguf");
  }
  const auto file = open_model_file(flags.model);
  return write_model(flags, *file, llm::rows_of(*file));
}

int prune(const Arguments& arguments) {
  OutputFlags flags;
  std::vector<std::string> layers;
  Options options("model prune",
                  "a model without some of its layers, to be taught by the whole one.",
                  "M --drop-layers 24,25 --output FILE.gguf");
  options.example("hone model prune m.gguf --drop-layers 21,22,23,24,25,26 --output small.gguf",
                  "a student for hone train distill --teacher m.gguf");
  flags.add_to(options, false,
               "F32, F16, BF16, and in GGUF Q8_0, Q4_0, Q4_1; empty = the source's, F32 when it is "
               "quantised");
  options.list("drop-layers", &layers, "N,..", "layers to leave out, counted from 0");
  if (!flags.parse(options, arguments, "hone model prune")) return 0;
  if (layers.empty()) throw invalid_input("--drop-layers names no layer");
  std::vector<size_t> dropped;
  for (const std::string& layer : layers) {
    size_t number = 0;
    const char* end = layer.data() + layer.size();
    const auto [stop, status] = std::from_chars(layer.data(), end, number);
    if (status != std::errc() || stop != end) {
      throw invalid_input("--drop-layers: \"" + layer + "\" is not a layer's number");
    }
    dropped.push_back(number);
  }
  const auto file = open_model_file(flags.model);
  const llm::LayerChoice choice(file->config(), dropped);
  return write_model(flags, *file, choice.rows(llm::rows_of(*file)), &choice.config());
}

// Rows of W + scale * B A, with DoRA scaled to their magnitude; all is summed in f64 and rounded once.
llm::RowReader merged_rows(const llm::ModelFile& file, const llm::Adapter& adapter) {
  std::map<std::string, const llm::LoraTensorPair*, std::less<>> pairs;
  for (const llm::LoraTensorPair& pair : adapter.pairs) pairs[pair.module + ".weight"] = &pair;
  return [read = llm::rows_of(file), pairs = std::move(pairs)](std::string_view name, size_t row,
                                                               float* out) {
    read(name, row, out);
    const auto found = pairs.find(name);
    if (found == pairs.end()) return;
    const llm::LoraTensorPair& pair = *found->second;
    std::vector<double> change(pair.in, 0.0);
    for (size_t r = 0; r < pair.r; ++r) {
      const double b = static_cast<double>(pair.b[row * pair.r + r]);
      for (size_t k = 0; k < pair.in; ++k) {
        change[k] += b * static_cast<double>(pair.a[r * pair.in + k]);
      }
    }
    double squares = 0;
    for (size_t k = 0; k < pair.in; ++k) {
      change[k] = static_cast<double>(out[k]) + static_cast<double>(pair.scale) * change[k];
      squares += change[k] * change[k];
    }
    const bool dora = !pair.magnitude.empty() && squares > 0;
    const double gain = dora ? static_cast<double>(pair.magnitude[row]) / std::sqrt(squares) : 1;
    for (size_t k = 0; k < pair.in; ++k) out[k] = static_cast<float>(gain * change[k]);
  };
}

int merge(const Arguments& arguments) {
  OutputFlags flags;
  Options options("model merge", "a model with an adapter's changes written into its weights.",
                  "M --adapter A --output DIR|FILE.gguf");
  options.example("hone model merge m.gguf --adapter run/final --output merged.gguf --type Q8_0",
                  "one file for any GGUF server");
  options.example("hone model merge folder --adapter run/final --output merged",
                  "a Hugging Face folder");
  flags.add_to(options, true,
               "F32, F16, BF16, and in GGUF Q8_0, Q4_0, Q4_1; empty = the source's, F32 when it is "
               "quantised");
  if (!flags.parse(options, arguments, "hone model merge")) return 0;
  options.require("adapter", flags.adapter);
  const auto file = open_model_file(flags.model);
  const llm::Adapter adapter = llm::read_adapter(flags.adapter, file->config());
  const int code = write_model(flags, *file, merged_rows(*file, adapter));
  if (!flags.common.quiet) {
    std::fprintf(stderr,
                 "note: a merged model rounds otherwise than base and adapter computed apart, so "
                 "its answers can differ in their last bits\n");
  }
  return code;
}

}  // namespace

constexpr char kAdd[] = "add", kList[] = "list", kRemove[] = "remove", kPromote[] = "promote",
               kSplit[] = "split", kRollback[] = "rollback", kGate[] = "gate",
               kHistory[] = "history";

template <const char* kObject>
int in_registry(const Arguments& arguments) {
  return run_registry(kObject, arguments);
}

int run_model(const Arguments& arguments) {
  constexpr Object kObjects[] = {
      {"info", "sizes, types, tokenizer, digest, memory", model_info},
      {"export", "another format: GGUF, or a Hugging Face folder", export_model},
      {"quantize", "a smaller GGUF file", quantize},
      {"merge", "an adapter written into the weights", merge},
      {"prune", "a smaller model: some layers left out", prune},
      {"add", "a model or adapter under a name, for serving", in_registry<kAdd>},
      {"list", "names, digests, and what each alias answers with", in_registry<kList>},
      {"remove", "a name given up; the files stay", in_registry<kRemove>},
      {"promote", "an alias moved to a model, through its gate", in_registry<kPromote>},
      {"split", "an alias shared between models by weight", in_registry<kSplit>},
      {"rollback", "an alias moved back", in_registry<kRollback>},
      {"gate", "the rule by which an alias may move", in_registry<kGate>},
      {"history", "every decision about an alias", in_registry<kHistory>},
  };
  return run_object("model", "model files in and out, and models by name.", kObjects, arguments);
}

}  // namespace hone::cli
