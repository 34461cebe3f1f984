#include "label/task_schema.h"

#include <gtest/gtest.h>

namespace hone::label {
namespace {

// The field that parsing complains about.
std::string field_of(const std::string& text) {
  try {
    parse_task_schema(Json::parse(text).value());
  } catch (const FieldError& error) {
    EXPECT_EQ(error.message().rfind(error.field(), 0), 0u) << error.message();
    return error.field();
  }
  ADD_FAILURE() << "no error was thrown for " << text;
  return {};
}

std::string with_question(const std::string& question) {
  return R"({"task_type":"rating","questions":[)" + question + "]}";
}

TEST(TaskSchema, EveryBuiltInOneIsItsOwnNormalForm) {
  for (const std::string& type : task_types()) {
    const TaskSchema schema = built_in_schema(type);
    const std::string text = schema.normalised().dump();
    EXPECT_EQ(parse_task_schema(Json::parse(text).value()).normalised().dump(), text) << type;
    EXPECT_EQ(schema.skip_reasons.size(), 3u);
    EXPECT_EQ(main_classes(schema).empty(), type == "text") << type;
  }
  EXPECT_EQ(main_classes(built_in_schema("pairwise")),
            (std::vector<std::string>{"first", "second", "tie", "both_bad"}));
}

TEST(TaskSchema, TheExampleOfThePageIsRead) {
  const auto schema = parse_task_schema(Json::parse(R"({"version": 1, "task_type": "pairwise",
     "questions": [
       {"name": "winner", "kind": "comparison", "title": "Which answer is better?", "tie": true,
        "both_bad": true, "strength": {"title": "By how much?",
        "labels": ["slightly", "clearly", "far"], "required": false}}],
     "rationale": "optional",
     "skip_reasons": ["I do not know the subject", "Broken or unreadable", "Other"]})")
                                            .value());
  EXPECT_EQ(schema.main().strength->labels.size(), 3u);
}

TEST(TaskSchema, WhatIsWrongIsNamedByItsPlace) {
  EXPECT_EQ(field_of("[]"), "");
  EXPECT_EQ(field_of("{}"), "/task_type");
  EXPECT_EQ(field_of(R"({"task_type":"pairwise"})"), "/questions");
  EXPECT_EQ(field_of(R"({"task_type":"pairwise","questions":[]})"), "/questions");
  EXPECT_EQ(field_of(R"({"task_type":"pairwise","colour":1})"), "/colour");
  EXPECT_EQ(field_of(R"({"task_type":"spans","questions":[]})"), "/task_type");
  EXPECT_EQ(field_of(R"({"version":2,"task_type":"pairwise","questions":[]})"), "/version");
  EXPECT_EQ(field_of(with_question(R"({"kind":"rating"})")), "/questions/0/name");
  EXPECT_EQ(field_of(with_question(R"({"name":"Bad Name","kind":"rating"})")), "/questions/0/name");
  EXPECT_EQ(field_of(with_question(R"({"name":"rationale","kind":"rating"})")),
            "/questions/0/name");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"spans"})")), "/questions/0/kind");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"comparison"})")), "/questions/0/kind");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"rating","min":1,"max":11})")),
            "/questions/0/max");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"rating","labels":{"9":"x"}})")),
            "/questions/0/labels/9");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"rating","tie":true})")),
            "/questions/0/tie");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"rating","of":"turn"})")),
            "/questions/0/of");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"choice","options":[{"name":"x"}]})")),
            "/questions/0/options");
  EXPECT_EQ(field_of(with_question(
                R"({"name":"a","kind":"choice","options":[{"name":"x"},{"name":"x"}]})")),
            "/questions/0/options/1/name");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"rating","required":false})")),
            "/questions/0/required");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"rating"},{"name":"a","kind":"text"})")),
            "/questions/1/name");
  EXPECT_EQ(field_of(with_question(R"({"name":"a","kind":"text","max_chars":100001})")),
            "/questions/0/max_chars");
}

TEST(TaskSchema, BoundsHoldAtTheBoundAndOnePastIt) {
  const auto questions = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      list += (i == 0 ? "" : ",") + std::string(R"({"name":"q)") + std::to_string(i) +
              R"(","kind":"rating"})";
    }
    return with_question(list);
  };
  EXPECT_NO_THROW(parse_task_schema(Json::parse(questions(20)).value()));
  EXPECT_EQ(field_of(questions(21)), "/questions");
  const auto titled = [](size_t chars) {
    std::string title;
    for (size_t i = 0; i < chars; ++i) title += "é";
    return with_question(R"({"name":"a","kind":"rating","title":")" + title + "\"}");
  };
  EXPECT_NO_THROW(parse_task_schema(Json::parse(titled(300)).value()));
  EXPECT_EQ(field_of(titled(301)), "/questions/0/title");
}

}  // namespace
}  // namespace hone::label
