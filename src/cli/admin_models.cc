// hone model add | list | remove | promote | split | rollback | gate | history: models by name in a
// data folder, and the aliases that move between them (registry/aliases.h).

#include <charconv>
#include <filesystem>

#include "api/gate_overlap.h"
#include "base/env.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/common.h"
#include "cli/gate_evidence.h"
#include "cli/options.h"
#include "data/run_manifest.h"
#include "label/public_id.h"
#include "registry/aliases.h"
#include "seal/digest.h"

namespace hone::cli {

namespace {

using registry::GateComparison;
using registry::GateEvidence;
using registry::GateSettings;
using registry::Promotion;

constexpr size_t kMostModels = 10'000, kMostDecisions = 1000;
constexpr size_t kShownDigest = 12;

int64_t organisation_key(AdminContext& context, const Where& where) {
  return find_organisation(context.platform, where.organisation).key;
}

registry::Decision decision(AdminContext& context, const std::string& reason) {
  Env& env = context.platform.env();
  return {.id = label::make_public_id(env, "prm"),
          .by = "operator",
          .reason = reason,
          .now_ms = env.now_ms()};
}

template <class F>
auto write(AdminContext& context, F&& f) {
  return context.platform.control().write(store::Durability::kDisk, std::forward<F>(f));
}

std::string text_of(const Promotion& p) {
  std::string text = p.alias + ": " + p.outcome;
  text += p.moved() ? ", version " + std::to_string(p.from_version) + " to " +
                          std::to_string(p.to_version)
                    : ", still version " + std::to_string(p.from_version);
  if (!p.candidate.empty()) text += ", " + p.candidate;
  return text + (p.reason.empty() ? "" : "\n  " + p.reason) + "\n";
}

std::string shown(const Promotion& p, const Where& where) {
  return where.common.json ? p.to_json().dump() + "\n" : text_of(p);
}

// add

std::optional<AdminCommand> model_add(const Arguments& arguments) {
  Where where;
  std::string adapter, base, run;
  bool shared = false;
  Options options("model add", "a model or an adapter under a name, by its digest.",
                  "NAME [MODEL]");
  options.example("hone model add smol models/smol.gguf --shared", "a base that all may use");
  options.example("hone model add polite --adapter runs/polite/final --base smol",
                  "an adapter; its run and data are noted from runs/polite/manifest.json");
  options.text("adapter", &adapter, "DIR", "a PEFT folder, instead of MODEL");
  options.text("base", &base, "NAME", "the model that the adapter stands on");
  options.text("run", &run, "DIR", "where it was trained; empty = the folder above --adapter");
  options.flag("shared", &shared, "for every organisation (bases only)");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  const bool is_adapter = !adapter.empty();
  if (words.size() != (is_adapter ? 1u : 2u)) {
    throw invalid_input(is_adapter ? "hone model add NAME --adapter DIR --base NAME takes one word"
                                   : "hone model add takes a name and a model: NAME MODEL");
  }
  if (is_adapter && base.empty()) throw invalid_input("--adapter needs --base NAME");
  const auto work = [=](AdminContext& context) {
    Env& env = context.platform.env();
    registry::NewModel wanted;
    wanted.id = label::make_public_id(env, "mdl");
    wanted.name = words[0];
    wanted.kind = is_adapter ? registry::ModelKind::kAdapter : registry::ModelKind::kBase;
    wanted.parent = base;
    wanted.path = std::filesystem::path(context.path(is_adapter ? adapter : words[1]))
                      .lexically_normal()
                      .string();
    if (!env.exists(wanted.path)) {
      throw not_found(wanted.path + ": there is no such file or folder");
    }
    wanted.digest = model_digest(wanted.path);
    const std::string folder = !run.empty()
                                   ? context.path(run)
                                   : std::filesystem::path(wanted.path).parent_path().string();
    const std::string manifest_path = folder + "/manifest.json";
    if (env.exists(manifest_path)) {
      const data::RunManifest manifest = data::read_run_manifest(env, manifest_path);
      wanted.origin["run"] = std::filesystem::path(folder).filename().string();
      wanted.origin["method"] = manifest.method;
      if (const auto data = manifest.digests.find("data"); data != manifest.digests.end()) {
        wanted.origin["data"] = data->second;
      }
    } else if (!run.empty()) {
      throw not_found(manifest_path + " is missing: --run must be the folder of a training run");
    }
    const int64_t organisation = shared ? 0 : organisation_key(context, where);
    const auto made = write(context, [&](store::Transaction& tx) {
      return add_model(tx, organisation, wanted, "operator", env.now_ms());
    });
    return where.common.json
               ? made.to_json().dump() + "\n"
               : made.id + "  " + made.name + ", " + std::string(model_kind_name(made.kind)) +
                     ", digest " + made.digest.substr(0, kShownDigest) + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

// list, remove, history

std::optional<AdminCommand> model_list(const Arguments& arguments) {
  Where where;
  Options options("model list", "models, adapters and aliases of an organisation.", "");
  options.example("hone model list", "names, digests, what each alias answers with");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone model list takes no words");
  if (options.show_help()) return std::nullopt;
  const auto work = [=](AdminContext& context) {
    const int64_t organisation = organisation_key(context, where);
    return context.platform.control().read([&](store::Connection& db) {
      std::string text;
      for (const registry::Model& model : registry::list_models(db, organisation, kMostModels)) {
        if (where.common.json) {
          text += model.to_json().dump() + "\n";
          continue;
        }
        text += model.name + "  " + std::string(model_kind_name(model.kind)) +
                (model.parent_name.empty() ? "" : " on " + model.parent_name) +
                (model.shared ? ", shared" : "") + "  " + model.digest.substr(0, kShownDigest) +
                "  " + model.path + "\n";
      }
      for (const registry::Alias& alias : registry::list_aliases(db, organisation)) {
        if (where.common.json) {
          text += alias.to_json().dump() + "\n";
          continue;
        }
        text += alias.name + " -> ";
        for (const registry::Target& target : alias.targets) {
          text += target.model.name;
          if (alias.targets.size() > 1) text += " x " + Json(target.weight).dump();
          text += " ";
        }
        text += alias.targets.empty() ? "nothing yet" : "version " + std::to_string(alias.version);
        text += alias.gate ? ", with a gate\n" : "\n";
      }
      return text.empty() ? std::string("no models yet: hone model add NAME MODEL\n") : text;
    });
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> model_remove(const Arguments& arguments) {
  Where where;
  bool shared = false;
  Options options("model remove", "takes a model out of the registry; its files stay.", "NAME");
  options.example("hone model remove polite-2", "refused while an alias answers with it");
  options.flag("shared", &shared, "a base that all may use");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone model remove takes one name");
  const auto work = [=](AdminContext& context) {
    const int64_t organisation = shared ? 0 : organisation_key(context, where);
    write(context, [&](store::Transaction& tx) {
      registry::retire_model(tx, organisation, words[0], context.platform.env().now_ms());
    });
    return words[0] + " is out of the registry; its files are where they were\n";
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> model_history(const Arguments& arguments) {
  Where where;
  Options options("model history", "every decision about an alias, the newest first.", "ALIAS");
  options.example("hone model history assistant --json", "with the evidence of each");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone model history takes one alias");
  const auto work = [=](AdminContext& context) {
    const int64_t organisation = organisation_key(context, where);
    const auto all = context.platform.control().read([&](store::Connection& db) {
      return registry::list_promotions(db, organisation, words[0], kMostDecisions);
    });
    std::string text;
    for (const Promotion& p : all) text += shown(p, where);
    return text;
  };
  return AdminCommand{work, where.data_dir};
}

// gate

// What hone train --gate asks for: the sets, or an error that says there is no gate.
AdminCommand show_gate(const Where& where, const std::string& alias) {
  const auto work = [=](AdminContext& context) {
    const label::OrganisationRecord record =
        find_organisation(context.platform, where.organisation);
    const auto sets = api::gate_sets(context.platform, context.platform.organisation(record.id),
                                     record.key, alias);
    if (sets.empty()) {
      throw not_found("no alias " + alias + " has a gate: hone model list shows the aliases");
    }
    Json list = Json::array();
    for (const api::GateSet& set : sets) list.push_back(set.to_json());
    Json body = Json::object();
    body["alias"] = alias;
    body["sets"] = std::move(list);
    return body.dump() + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> model_gate(const Arguments& arguments) {
  Where where;
  std::string heldout, second, metric, floor_metric;
  double floor = 0;
  size_t items_min = 0;
  bool no_worse = false, none = false, show = false;
  Options options("model gate", "the rule by which an alias may move.", "ALIAS");
  options.example("hone model gate assistant --heldout heldout.jsonl",
                  "only a model that a paired test on these rows calls better");
  options.example(
      "hone model gate assistant --heldout heldout.jsonl --second old.jsonl --floor 0.9 --no-worse",
      "and that does not fall on a second set");
  options.text("heldout", &heldout, "FILE", "frozen held-out rows");
  options.text("metric", &metric, "NAME", "of the report; empty = its primary one");
  options.count("items-min", &items_min, "fewer items decide nothing");
  options.text("second", &second, "FILE", "a second set, with a floor");
  options.text("floor-metric", &floor_metric, "NAME", "of the second report; empty = its primary");
  options.real("floor", &floor, "the least mean on the second set");
  options.flag("no-worse", &no_worse, "the second set must not say worse either");
  options.flag("none", &none, "takes the gate away");
  options.flag("show", &show, "prints where its sets lie, as JSON, and changes nothing");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone model gate takes one alias");
  if ((none || show) != heldout.empty() || (none && show)) {
    throw invalid_input("hone model gate needs --heldout FILE, or --none or --show alone");
  }
  if (second.empty() && (no_worse || options.was_given("floor"))) {
    throw invalid_input("--floor and --no-worse are about --second FILE");
  }
  if (show) return show_gate(where, words[0]);
  const auto work = [=](AdminContext& context) {
    GateSettings gate;
    if (!none) {
      gate.heldout_source = context.path(heldout);
      gate.heldout_digest = seal::sha256_file(gate.heldout_source);
      gate.metric = metric;
      gate.items_min = items_min;
      if (!second.empty()) {
        gate.floor_source = context.path(second);
        gate.floor_digest = seal::sha256_file(gate.floor_source);
      }
      gate.floor_metric = floor_metric;
      gate.floor = floor;
      gate.no_worse = no_worse;
    }
    const int64_t organisation = organisation_key(context, where);
    write(context, [&](store::Transaction& tx) {
      registry::set_gate(tx, organisation, words[0], none ? nullptr : &gate,
                         context.platform.env().now_ms());
    });
    return none ? words[0] + " moves by hand\n"
                : words[0] + " has a gate: " + gate.to_json().dump() + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

// promote

struct Reports {
  std::string candidate, champion;  // files
};

// The test set of a gate, as the options name it.
uint64_t overlap(AdminContext& context, const data::Dataset& training, const std::string& file,
                 const std::string& digest, const std::string& option) {
  if (file.empty()) {
    throw invalid_input("the gate looks for training prompts in its test set: give " + option +
                        " FILE");
  }
  return prompts_in_common(context.platform.env(), training, context.path(file), digest,
                           option + " " + file);
}

GateComparison measured(AdminContext& context, const Reports& files, const std::string& metric) {
  return compare_for_gate(context.platform.env(), context.path(files.candidate),
                          context.path(files.champion), metric);
}

struct PromoteFlags {
  Where where;
  Reports main, second;
  std::string training, heldout, second_data, reason;
  bool force = false;
};

GateEvidence evidence_of(AdminContext& context, const PromoteFlags& flags, const GateSettings& gate,
                         const registry::Model& candidate) {
  GateEvidence evidence;
  evidence.main = measured(context, flags.main, gate.metric);
  const bool has_second = !gate.floor_digest.empty();
  if (has_second && !flags.second.candidate.empty()) {
    evidence.second = measured(context, flags.second, gate.floor_metric);
  }
  const Json* trained_on = candidate.origin.find("data");
  if (flags.training.empty()) {
    if (candidate.kind == registry::ModelKind::kAdapter || trained_on != nullptr) {
      throw invalid_input("the gate looks for test prompts in what " + candidate.name +
                          " was trained on: give --training-data FILE");
    }
    return evidence;  // a base from elsewhere: nobody knows what it has read
  }
  const data::Dataset training =
      data::load_dataset(context.platform.env(), context.path(flags.training));
  if (trained_on != nullptr && trained_on->as_string() != training.digest) {
    throw invalid_input("--training-data " + flags.training + " is not what " + candidate.name +
                        " was trained on: its run names " +
                        trained_on->as_string().substr(0, kShownDigest));
  }
  evidence.training_digest = training.digest;
  evidence.overlap_main =
      overlap(context, training, flags.heldout, gate.heldout_digest, "--heldout");
  if (has_second) {
    evidence.overlap_second =
        overlap(context, training, flags.second_data, gate.floor_digest, "--second");
  }
  return evidence;
}

std::optional<AdminCommand> model_promote(const Arguments& arguments) {
  PromoteFlags flags;
  Options options("model promote", "moves an alias to a model, through its gate if it has one.",
                  "ALIAS MODEL");
  options.example("hone model promote assistant polite", "an alias without a gate, by hand");
  options.example(
      "hone model promote assistant polite --report new.json --against old.json "
      "--training-data train.jsonl --heldout heldout.jsonl",
      "with the evidence that the gate asks for (hone eval preferences makes reports)");
  options.text("report", &flags.main.candidate, "FILE", "of the candidate on the held-out set");
  options.text("against", &flags.main.champion, "FILE", "of what answers now, on the same set");
  options.text("second-report", &flags.second.candidate, "FILE", "the same on the second set");
  options.text("second-against", &flags.second.champion, "FILE", "the same on the second set");
  options.text("training-data", &flags.training, "FILE", "what the candidate was trained on");
  options.text("heldout", &flags.heldout, "FILE", "the held-out set itself");
  options.text("second", &flags.second_data, "FILE", "the second set itself");
  options.flag("force", &flags.force, "past the gate, with --reason; the record says so");
  options.text("reason", &flags.reason, "TEXT", "kept with the decision");
  flags.where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 2) throw invalid_input("hone model promote takes an alias and a model");
  const auto work = [=](AdminContext& context) {
    const int64_t organisation = organisation_key(context, flags.where);
    // Measured outside the write; the version says whether the alias moved meanwhile.
    const auto [alias, candidate] = context.platform.control().read([&](store::Connection& db) {
      return std::pair(registry::find_alias(db, organisation, words[0]),
                       registry::find_model(db, organisation, words[1]));
    });
    std::optional<GateEvidence> evidence;
    if (alias && alias->gate && !flags.main.candidate.empty()) {
      evidence = evidence_of(context, flags, *alias->gate, candidate);
    }
    registry::Decision made = decision(context, flags.reason);
    made.expected_version = alias ? alias->version : 0;
    const Promotion promotion = write(context, [&](store::Transaction& tx) {
      return registry::promote(tx, organisation, words[0], candidate.id,
                               evidence ? &*evidence : nullptr, flags.force, made);
    });
    if (!promotion.moved()) context.exit_code = 3;
    return shown(promotion, flags.where);
  };
  return AdminCommand{work, flags.where.data_dir};
}

// split, rollback

std::optional<AdminCommand> model_split(const Arguments& arguments) {
  Where where;
  std::string reason;
  Options options("model split", "an alias that answers with several models, by weight.",
                  "ALIAS MODEL=WEIGHT MODEL=WEIGHT ..");
  options.example("hone model split assistant smol=9 polite=1", "a tenth of the conversations");
  options.text("reason", &reason, "TEXT", "kept with the decision");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() < 3)
    throw invalid_input("hone model split takes an alias and MODEL=WEIGHT twice");
  std::vector<std::pair<std::string, double>> models;
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t equals = words[i].rfind('=');
    double weight = 0;
    const char* end = words[i].data() + words[i].size();
    if (equals == std::string::npos ||
        std::from_chars(words[i].data() + equals + 1, end, weight).ptr != end) {
      throw invalid_input(words[i] + " is not MODEL=WEIGHT, such as polite=1");
    }
    models.emplace_back(words[i].substr(0, equals), weight);
  }
  const auto work = [=](AdminContext& context) {
    const int64_t organisation = organisation_key(context, where);
    return shown(write(context,
                       [&](store::Transaction& tx) {
                         return registry::split(tx, organisation, words[0], models,
                                                decision(context, reason));
                       }),
                 where);
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> model_rollback(const Arguments& arguments) {
  Where where;
  std::string reason;
  Options options("model rollback", "an alias answers with what it answered with before.", "ALIAS");
  options.example("hone model rollback assistant --reason \"it answers in capitals\"",
                  "at once; no request is dropped");
  options.text("reason", &reason, "TEXT", "kept with the decision");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone model rollback takes one alias");
  const auto work = [=](AdminContext& context) {
    const int64_t organisation = organisation_key(context, where);
    return shown(write(context,
                       [&](store::Transaction& tx) {
                         return registry::roll_back(tx, organisation, words[0],
                                                    decision(context, reason));
                       }),
                 where);
  };
  return AdminCommand{work, where.data_dir};
}

}  // namespace

std::optional<AdminCommand> parse_model(const std::string& object, const Arguments& arguments) {
  if (object == "add") return model_add(arguments);
  if (object == "list") return model_list(arguments);
  if (object == "remove") return model_remove(arguments);
  if (object == "promote") return model_promote(arguments);
  if (object == "split") return model_split(arguments);
  if (object == "rollback") return model_rollback(arguments);
  if (object == "gate") return model_gate(arguments);
  return model_history(arguments);
}

}  // namespace hone::cli
