// hone feedback list | export | rules | rule: what people say of served answers, and where it goes.

#include "base/env.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/common.h"
#include "cli/options.h"
#include "label/feedback.h"
#include "label/sampling_rules.h"
#include "label/times.h"

namespace hone::cli {
namespace {

constexpr size_t kMostListed = 1000;

std::string line_of(const label::Feedback& said, bool json) {
  if (!json) {
    return said.public_id + "  " + label::format_time(said.created_at_ms) + "  " +
           std::string(label::feedback_kind_name(said.kind)) + " " + said.verdict + "  " +
           said.name + (said.consent ? "  " + said.excerpt : "  (no texts)") + "\n";
  }
  Json line = Json::object();
  line["id"] = said.public_id;
  line["kind"] = label::feedback_kind_name(said.kind);
  line["verdict"] = said.verdict;
  line["completion"] = said.completion;
  line["person"] = said.person_id;
  line["consent"] = said.consent;
  line["comment"] = said.comment;
  line["text"] = said.edited;
  line["excerpt"] = said.excerpt;
  line["created_at"] = label::format_time(said.created_at_ms);
  return line.dump() + "\n";
}

std::optional<AdminCommand> feedback_list(const Arguments& arguments) {
  Where where;
  std::string kind = "all";
  label::FeedbackFilter filter;
  filter.limit = 50;
  Options options("feedback list", "what people said of served answers, newest first.", "");
  options.example("hone feedback list --kind report", "reports; texts where there was consent");
  options.choice("kind", &kind, {"all", "thumbs", "comparison", "edit", "report"}, "which");
  options.count("limit", &filter.limit, "at most so many, up to 1,000");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone feedback list takes no words");
  if (options.show_help()) return std::nullopt;
  if (kind != "all") filter.kind = kind;
  if (filter.limit < 1 || filter.limit > kMostListed) {
    throw invalid_input("--limit must be from 1 to 1000");
  }
  const auto work = [=](AdminContext& context) {
    std::string text;
    for (const label::Feedback& said : opened(context, where).read([&](store::Connection& db) {
           return label::list_feedback(db, filter);
         })) {
      text += line_of(said, where.common.json);
    }
    return text;
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> feedback_export(const Arguments& arguments) {
  Where where;
  std::string format = "preferences", output;
  bool overwrite = false;
  Options options("feedback export", "what was said with consent, as rows for training.",
                  "--output FILE");
  options.example("hone feedback export --output pairs.jsonl", "votes and corrections, for dpo");
  options.choice("format", &format, {"preferences", "sft", "unpaired"}, "which rows");
  options.text("output", &output, "FILE", "a new file");
  options.flag("overwrite", &overwrite, "replace it when it exists");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone feedback export takes no words");
  if (options.show_help()) return std::nullopt;
  options.require("output", output);
  const auto work = [=](AdminContext& context) {
    const std::string path = new_file(context, output, overwrite);
    return write_rows(context, path, where.common.json, [&](WritableFile& file) {
      uint64_t rows = 0;
      label::export_feedback(opened(context, where), label::feedback_format_from_name(format),
                             [&](std::string_view line) {
                               file.append(line);
                               ++rows;
                             });
      return rows;
    });
  };
  return AdminCommand{work, where.data_dir};
}

std::string line_of(const label::SamplingRule& rule, bool json) {
  const std::string source(label::sampling_source_name(rule.source));
  if (!json) {
    return rule.public_id + "  " + (rule.on ? "on " : "off") + "  " +
           number_to_string(rule.share * 100) + " % of " + source +
           (rule.model.empty() ? "" : " by " + rule.model) + " to " + rule.project_id + ", " +
           std::to_string(rule.taken_today) + " of " + std::to_string(rule.daily_cap) + " today, " +
           std::to_string(rule.taken) + " in all  " + rule.name + "\n";
  }
  Json line = Json::object();
  line["id"] = rule.public_id;
  line["name"] = rule.name;
  line["model"] = rule.model;
  line["source"] = source;
  line["share"] = rule.share;
  line["daily_cap"] = rule.daily_cap;
  line["project_id"] = rule.project_id;
  line["on"] = rule.on;
  line["taken"] = rule.taken;
  line["taken_today"] = rule.taken_today;
  return line.dump() + "\n";
}

std::optional<AdminCommand> feedback_rules(const Arguments& arguments) {
  Where where;
  Options options("feedback rules", "which served answers become tasks of which project.", "");
  options.example("hone feedback rules", "shares, caps and what was taken");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone feedback rules takes no words");
  if (options.show_help()) return std::nullopt;
  const auto work = [=](AdminContext& context) {
    std::string text;
    const int64_t now_ms = context.platform.env().now_ms();
    for (const label::SamplingRule& rule : opened(context, where).read([&](store::Connection& db) {
           return label::list_sampling_rules(db, now_ms);
         })) {
      text += line_of(rule, where.common.json);
    }
    return text;
  };
  return AdminCommand{work, where.data_dir};
}

// Makes the rule of that name, or changes what is given of the one there is.
std::optional<AdminCommand> feedback_rule(const Arguments& arguments) {
  Where where;
  std::string source, project, model;
  double share = 1;
  size_t daily_cap = 100;
  bool off = false;
  Options options("feedback rule", "send a share of the served answers to a labelling project.",
                  "NAME");
  options.example("hone feedback rule bad --source thumbs_down --project prj_... --share 0.5",
                  "half of the answers with a thumb down become tasks");
  options.example("hone feedback rule bad --off", "and no more");
  options.text("source", &source, "WHICH",
               "any judged thumbs_up thumbs_down compared edited reported; needed for a new rule");
  options.text("project", &project, "PROJECT", "its id, prj_...; needed for a new rule");
  options.text("model", &model, "MODEL",
               "of the answer: a name, an alias or a digest; empty = any");
  options.real("share", &share, "of them, above 0 and at most 1; by a digest of the answer's id");
  options.count("daily-cap", &daily_cap, "tasks a day at most");
  options.flag("off", &off, "keep the rule and take nothing; without it the rule is on");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone feedback rule takes one name");
  label::SamplingRuleChange change;
  change.name = words[0];
  change.on = !off;
  if (!source.empty()) change.source = label::sampling_source_from_name(source);
  if (!project.empty()) change.project_id = project;
  if (options.was_given("model")) change.model = model;
  if (options.was_given("share")) change.share = share;
  if (options.was_given("daily-cap")) change.daily_cap = static_cast<int64_t>(daily_cap);
  const auto work = [=](AdminContext& context) {
    label::Organisation& organisation = opened(context, where);
    const label::Actor actor = label::system_actor();
    const int64_t now_ms = context.platform.env().now_ms();
    const label::SamplingRule rule =
        organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
          for (const label::SamplingRule& each : label::list_sampling_rules(tx, now_ms)) {
            if (each.name == *change.name) {
              return label::change_sampling_rule(organisation, tx, actor, each.public_id, change);
            }
          }
          if (!change.source || !change.project_id) {
            throw invalid_input("there is no rule " + *change.name +
                                " yet: a new one needs --source and --project");
          }
          return label::make_sampling_rule(organisation, tx, actor, change);
        });
    return line_of(rule, where.common.json);
  };
  return AdminCommand{work, where.data_dir};
}

}  // namespace

std::optional<AdminCommand> parse_feedback(const std::string& object, const Arguments& arguments) {
  if (object == "list") return feedback_list(arguments);
  if (object == "export") return feedback_export(arguments);
  return object == "rules" ? feedback_rules(arguments) : feedback_rule(arguments);
}

}  // namespace hone::cli
