// Every JSON object of /api/v1: what bodies must look like, and what answers do (docs/api.md).
#include "api/route.h"

namespace hone::api {
namespace {

constexpr int kNameMax = 200;
constexpr int kSkillsMax = 50;

Field role() { return word("role", {"owner", "manager", "reviewer", "annotator", "viewer"}); }
Field task_type() {
  return word("task_type",
              {"pairwise", "ranking", "rating", "text", "safety", "rubric", "conversation"});
}
Field project_state(std::string_view name) {
  return word(name, {"open", "paused", "finished", "archived"});
}
Field words_list(std::string_view name) { return list(name, line_type(1, 60), 0, kSkillsMax); }
Field snapshot_format() {
  return word("format", {"preferences", "sft", "unpaired", "annotations"});
}
Field email() { return line("email", 3, 254); }
Field secret(std::string_view name) { return line(name, 1, 200); }
Field interval(std::string_view name) { return nullable(list(name, number_type())); }
Field id() { return required(text("id")); }
// What a key may ask of models: nothing said = no bound.
Field key_models() {
  return note(nullable(list("models", line_type(1, 200), 0, 100)), "names; empty = all");
}
Field key_quota(std::string_view name) {
  return note(nullable(integer(name, 0, 1'000'000'000'000)), "of a UTC day; absent = no bound");
}
Field key_weight() { return nullable(number("weight", 0.01, 100)); }
Field key_priority() { return nullable(integer("priority", -10, 10)); }

std::vector<Shape> people_bodies() {
  return {
      {"SignIn", {required(email()), required(text("password", 1, 1000))}},
      {"LinkToken", {required(secret("token"))}},
      {"ChooseOrganisation", {required(line("organisation_id", 1, 60))}},
      {"NewPassword", {nullable(text("current", 0, 1000)), required(text("new", 8, 1000))}},
      {"AcceptInvitation",
       {required(secret("token")), required(line("name", 1, kNameMax)),
        nullable(text("password", 8, 1000))}},
      {"NewPerson",
       {required(line("name", 1, kNameMax)), nullable(email()), required(role()),
        words_list("skills"), words_list("languages")}},
      {"PersonChange",
       {line("name", 1, kNameMax), role(), words_list("skills"), words_list("languages"),
        boolean("paused")},
       true},
      {"NewInvitation",
       {required(role()), line("name", 0, kNameMax), nullable(email()), words_list("skills"),
        words_list("languages")}},
      {"OrganisationChange", {required(line("name", 1, kNameMax))}},
      {"FirstOwner", {required(line("name", 1, kNameMax)), nullable(email())}},
      {"NewOrganisation",
       {required(line("name", 1, kNameMax)), required(ref("owner", "FirstOwner"))}},
      {"NewToken",
       {required(line("name", 1, kNameMax)),
        list("scope",
             word_type({"all", "read", "label", "import", "export", "train", "serve", "infer"}), 1,
             8),
        nullable(integer("expires_in_days", 1, 3650)), key_models(), key_quota("requests_per_day"),
        key_quota("tokens_per_day"), key_weight(), key_priority()}},
      {"TokenLimits",
       {key_models(), key_quota("requests_per_day"), key_quota("tokens_per_day"), key_weight(),
        key_priority()}},
  };
}

std::vector<Shape> people_answers() {
  return {
      {"OrganisationName", {id(), required(text("name"))}},
      {"OwnMembership", {id(), required(text("name")), required(role())}},
      {"SessionPerson", {id(), required(text("name")), required(text("locale"))}},
      {"Session",
       {required(ref("person", "SessionPerson")),
        required(nullable(ref("organisation", "OrganisationName"))), required(nullable(role())),
        required(list("permissions", text_type())), required(text("csrf_token")),
        required(list("organisations", ref_type("OwnMembership"))), required(text("version")),
        required(boolean("has_password")), required(boolean("is_operator")),
        required(nullable(text("demo_project")))}},
      {"Person",
       {id(), required(text("name")), required(text("pseudonym")), nullable(text("email")),
        required(role()), required(list("skills", text_type())),
        required(list("languages", text_type())), required(boolean("paused")),
        required(time("created_at")), required(nullable(time("last_seen_at"))),
        required(integer("annotations"))}},
      {"MadePerson", {required(ref("person", "Person")), required(text("sign_in_link"))}},
      {"LineError", {required(integer("line")), required(text("reason"))}},
      {"PeopleImported",
       {required(integer("created")), required(list("errors", ref_type("LineError"))),
        required(list("people", ref_type("MadePerson")))}},
      {"SignInLink", {required(text("sign_in_link"))}},
      {"Invitation",
       {id(), required(role()), required(text("name")), required(nullable(text("email"))),
        required(time("created_at")), required(time("expires_at")),
        required(word("state", {"open", "accepted", "revoked", "expired"}))}},
      {"MadeInvitation", {required(ref("invitation", "Invitation")), required(text("link"))}},
      {"InvitationOrganisation", {required(text("name"))}},
      {"InvitationPreview",
       {required(ref("organisation", "InvitationOrganisation")), required(role()),
        required(text("name"))}},
      {"Organisation",
       {id(), required(text("name")), required(time("created_at")), required(integer("people")),
        required(integer("projects"))}},
      {"OrganisationRow", {id(), required(text("name")), required(time("created_at"))}},
      {"MadeOrganisation",
       {required(ref("organisation", "OrganisationRow")), required(text("sign_in_link"))}},
      {"Token",
       {id(), required(text("name")), required(list("scope", text_type())),
        required(text("person_id")), required(time("created_at")),
        required(nullable(time("last_used_at"))), required(nullable(time("expires_at"))),
        required(list("models", text_type())), required(nullable(integer("requests_per_day"))),
        required(nullable(integer("tokens_per_day"))), required(number("weight")),
        required(integer("priority"))}},
      {"UsageRow",
       {required(text("day")), required(text("key_id")), required(text("model")),
        required(integer("requests")), required(integer("prompt_tokens")),
        required(integer("cached_tokens")), required(integer("completion_tokens"))}},
      {"MadeToken", {required(ref("token", "Token")), required(text("secret"))}},
      {"ActorName", {id(), required(text("name"))}},
      {"Event",
       {required(integer("id")), required(time("at")), required(ref("actor", "ActorName")),
        required(text("kind")), required(text("object")), required(text("from")),
        required(text("to")), required(map("data")), required(text("hash"))}},
      {"ChainState",
       {required(integer("events")), required(boolean("intact")), required(text("head"))}},
  };
}

std::vector<Shape> project_bodies() {
  const auto settings = [](bool is_new) {
    std::vector<Field> fields = {
        is_new ? required(line("name", 1, kNameMax)) : line("name", 1, kNameMax),
        integer("overlap", 1, 50),
        nullable(integer("overlap_max", 1, 50)),
        nullable(number("stop_probability", 0.5, 1)),
        integer("lease_seconds", 10, 86400),
        number("gold_share", 0, 0.5),
        boolean("blind"),
        boolean("show_gold_result"),
        list("skills", line_type(1, 60), 0, 20),
        text("description", 0, 4'000),
    };
    return fields;
  };
  std::vector<Field> make = settings(true);
  make.push_back(required(task_type()));
  make.push_back(text("guideline", 0, 500'000));
  make.push_back(nullable(map("schema")));
  std::vector<Field> change = settings(false);
  change.push_back(project_state("state"));
  change.push_back(boolean("adaptive"));
  return {
      {"NewProject", make},
      {"ProjectChange", change, true},
      {"NewGuideline", {required(text("body", 0, 500'000))}},
      {"SchemaBody", {required(map("schema"))}},
      {"ProjectPeople", {required(nullable(list("people", line_type(1, 60), 1, 100'000)))}},
      {"TaskChange", {integer("priority", -100, 100), word("state", {"open", "cancelled"})}, true},
      {"GoldAnswer", {required(map("answer")), text("explanation", 0, 4'000)}},
      {"NextRequest", {integer("count", 1, 3)}},
      {"NewAnnotation",
       {required(map("answer")), nullable(text("rationale", 0, 20'000)),
        nullable(integer("active_ms", 0, 86'400'000)), nullable(line("receipt", 1, 400))}},
      {"DraftBody", {required(any("draft"))}},
      {"SkipBody", {required(line("reason", 1, 300)), nullable(text("comment", 0, 2'000))}},
      {"FlagBody", {required(line("reason", 1, 300)), nullable(text("comment", 0, 2'000))}},
      {"NewSplit",
       {required(number("heldout_fraction", 0, 0.5)),
        nullable(integer("seed", 0, 9007199254740991))}},
      {"NewSnapshot",
       {required(line("name", 1, kNameMax)), snapshot_format(), number("min_probability", 0, 1),
        integer("min_annotations", 0, 1000)}},
      {"RunPlanRequest",
       {nullable(line("name", 1, kNameMax)), required(line("snapshot_id", 1, 60)),
        required(word("method", {"dpo", "sft"})), nullable(line("model", 1, 200)),
        map("settings")}},
      {"NewRun",
       {nullable(line("name", 1, kNameMax)), nullable(line("snapshot_id", 1, 60)),
        required(word("method", {"dpo", "sft"})), nullable(line("model", 1, 200)),
        map("settings")}},
  };
}

std::vector<Shape> project_answers() {
  return {
      {"SplitCounts",
       {required(integer("train")), required(integer("heldout")), required(integer("none"))}},
      {"ProjectCounts",
       {required(integer("tasks")), required(integer("done")), required(integer("open")),
        required(integer("annotations")), required(integer("surplus")), required(integer("skips")),
        required(integer("flags"))}},
      {"MyShare", {required(integer("done")), required(integer("available"))}},
      {"Project",
       {id(),
        required(text("name")),
        required(task_type()),
        required(project_state("state")),
        required(integer("overlap")),
        required(integer("overlap_max")),
        required(number("stop_probability")),
        required(boolean("adaptive")),
        required(integer("lease_seconds")),
        number("gold_share"),
        required(boolean("blind")),
        required(boolean("show_gold_result")),
        required(boolean("live")),
        required(list("skills", text_type())),
        required(text("description")),
        required(integer("guideline_version")),
        required(integer("schema_version")),
        required(text("split_state")),
        ref("split", "SplitCounts"),
        ref("counts", "ProjectCounts"),
        ref("mine", "MyShare"),
        required(time("created_at"))}},
      {"GuidelineVersion",
       {required(integer("version")), required(time("created_at")),
        required(ref("created_by", "ActorName"))}},
      {"Guideline",
       {required(integer("version")), required(text("body")),
        required(ref("created_by", "ActorName")), required(time("created_at")),
        required(list("versions", ref_type("GuidelineVersion")))}},
      {"SchemaVersion", {required(integer("version")), required(map("schema"))}},
      {"ValidSchema", {required(boolean("valid")), required(map("schema"))}},
      {"BuiltInSchema", {required(task_type()), required(map("schema"))}},
      {"PeopleOfProject", {required(nullable(list("people", text_type())))}},
      {"ImportColumn",
       {required(text("name")), required(text("role")), required(text("guessed_from")),
        required(list("samples", text_type()))}},
      {"ImportPreview",
       {required(text("format")), required(list("columns", ref_type("ImportColumn"))),
        required(list("rows", map_type())), required(list("problems", ref_type("LineError"))),
        required(text("message"))}},
      {"ImportDone",
       {required(text("import_id")), integer("rows"), integer("created"), integer("duplicates"),
        integer("errors"), list("first_errors", ref_type("LineError"))}},
      {"ImportStarted", {required(text("import_id")), required(text("job_id"))}},
      {"Import",
       {id(), required(text("name")), required(text("format")),
        required(word("state", {"running", "done", "failed"})), required(integer("rows")),
        required(integer("created")), required(integer("duplicates")), required(integer("errors")),
        required(list("first_errors", ref_type("LineError"))), required(time("created_at")),
        required(nullable(time("finished_at")))}},
  };
}

std::vector<Shape> task_answers() {
  return {
      {"TaskRow",
       {id(), required(text("state")), required(integer("priority")), required(text("split")),
        required(text("prompt")), required(integer("annotations")), required(integer("wanted")),
        required(nullable(text("answer"))), required(nullable(number("probability"))),
        required(boolean("flagged")), required(boolean("is_gold")), required(time("created_at"))}},
      {"AnswerShare", {required(text("answer")), required(number("probability"))}},
      {"TaskAnnotation",
       {id(), required(ref("person", "ActorName")), required(text("status")),
        required(map("answer")), required(text("rationale")), required(integer("active_ms")),
        required(time("created_at")), required(integer("guideline_version"))}},
      {"TaskFlag",
       {id(), required(ref("person", "ActorName")), required(text("reason")),
        required(text("comment")), required(time("created_at")),
        required(nullable(time("resolved_at")))}},
      {"TaskGold", {required(map("answer")), required(text("explanation"))}},
      {"Task",
       {id(), required(text("state")), required(integer("priority")), required(text("split")),
        required(text("prompt")), required(integer("wanted")), required(nullable(text("answer"))),
        required(nullable(number("probability"))), required(boolean("flagged")),
        required(boolean("is_gold")), required(time("created_at")), required(map("body")),
        required(list("posterior", ref_type("AnswerShare"))),
        required(list("annotations", ref_type("TaskAnnotation"))),
        required(list("flags", ref_type("TaskFlag"))),
        required(nullable(ref("gold", "TaskGold")))}},
      {"Assignment",
       {required(text("assignment_id")), required(text("task_id")), required(text("project_id")),
        required(map("task")), required(time("lease_expires_at")),
        required(integer("guideline_version")), required(integer("schema_version")),
        text("receipt"), any("draft"), any("answer"), text("rationale")}},
      {"NextTasks", {}, false, {ref_type("Assignment"), list_type(ref_type("Assignment"))}},
      {"ExamResult", {required(boolean("correct")), required(text("explanation"))}},
      {"Submitted",
       {required(text("annotation_id")), required(word("status", {"valid", "surplus"})),
        required(integer("done_by_me")), nullable(ref("exam", "ExamResult"))}},
      {"Lease", {required(time("lease_expires_at"))}},
      {"MyAnswer",
       {required(text("assignment_id")), required(text("task_id")), required(text("prompt")),
        required(any("answer")), required(text("status")), required(time("created_at")),
        required(boolean("can_undo"))}},
      {"Mine",
       {required(integer("done")), required(integer("done_today")),
        required(number("minutes_today")), required(integer("available")),
        required(list("recent", ref_type("MyAnswer"))), required(integer("guideline_version"))}},
  };
}

std::vector<Shape> result_answers() {
  return {
      {"Snapshot",
       {id(), required(text("name")), required(text("format")),
        required(word("state", {"making", "ready", "failed"})), required(integer("rows_train")),
        required(integer("rows_heldout")), required(integer("annotations")),
        required(text("digest")), required(map("filter")), required(time("created_at")),
        required(ref("created_by", "ActorName"))}},
      {"FrozenSplit", {required(integer("train")), required(integer("heldout"))}},
      {"Base",
       {required(text("name")), required(integer("parameters")), required(text("file")),
        required(word("fits", {"fits", "tight", "too_big"}))}},
      {"Accuracy", {required(number("accuracy")), interval("interval")}},
      {"Run",
       {id(),
        required(text("name")),
        required(text("method")),
        required(text("model")),
        required(text("snapshot_id")),
        required(text("project_id")),
        required(map("settings")),
        required(word("state", {"queued", "running", "done", "failed", "cancelled"})),
        required(text("phase")),
        required(integer("step")),
        required(integer("steps")),
        required(nullable(number("rate"))),
        required(nullable(number("seconds_left"))),
        required(text("error")),
        required(nullable(text("verdict"))),
        required(nullable(ref("before", "Accuracy"))),
        required(nullable(ref("after", "Accuracy"))),
        required(nullable(number("p_value"))),
        required(nullable(number("smallest_detectable"))),
        required(time("created_at")),
        required(nullable(time("finished_at"))),
        required(text("job_id"))}},
      {"BeforeAfter", {required(any("prompt")), required(text("before")), required(text("after"))}},
      {"RunCompletion",
       {required(integer("place")), required(integer("step")), text("id"), text("prompt"),
        text("completion"), map("rewards"), nullable(number("advantage")),
        nullable(integer("tokens")), nullable(boolean("ended"))}},
      {"RunCompletions",
       {required(list("items", ref_type("RunCompletion"))), required(nullable(text("next"))),
        required(integer("found")), required(integer("all")), required(boolean("whole")),
        required(list("rewards", text_type())), required(integer("first_step")),
        required(integer("last_step"))}},
      {"RunLabel",
       {id(), required(text("task_id")), required(text("person")),
        required(word("use", {"train", "heldout"})), required(time("created_at"))}},
      {"RunPerson",
       {required(text("person")), required(integer("train")), required(integer("heldout"))}},
      {"MarginItem",
       {required(text("id")), required(any("prompt")), required(number("before_margin")),
        required(number("after_margin"))}},
      {"Job",
       {id(), required(text("kind")), required(text("object_id")),
        required(word("state", {"queued", "running", "done", "failed", "cancelled"})),
        required(number("progress")), required(text("text")), required(text("error")),
        required(time("created_at")), required(nullable(time("finished_at")))}},
      {"AnyObject", {}},
      {"Accepted", {}},
  };
}

Field feedback_kind() { return word("kind", {"thumbs", "comparison", "edit", "report"}); }
Field sampling_source() {
  return word("source",
              {"any", "judged", "thumbs_up", "thumbs_down", "compared", "edited", "reported"});
}

std::vector<Shape> live_shapes() {
  const std::vector<Field> side = {required(line("model", 1, 512)), number("temperature", 0, 2),
                                   number_above("top_p", 0, 1), integer("max_tokens", 1, 4096),
                                   text("system", 0, 16'384)};
  return {
      {"LiveSide", side},
      {"LiveChange", {required(nullable(list("sides", ref_type("LiveSide"), 2, 2)))}},
      {"Live", {required(nullable(list("sides", ref_type("LiveSide"))))}},
      {"LiveQuestion", {required(not_blank(text("prompt", 1, 32'768)))}},
  };
}

// One shape a kind: what must be there depends on it.
std::vector<Shape> new_feedback_shapes() {
  const auto of_kind = [](std::string_view kind, int answers, std::vector<Field> own) {
    std::vector<Field> fields = {
        required(word("kind", {kind})), required(boolean("consent")),
        word("reason", {"wrong", "harmful", "private", "broken", "unhelpful", "style", "other"}),
        text("comment", 0, 4'000),
        note(list("answers", ref_type("SignedAnswer"), answers, answers),
             "where the server keeps no answers: each as it came")};
    fields.insert(fields.end(), own.begin(), own.end());
    return fields;
  };
  const Field completion = required(line("completion", 1, 100));
  const Field choice = integer("choice", 0, 100'000);
  return {
      {.name = "NewFeedback",
       .fields = {},
       .by = "kind",
       .choices = {{"thumbs", "NewThumb"},
                   {"comparison", "NewComparison"},
                   {"edit", "NewEdit"},
                   {"report", "NewReport"}}},
      {"NewThumb",
       of_kind("thumbs", 1,
               {completion, choice,
                note(required(one_of("value", {1, -1})), "1: thumb up, -1: thumb down")})},
      {"NewComparison", of_kind("comparison", 2,
                                {required(list("completions", line_type(1, 100), 2, 2)),
                                 list("choices", integer_type(0, 100'000), 2, 2),
                                 required(word("winner", {"left", "right", "tie", "both_bad"}))})},
      {"NewEdit",
       of_kind("edit", 1, {completion, choice, required(not_blank(text("text", 1, 1 << 19)))})},
      {"NewReport", of_kind("report", 1, {completion, choice})},
  };
}

std::vector<Shape> feedback_shapes() {
  const auto rule = [](bool is_new) {
    const auto needed = [&](Field field) { return is_new ? required(std::move(field)) : field; };
    return std::vector<Field>{needed(line("name", 1, kNameMax)),
                              line("model", 0, 500),
                              needed(sampling_source()),
                              number_above("share", 0, 1),
                              integer("daily_cap", 1, 100'000),
                              needed(line("project_id", 1, 60)),
                              boolean("on")};
  };
  return {
      {"SignedAnswer",
       {required(line("completion", 1, 100)), integer("choice", 0, 100'000),
        required(line("model", 1, 512)), required(line("system_fingerprint", 1, 100)),
        required(map("settings")), any("messages"), text("prompt", 0, 1 << 20),
        required(text("text", 0, 1 << 20)), required(line("feedback_mac", 1, 100))}},
      {"GivenFeedback",
       {id(), required(boolean("consent")), required(boolean("repeated")),
        required(list("tasks", text_type()))}},
      {"Feedback",
       {id(), required(feedback_kind()), required(text("verdict")), required(text("reason")),
        required(text("completion")), required(integer("choice")),
        required(nullable(text("other"))), required(nullable(integer("other_choice"))),
        required(ref("person", "ActorName")), required(boolean("consent")),
        required(text("comment")), required(text("text")), required(text("excerpt")),
        required(list("models", text_type())), required(time("created_at"))}},
      {"FeedbackDetail",
       {required(ref("feedback", "Feedback")), required(list("answers", map_type()))}},
      {"FeedbackDay",
       {required(text("day")), required(text("model")), required(integer("up")),
        required(integer("down")), required(integer("won")), required(integer("lost")),
        required(integer("undecided")), required(integer("edited")),
        required(integer("reported"))}},
      {"NewSamplingRule", rule(true)},
      {"SamplingRuleChange", rule(false), true},
      {"SamplingRule",
       {id(), required(text("name")), required(text("model")), required(sampling_source()),
        required(number("share")), required(integer("daily_cap")), required(text("project_id")),
        required(boolean("on")), required(integer("taken")), required(integer("taken_today")),
        required(ref("created_by", "ActorName")), required(time("created_at"))}},
  };
}

std::vector<Shape> registry_bodies() {
  const auto model = [] { return required(line("model", 1, kNameMax)); };
  const auto reason = [] { return nullable(text("reason", 0, 1000)); };
  const auto version = [] { return nullable(integer("expected_version", 0, INT32_MAX)); };
  const auto metric = [](std::string_view name) {
    return nullable(word(name, {"likelihood_accuracy", "likelihood_margin", "reward_accuracy",
                                "reward_margin", "reward_accuracy_norm"}));
  };
  return {
      {"NewModel",
       {required(note(line("name", 1, 100), "letters, digits and . - _ : /")),
        note(nullable(line("run_id", 1, 60)), "a run that is done: its adapter"),
        note(nullable(line("base", 1, kNameMax)), "one of GET /bases; instead of run_id")}},
      {"Promote",
       {model(), version(), reason(),
        note(nullable(boolean("force")), "past the gate; needs a reason")}},
      {"SplitPart", {model(), required(number_above("weight", 0, 1'000'000))}},
      {"Split", {required(list("models", ref_type("SplitPart"), 2, 8)), version(), reason()}},
      {"RollBack", {version(), reason()}},
      {"NewGate",
       {required(note(line("heldout", 1, 60), "a snapshot: its held-out rows")), metric("metric"),
        nullable(integer("items_min", 0, 1'000'000'000)),
        note(nullable(line("second", 1, 60)), "a snapshot for the floor"), metric("second_metric"),
        nullable(number("floor", -1e9, 1e9)), nullable(boolean("no_worse"))}},
  };
}

std::vector<Shape> registry_answers() {
  return {
      {"Model",
       {id(), required(text("name")), required(word("kind", {"base", "adapter"})),
        required(boolean("shared")), required(text("digest")), required(nullable(text("parent"))),
        required(nullable(text("parent_id"))),
        required(note(map("origin"), "run, project, snapshot, method, data: what is known")),
        required(note(nullable(integer("bytes")), "of its files; null when they are gone")),
        required(note(boolean("served"), "whether this server answers with it")),
        required(note(text("note"), "why it does not")), required(ref("created_by", "ActorName")),
        required(time("created_at"))}},
      {"AliasTarget",
       {required(text("model")), required(text("model_id")), required(text("digest")),
        required(number("weight"))}},
      {"GateSet",
       {required(note(nullable(text("snapshot_id")), "null: a file of the operator")),
        required(text("name")), required(text("digest")), required(text("metric"))}},
      {"Gate",
       {required(ref("heldout", "GateSet")), required(integer("items_min")),
        required(nullable(ref("second", "GateSet"))), required(number("floor")),
        required(boolean("no_worse"))}},
      {"Alias",
       {required(text("name")), required(integer("version")),
        required(list("targets", ref_type("AliasTarget"))), required(nullable(ref("gate", "Gate"))),
        required(note(nullable(text("job_id")), "a candidate is being measured"))}},
      {"AliasVersion",
       {required(integer("version")), required(integer("previous")),
        required(list("targets", ref_type("AliasTarget"))),
        required(ref("created_by", "ActorName")), required(time("created_at"))}},
      {"Decision",
       {id(), required(text("alias")), required(nullable(text("candidate"))),
        required(word("outcome",
                      {"promoted", "kept", "worse", "too_few", "by_hand", "split", "rolled_back"})),
        required(boolean("moved")), required(integer("from_version")),
        required(integer("to_version")), required(text("reason")), required(any("evidence")),
        required(ref("created_by", "ActorName")), required(time("created_at"))}},
      {"PromotionStarted", {required(text("job_id"))}},
      {"HeldoutSet",
       {required(text("snapshot_id")), required(text("name")), required(text("project_id")),
        required(text("project")), required(integer("rows"))}},
  };
}

std::vector<Shape> all_shapes() {
  std::vector<Shape> shapes;
  for (auto part : {people_bodies(), people_answers(), project_bodies(), project_answers(),
                    task_answers(), result_answers(), registry_bodies(), registry_answers(),
                    live_shapes(), new_feedback_shapes(), feedback_shapes()}) {
    for (Shape& shape : part) shapes.push_back(std::move(shape));
  }
  return shapes;
}

}  // namespace

std::span<const Shape> api_shapes() {
  static const std::vector<Shape> kShapes = all_shapes();
  return kShapes;
}

}  // namespace hone::api
