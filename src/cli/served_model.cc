#include "cli/served_model.h"

#include <algorithm>
#include <filesystem>
#include <future>

#include "api/routes.h"
#include "base/error.h"
#include "cli/digest_cache.h"
#include "llm/formats/model_file.h"
#include "seal/digest.h"
#include "tensor/recipe.h"

namespace hone::cli {
namespace {

constexpr size_t kLoraRankMax = 64;
constexpr size_t kAtOnceMax = 1024;
constexpr size_t kKeepHoursMax = 8760;
constexpr size_t kContextMax = size_t{1} << 26;

std::string name_of(const std::string& path) {
  std::filesystem::path name(absolute_path(path));
  if (name.filename().empty()) name = name.parent_path();
  return name.extension() == ".gguf" ? name.stem().string() : name.filename().string();
}

std::pair<std::string, std::string> parse_adapter(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    throw invalid_input("--adapter " + text + " must be NAME=DIR, such as tone=runs/tone/final");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void check(const ServingFlags& flags) {
  const auto within = [](const char* option, size_t value, size_t most) {
    if (value >= 1 && value <= most) return;
    throw invalid_input(std::string("--") + option + " must be from 1 to " + std::to_string(most));
  };
  within("context-tokens", flags.context_tokens, kContextMax);
  if (flags.kept_tokens > flags.context_tokens) {
    throw invalid_input("--kept-tokens " + std::to_string(flags.kept_tokens) +
                        " are more than the --context-tokens that there are, " +
                        std::to_string(flags.context_tokens));
  }
  within("parallel", flags.parallel, kAtOnceMax);
  within("max-waiting", flags.max_waiting, 1'000'000);
  if (flags.keep_hours > kKeepHoursMax) {
    throw invalid_input("--keep-completions must be from 0 to 8760 hours, a year");
  }
  for (const std::string& adapter : flags.adapters) {
    const std::string directory = parse_adapter(adapter).second;
    if (!real_env().exists(directory)) {
      throw not_found("--adapter " + adapter + ": there is no folder or file " + directory);
    }
  }
  if (!flags.adapter_folder.empty() && !real_env().is_directory(flags.adapter_folder)) {
    throw not_found("--adapter-folder " + flags.adapter_folder + ": there is no such folder");
  }
}

// Whoever comes without a key, where that is allowed, sees what the only organisation sees.
std::string only_organisation(api::Platform& platform) {
  label::Identity& identity = platform.identity();
  const auto all =
      identity.read([&](store::Connection& db) { return identity.organisations(db, 0, 2); });
  return all.size() == 1 ? all[0].id : "";
}

openai::Caller caller_of(api::Platform& platform, const http::Request& request, bool no_auth,
                         const std::string& strangers_organisation) {
  try {
    if (const auto known = api::find_model_caller(platform, request, no_auth)) {
      return {.key = known->key,
              .organisation = known->organisation,
              .weight = known->limits.weight,
              .priority = known->limits.priority,
              .may_manage = known->may_manage,
              .models = known->limits.models,
              .requests_per_day = known->limits.requests_per_day,
              .tokens_per_day = known->limits.tokens_per_day};
    }
  } catch (const Error& error) {
    // Whoever may ask without a key may also ask with a useless one.
    if (!no_auth || error.code() != ErrorCode::kForbidden) throw;
  }
  if (no_auth) {
    return {.key = "anybody", .organisation = strangers_organisation, .may_manage = true};
  }
  const std::string next = "hone token create --user WHO --scope infer makes one";
  throw Error(ErrorCode::kUnauthenticated,
              request.headers.contains("Authorization")
                  ? "this key is not known, or has ended: " + next
                  : "send a key, Authorization: Bearer hone_...: " + next);
}

}  // namespace

void ServingFlags::add_to(Options& options) {
  options.section("Answering from a model (/v1)");
  options.list(
      "adapter", &adapters, "NAME=DIR,..",
      "LoRA adapters (PEFT folders, GGUF files), served beside the model under these names");
  options.text("adapter-folder", &adapter_folder, "DIR",
               "/v1/load_lora_adapter takes folders from here, by name; empty = none");
  options.count("context-tokens", &context_tokens,
                "positions of all requests together; decides the memory");
  options.count("kept-tokens", &kept_tokens,
                "positions of these that stay in memory when nobody uses them, to be found again; "
                "0 = a quarter");
  options.count("parallel", &parallel, "answers written at once; more wait");
  options.count("max-waiting", &max_waiting, "requests that may wait; more are told to come again");
  options.count("keep-completions", &keep_hours,
                "hours for which answers can be judged, in memory alone unless the request says "
                "\"store\"; 0 = none is kept");
  options.flag("no-auth", &no_auth, "/v1 needs no key; on a loopback address only");
  options.flag("plan", &plan, "print the memory that serving would take, and stop");
}

feedback::KeepOptions ServingFlags::keep() const {
  feedback::KeepOptions options;
  options.keep_ms = static_cast<int64_t>(keep_hours) * 3'600'000;
  return options;
}

ServedModelFiles::ServedModelFiles(const std::string& model, const ServingFlags& flags,
                                   const CommonOptions& common)
    : flags_(flags), common_(common) {
  check(flags_);
  if (!real_env().exists(model)) {
    throw not_found("--model " + model + ": there is no such file or folder");
  }
  file_ = llm::ModelFile::open(model);
  opened_.path = model;
  opened_.model.config = file_->config();
  opened_.memory = llm::weight_memory(*file_);
  opened_.codec = file_->gguf() != nullptr ? llm::text_codec_from_gguf(*file_->gguf())
                                           : llm::load_text_codec(model);
  if (!opened_.codec) {
    throw invalid_input(model +
                        " has no tokenizer, so it cannot be served: use a model that has one");
  }
  if (opened_.codec->tokenizer().vocab_size() > opened_.model.config.vocab_size) {
    throw corrupt_data(model +
                       ": the tokenizer has more tokens than the embedding has rows: "
                       "tokenizer and weights are of different models");
  }
  engine_.threads = common_.threads;
  engine_.max_running = flags_.parallel;
  engine_.context_tokens = flags_.context_tokens;
  engine_.kept_tokens = flags_.kept_tokens;
  engine_.max_waiting = flags_.max_waiting;
  engine_.max_waiting_per_key = std::max<size_t>(1, flags_.max_waiting / 2);
  engine_.max_lora_rank = kLoraRankMax;  // the registry may bring one at any time
  plan_.add_model(opened_);
  const llm::Batcher::Memory memory = serve::Engine::planned_memory(opened_.model.config, engine_);
  plan_.add("keys and values of " + std::to_string(engine_.context_tokens) + " positions",
            memory.pages);
  plan_.add("activations and logits", memory.passes);
  plan_.add_fleeting(memory.pages - memory.kept_pages);
  for (const std::string& adapter : flags_.adapters) {
    adapter_bytes_ += llm::planned_lora_bytes(real_env(), parse_adapter(adapter).second);
  }
  plan_.add("adapters", adapter_bytes_);
  if (flags_.keep_hours > 0) plan_.add("answers kept to be judged", flags_.keep().total_bytes_max);
}

void ServedModelFiles::load(Env& env, api::Platform& platform, usage::Ledger& ledger,
                            const std::string& data_folder) {
  const std::string path = opened_.path;
  auto digest =
      std::async(std::launch::async, [&] { return cached_digest(env, data_folder, path); });
  {
    tensor::Compute compute(common_.threads);
    opened_.model = llm::load_model(compute, *file_);
  }
  file_.reset();  // nothing reads the user's file any more
  openai::ServiceOptions options;
  options.ledger = &ledger;
  options.engine = engine_;
  options.kept = &platform.kept();
  options.adapter_folder =
      flags_.adapter_folder.empty() ? "" : absolute_path(flags_.adapter_folder);
  // What the limit leaves beside the peak, for those that come while it runs.
  const uint64_t limit = memory_limit(common_), peak = plan_.peak_bytes();
  options.adapter_bytes_max = adapter_bytes_ + (limit > peak ? limit - peak : 0);
  options.authorise = [&platform, no_auth = flags_.no_auth,
                       strangers = flags_.no_auth ? only_organisation(platform)
                                                  : std::string()](const http::Request& request) {
    return caller_of(platform, request, no_auth, strangers);
  };
  options.variant = {.base_digest = digest.get(),
                     .adapter_digest = {},
                     .tokenizer_digest = openai::tokenizer_digest(opened_.codec->tokenizer()),
                     .template_digest = seal::sha256_hex(opened_.codec->template_source()),
                     .recipe = std::string(tensor::kRecipe)};
  openai::ServedModel base;
  base.name = name_of(path);
  base.digest = options.variant.base_digest;
  base.fingerprint = openai::variant_digest(options.variant);
  base.created_s = env.now_ms() / 1000;
  service_ = std::make_unique<openai::Service>(env, opened_.model, *opened_.codec, std::move(base),
                                               std::move(options));
  for (const std::string& adapter : flags_.adapters) {
    const auto [name, directory] = parse_adapter(adapter);
    service_->models().add(service_->load_adapter(name, directory, {}));
  }
}

}  // namespace hone::cli
