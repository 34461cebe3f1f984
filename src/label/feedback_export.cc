// What was said with consent, as rows for training (docs/formats/exports.md, "Feedback").
#include <functional>

#include "label/feedback.h"
#include "label/organisation.h"
#include "label/task_schema.h"

namespace hone::label {
namespace {

constexpr size_t kPage = 100;

void add_provenance(Json& row, const Feedback& said, std::span<const feedback::Answer> answers) {
  row["id"] = said.public_id;
  Json models = Json::array();
  Json fingerprints = Json::array();
  Json completions = Json::array();
  for (const feedback::Answer& answer : answers) {
    models.push_back(answer.head.model);
    fingerprints.push_back(answer.head.fingerprint);
    completions.push_back(answer.head.id);
  }
  row["kind"] = feedback_kind_name(said.kind);
  row["models"] = std::move(models);
  row["system_fingerprints"] = std::move(fingerprints);
  row["completions"] = std::move(completions);
}

Json preference(const feedback::Answer& answer, std::string_view chosen, Json rejected) {
  Json row = Json::object();
  row["prompt"] = answer.prompt();
  row["chosen"] = answer.completion(chosen);
  row["rejected"] = std::move(rejected);
  return row;
}

}  // namespace

FeedbackFormat feedback_format_from_name(std::string_view name) {
  if (name == "preferences") return FeedbackFormat::kPreferences;
  if (name == "sft") return FeedbackFormat::kSft;
  if (name == "unpaired") return FeedbackFormat::kUnpaired;
  throw FieldError("/format", "the format is preferences, sft or unpaired");
}

Json feedback_row(const Feedback& said, std::span<const feedback::Answer> answers,
                  FeedbackFormat format) {
  Json row;
  if (answers.empty()) return row;
  const feedback::Answer& first = answers[0];
  const auto as_said = [](const feedback::Answer& a) { return a.completion(a.choice.text); };
  if (format == FeedbackFormat::kPreferences && said.kind == FeedbackKind::kComparison) {
    if (answers.size() < 2 || (said.verdict != "left" && said.verdict != "right")) return row;
    const feedback::Answer& second = answers[1];
    if (first.choice.text == second.choice.text) return row;
    const bool left = said.verdict == "left";
    const feedback::Answer &better = left ? first : second, &worse = left ? second : first;
    row = preference(better, better.choice.text, as_said(worse));
  } else if (format == FeedbackFormat::kPreferences && said.kind == FeedbackKind::kEdit) {
    row = preference(first, said.edited, as_said(first));
  } else if (format == FeedbackFormat::kSft && said.kind == FeedbackKind::kEdit) {
    row["prompt"] = first.prompt();
    row["completion"] = first.completion(said.edited);
  } else if (format == FeedbackFormat::kUnpaired && said.kind == FeedbackKind::kThumbs) {
    row["prompt"] = first.prompt();
    row["completion"] = as_said(first);
    row["label"] = said.verdict == "up";
  } else {
    return row;
  }
  add_provenance(row, said, answers);
  return row;
}

void export_feedback(Organisation& organisation, FeedbackFormat format,
                     const std::function<void(std::string_view)>& out) {
  int64_t after = 0;
  for (;;) {
    struct Said {
      Feedback said;
      std::vector<feedback::Answer> answers;
    };
    const std::vector<Said> page = organisation.read([&](store::Connection& db) {
      std::vector<Said> rows;
      const auto ids = db.query_all(
          "SELECT id, public_id FROM feedback WHERE state = 'given' AND id > $1 AND consent = 1"
          " ORDER BY id LIMIT $2",
          {after, kPage},
          [](const store::Row& row) { return std::pair(row.int64(0), row.string(1)); });
      for (const auto& [id, public_id] : ids) {
        rows.push_back({get_feedback(db, public_id), feedback_answers(db, id)});
      }
      return rows;
    });
    for (const Said& each : page) {
      const Json row = feedback_row(each.said, each.answers, format);
      if (!row.is_null()) out(row.dump() + "\n");
    }
    if (page.size() < kPage) return;
    after = page.back().said.id;
  }
}

}  // namespace hone::label
