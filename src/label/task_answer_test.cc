#include "label/task_answer.h"

#include <gtest/gtest.h>

namespace hone::label {
namespace {

Json json(const std::string& text) { return Json::parse(text).value(); }

TaskParts pair_parts() { return {{"rsp_a", "rsp_b"}, {}}; }

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    return error.message();
  }
  ADD_FAILURE() << "no error was thrown";
  return {};
}

std::string refusal(const TaskSchema& schema, const TaskParts& parts, const std::string& answer) {
  ShownOrder order;
  for (uint32_t i = 0; i < parts.response_ids.size(); ++i) order.push_back(i);
  return message_of([&] { validate_answer(schema, parts, order, json(answer)); });
}

TEST(Answer, LeftAndRightMeanTheOrderShownAndResponseIdsMeanThemselves) {
  const TaskSchema schema = built_in_schema("pairwise");
  const ShownOrder straight = {0, 1}, swapped = {1, 0};
  const auto choice = [&](const ShownOrder& shown, const std::string& answer) {
    return validate_answer(schema, pair_parts(), shown, json(answer)).choice;
  };
  EXPECT_EQ(choice(straight, R"({"winner":"left"})"), "first");
  EXPECT_EQ(choice(straight, R"({"winner":"right"})"), "second");
  EXPECT_EQ(choice(swapped, R"({"winner":"left"})"), "second");
  EXPECT_EQ(choice(swapped, R"({"winner":"right"})"), "first");
  for (const ShownOrder& shown : {straight, swapped}) {
    EXPECT_EQ(choice(shown, R"({"winner":"rsp_a"})"), "first");
    EXPECT_EQ(choice(shown, R"({"winner":"rsp_b"})"), "second");
    EXPECT_EQ(choice(shown, R"({"winner":"tie"})"), "tie");
    EXPECT_EQ(choice(shown, R"({"winner":"both_bad"})"), "both_bad");
  }
  EXPECT_EQ(
      validate_answer(schema, pair_parts(), swapped, json(R"({"winner":"left"})")).answer.dump(),
      R"({"winner":"rsp_b"})");
}

TEST(Answer, AnEmptyOrIncompleteAnswerIsRefusedWithTheQuestionsName) {
  const TaskSchema pairwise = built_in_schema("pairwise");
  EXPECT_NE(refusal(pairwise, pair_parts(), "{}").find("\"Which answer is better?\" has no answer"),
            std::string::npos);
  EXPECT_NE(refusal(pairwise, pair_parts(), R"({"winner":null})").find("winner"),
            std::string::npos);
  EXPECT_NE(refusal(pairwise, pair_parts(), "[]").find("/answer"), std::string::npos);
  EXPECT_NE(refusal(pairwise, pair_parts(), R"({"winner":"rsp_c"})").find("response_id"),
            std::string::npos);
  EXPECT_NE(refusal(pairwise, pair_parts(), R"({"winner":7})").find("left or right"),
            std::string::npos);
  EXPECT_NE(refusal(pairwise, pair_parts(), R"({"winner":"tie","mood":1})").find("/answer/mood"),
            std::string::npos);
  const TaskSchema rating = built_in_schema("rating");
  EXPECT_NE(
      refusal(rating, {{"rsp_a"}, {}}, R"({"helpfulness":{"rsp_a":3}})").find("How correct is it?"),
      std::string::npos);
}

TEST(Answer, StrengthBelongsToADecisionAndIsCutFromATie) {
  Json asked = built_in_schema("pairwise").normalised();
  asked["questions"].as_array()[0]["strength"] =
      json(R"({"title":"By how much?","labels":["slightly","clearly","far"]})");
  const TaskSchema schema = parse_task_schema(asked);
  const auto answer = [&](const std::string& text) {
    return validate_answer(schema, pair_parts(), {0, 1}, json(text)).answer.dump();
  };
  EXPECT_EQ(answer(R"({"winner":"left","winner_strength":3})"),
            R"({"winner":"rsp_a","winner_strength":3})");
  EXPECT_EQ(answer(R"({"winner":"tie","winner_strength":3})"), R"({"winner":"tie"})");
  EXPECT_NE(
      refusal(schema, pair_parts(), R"({"winner":"left","winner_strength":4})").find("from 1 to 3"),
      std::string::npos);
  Json strict = schema.normalised();
  strict["questions"].as_array()[0]["strength"]["required"] = true;
  EXPECT_NE(
      refusal(parse_task_schema(strict), pair_parts(), R"({"winner":"left"})").find("By how much?"),
      std::string::npos);
}

TEST(Answer, ARankingNamesEveryResponseOnce) {
  const TaskSchema schema = built_in_schema("ranking");
  const TaskParts parts{{"a", "b", "c"}, {}};
  const auto ranked =
      validate_answer(schema, parts, {2, 0, 1}, json(R"({"order":[["c"],["b","a"]]})"));
  EXPECT_EQ(ranked.answer.dump(), R"({"order":[["c"],["a","b"]]})");
  EXPECT_EQ(ranked.choice, "tie,second,second");  // (a,b) (a,c) (b,c)
  EXPECT_EQ(validate_answer(schema, parts, {2, 0, 1}, json(R"({"order":["c","b","a"]})")).choice,
            "second,second,second");
  for (const char* wrong : {R"({"order":[["a"],["b"]]})", R"({"order":[["a"],["b"],["b"]]})",
                            R"({"order":[["a","b","c","a"]]})", R"({"order":[[],["a","b","c"]]})",
                            R"({"order":"abc"})", R"({"order":[["a"],["b"],["x"]]})"}) {
    EXPECT_NE(refusal(schema, parts, wrong).find("every response once"), std::string::npos)
        << wrong;
  }
}

TEST(Answer, RatingsFlagsAndChecklistsAreAskedOfEveryResponse) {
  const TaskParts parts{{"a", "b"}, {}};
  const TaskSchema safety = built_in_schema("safety");
  const auto flags =
      validate_answer(safety, parts, {0, 1}, json(R"({"flags":{"a":["hate","violence"],"b":[]}})"));
  EXPECT_EQ(flags.answer.dump(), R"({"flags":{"a":["violence","hate"],"b":[]}})");
  EXPECT_EQ(flags.choice.substr(0, 9), "yes,yes,n");
  EXPECT_NE(refusal(safety, parts, R"({"flags":{"a":[]}})").find("every response"),
            std::string::npos);
  EXPECT_NE(refusal(safety, parts, R"({"flags":{"a":["joy"],"b":[]}})").find("nothing applies"),
            std::string::npos);
  const TaskSchema rubric = built_in_schema("rubric");
  EXPECT_NE(
      refusal(rubric, {{"a"}, {}}, R"({"checklist":{"a":{"is_correct":true}}})").find("has none"),
      std::string::npos);
  const TaskSchema rating = built_in_schema("rating");
  for (const char* wrong : {"0", "6", "2.5", "\"3\"", "1e300", "null"}) {
    refusal(
        rating, {{"a"}, {}},
        std::string(R"({"accuracy":{"a":1},"clarity":{"a":1},"helpfulness":{"a":)") + wrong + "}}");
  }
}

TEST(Answer, AConversationIsJudgedTurnByTurn) {
  const TaskSchema schema = built_in_schema("conversation");
  const TaskParts parts{{}, {"user", "assistant", "user", "assistant"}};
  const auto answer = validate_answer(
      schema, parts, {}, json(R"({"turn_quality":{"3":"bad","1":"good"},"overall":2})"));
  EXPECT_EQ(answer.choice, "good,bad");
  EXPECT_NE(refusal(schema, parts, R"({"turn_quality":{"1":"good"},"overall":2})").find("turn 3"),
            std::string::npos);
  refusal(schema, parts, R"({"turn_quality":{"0":"good","1":"good","3":"bad"},"overall":2})");
}

TEST(Answer, ATextIsNotBlankNotTooLongAndValid) {
  const TaskSchema schema = built_in_schema("text");
  EXPECT_NE(refusal(schema, {}, R"({"correction":" \n\t"})").find("blank"), std::string::npos);
  EXPECT_NE(
      refusal(schema, {}, "{\"correction\":\"" + std::string(20001, 'x') + "\"}").find("20000"),
      std::string::npos);
  EXPECT_EQ(validate_answer(schema, {}, {}, json(R"({"correction":"better"})")).choice, "");
  EXPECT_NO_THROW(validate_answer(schema, {}, {},
                                  json("{\"correction\":\"" + std::string(20000, 'x') + "\"}")));
}

TEST(Answer, AReasonIsTakenAsTheSchemaSays) {
  Json changed = built_in_schema("pairwise").normalised();
  EXPECT_EQ(check_rationale(parse_task_schema(changed), "  clear  "), "clear");
  changed["rationale"] = "required";
  EXPECT_NE(
      message_of([&] { check_rationale(parse_task_schema(changed), " "); }).find("/rationale"),
      std::string::npos);
  changed["rationale"] = "off";
  message_of([&] { check_rationale(parse_task_schema(changed), "words"); });
  EXPECT_EQ(check_rationale(parse_task_schema(changed), ""), "");
}

TEST(Answer, AKnownAnswerIsInImportOrderAndNeedsTheMainQuestionOnly) {
  const TaskSchema pairwise = built_in_schema("pairwise");
  for (const char* first : {R"({"winner":"left"})", R"({"winner":0})", R"({"winner":"0"})",
                            R"({"winner":"rsp_a"})", R"({"winner":"first"})"}) {
    EXPECT_EQ(validate_gold_answer(pairwise, pair_parts(), json(first)).choice, "first") << first;
  }
  const TaskSchema rating = built_in_schema("rating");
  EXPECT_EQ(validate_gold_answer(rating, {{"a"}, {}}, json(R"({"helpfulness":{"0":4}})")).choice,
            "4");
  message_of([&] { validate_gold_answer(rating, {{"a"}, {}}, json(R"({"clarity":{"a":4}})")); });
  message_of([&] { validate_gold_answer(pairwise, pair_parts(), json(R"({"winner":2})")); });
}

TEST(ShownOrder, IsAPermutationOrCorrupt) {
  EXPECT_EQ(parse_shown_order("1,0", 2), (ShownOrder{1, 0}));
  EXPECT_EQ(format_shown_order({2, 0, 1}), "2,0,1");
  EXPECT_EQ(parse_shown_order("", 0), ShownOrder{});
  for (const char* wrong : {"", "0", "0,0", "0,2", "1,0,", "a,b", "0,1,2"}) {
    EXPECT_THROW(parse_shown_order(wrong, 2), Error) << wrong;
  }
}

}  // namespace
}  // namespace hone::label
