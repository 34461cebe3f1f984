// One row: what decides its kind, what is refused, how an implicit prompt is found.

#include "data/rows.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace hone::data {
namespace {

Row read(std::string_view text, std::vector<RowKind> accepted = {}) {
  return row_from_json(Json::parse(text).value(), accepted).value();
}

void expect_refused(std::string_view text, std::string_view reason) {
  const Result<Row> row = row_from_json(Json::parse(text).value());
  ASSERT_FALSE(row.has_value()) << text;
  EXPECT_NE(row.error().message().find(reason), std::string::npos)
      << text << "\n  said: " << row.error().message();
}

TEST(RowKind, IsDecidedByTheKeys) {
  EXPECT_EQ(read(R"({"text":"a"})").kind, RowKind::kText);
  EXPECT_EQ(read(R"({"messages":[{"role":"user","content":"a"}]})").kind, RowKind::kMessages);
  EXPECT_EQ(read(R"({"prompt":"a","completion":"b"})").kind, RowKind::kPromptCompletion);
  EXPECT_EQ(read(R"({"prompt":"a","chosen":"b","rejected":"c"})").kind, RowKind::kPreference);
  EXPECT_EQ(read(R"({"prompt":"a","completion":"b","label":false})").kind, RowKind::kUnpaired);
  EXPECT_EQ(read(R"({"prompt":"a","solution":"x"})").kind, RowKind::kPromptOnly);
  EXPECT_EQ(read(R"({"prompt_ids":[1,2]})").kind, RowKind::kPromptOnly);
  EXPECT_EQ(read(R"({"input_ids":[1,2]})").kind, RowKind::kTokenizedLm);
  EXPECT_EQ(read(R"({"prompt_ids":[1],"completion_ids":[2]})").kind, RowKind::kTokenizedCompletion);
  EXPECT_EQ(read(R"({"prompt_ids":[],"chosen_ids":[2],"rejected_ids":[3]})").kind,
            RowKind::kTokenizedPreference);
  EXPECT_EQ(read(R"({"text":"a","prompt":null})").kind, RowKind::kText);
}

TEST(RowKind, CallerMayPreferAnotherReadingOfTheSameRow) {
  const std::string_view row = R"({"prompt":"a","chosen":"b","rejected":"c",
      "messages":[{"role":"user","content":"a"}]})";
  EXPECT_EQ(read(row).kind, RowKind::kPreference);
  EXPECT_EQ(read(row, {RowKind::kMessages, RowKind::kText}).kind, RowKind::kMessages);
  EXPECT_NE(read(row).provenance.find("messages"), nullptr);
  const auto refused = row_from_json(Json::parse(R"({"text":"a"})").value(),
                                     std::vector<RowKind>{RowKind::kPreference});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message(), "needs chosen + rejected; the row has \"text\"");
}

TEST(RowKind, HalvesAndStrangersAreRefusedByName) {
  expect_refused(R"({"chosen":"a"})", "\"chosen\" without \"rejected\"");
  expect_refused(R"({"prompt":"p","rejected":"a"})", "\"rejected\" without \"chosen\"");
  expect_refused(R"({"prompt_ids":[1],"chosen_ids":[2]})",
                 "\"chosen_ids\" without \"rejected_ids\"");
  expect_refused(R"({"completion":"a"})", "\"completion\" without \"prompt\"");
  expect_refused(R"({"chosen_ids":[1],"rejected_ids":[2]})",
                 "\"chosen_ids\" without \"prompt_ids\"");
  expect_refused(R"({"question":"a"})", "none of the keys of a training row");
  expect_refused(R"({})", "none of the keys");
  expect_refused(R"([1,2])", "found a array");
}

TEST(Row, KeepsExtrasAndProvenance) {
  const Row row = read(R"({"prompt":"p","chosen":"a","rejected":"b","weight":0.5,"probability":0.75,
      "id":17,"labels":["ann_1",2],"source":{"x":[1]},"note":null})");
  EXPECT_EQ(row.weight, 0.5);
  EXPECT_EQ(row.probability, 0.75);
  EXPECT_EQ(row.id, "17");
  EXPECT_EQ(row.labels, (std::vector<std::string>{"ann_1", "2"}));
  EXPECT_EQ(row.provenance.dump(), R"({"source":{"x":[1]}})");
  const Row plain = read(R"({"prompt":"p","chosen":"a","rejected":"b"})");
  EXPECT_EQ(plain.weight, 1.0);
  EXPECT_EQ(plain.probability, 1.0);
  EXPECT_EQ(plain.provenance.size(), 0u);
}

TEST(Row, RefusesWeightsAndProbabilitiesOutOfRange) {
  const std::string head = R"({"prompt":"p","chosen":"a","rejected":"b",)";
  expect_refused(head + R"("weight":-1})", "\"weight\" must be a finite number");
  expect_refused(head + R"("weight":"1"})", "\"weight\" must be a number, found a string");
  expect_refused(head + R"("probability":1.5})", "\"probability\" must lie between 0 and 1");
  expect_refused(head + R"("probability":-0.1})", "\"probability\" must lie between 0 and 1");
  expect_refused(head + R"("id":[1]})", "\"id\" must be a string or an integer");
  expect_refused(head + R"("labels":"x"})", "\"labels\" must be a list");
  expect_refused(R"({"prompt":"p","completion":"a","label":1})", "\"label\" must be true or false");
}

TEST(Row, StringsAndMessageListsDoNotMix) {
  expect_refused(R"({"prompt":"p","chosen":[{"role":"assistant","content":"a"}],"rejected":"b"})",
                 "must all be strings or all be message lists");
  expect_refused(R"({"prompt":[{"role":"user","content":"a"}],"completion":"b"})",
                 "must all be strings or all be message lists");
  EXPECT_TRUE(read(R"({"prompt":[{"role":"user","content":"a"}],
      "completion":[{"role":"assistant","content":"b"}]})")
                  .conversational());
  EXPECT_FALSE(read(R"({"prompt":"a","completion":"b"})").conversational());
}

TEST(Messages, RolesAreFreeButNotEmptyAndContentIsAString) {
  EXPECT_EQ(read(R"({"messages":[{"role":"narrator","content":""}]})").messages.size(), 1u);
  EXPECT_EQ(
      read(R"({"messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]})").messages.size(),
      1u);
  expect_refused(R"({"messages":[]})", "\"messages\" has no messages");
  expect_refused(R"({"messages":"hi"})", "\"messages\" must be a list of messages, found a string");
  expect_refused(R"({"messages":[{"role":"","content":"a"}]})", "messages[0] has an empty role");
  expect_refused(R"({"messages":[{"content":"a"}]})", "messages[0] has no role");
  expect_refused(R"({"messages":[{"role":"user"}]})", "messages[0] has no content");
  expect_refused(R"({"messages":[{"role":"user","content":"a"},{"role":"user","content":[1]}]})",
                 "messages[1]: content must be a string, found a array");
  expect_refused(R"({"messages":["hi"]})", "messages[0] must be an object");
}

TEST(TokenIds, AreWholeNumbersThatFit) {
  EXPECT_EQ(read(R"({"input_ids":[0,2147483647]})").input_ids.back(), 2147483647);
  expect_refused(R"({"input_ids":[1,-1]})", "input_ids[1] is not a token id: -1");
  expect_refused(R"({"input_ids":[1,-100]})", "input_ids[1] is not a token id: -100");
  expect_refused(R"({"input_ids":[2147483648]})", "input_ids[0] is not a token id");
  expect_refused(R"({"input_ids":[1.5]})", "input_ids[0] is not a token id");
  expect_refused(R"({"input_ids":[1e300]})", "input_ids[0] is not a token id");
  expect_refused(R"({"input_ids":["1"]})", "input_ids[0] is not a token id");
  expect_refused(R"({"input_ids":[]})", "\"input_ids\" is empty");
  expect_refused(R"({"input_ids":7})", "\"input_ids\" must be an array");
  expect_refused(R"({"prompt_ids":[1],"chosen_ids":[],"rejected_ids":[1]})",
                 "\"chosen_ids\" is empty");
}

TEST(TokenLabels, MatchTheirIdsAndLeaveSomethingToTrain) {
  EXPECT_EQ(read(R"({"input_ids":[5,6],"labels":[-100,6]})").token_labels,
            (std::vector<int32_t>{kNotTrained, 6}));
  expect_refused(R"({"input_ids":[5,6],"labels":[6]})", "\"labels\" has 1 entries");
  expect_refused(R"({"input_ids":[5,6],"labels":[-100,-100]})", "trains nothing");
  expect_refused(R"({"input_ids":[5,6],"labels":[5,-100]})", "the first token is never predicted");
  expect_refused(R"({"input_ids":[5,6],"labels":[-100,-7]})", "labels[1] is not a token id: -7");
}

TEST(ImplicitPrompt, StringsSplitWhereTheyDifferAndTheSpaceStaysWithTheAnswer) {
  const Row row = read(R"({"chosen":"The sky is blue.","rejected":"The sky is green."})");
  EXPECT_EQ(row.prompt.as_string(), "The sky is");
  EXPECT_EQ(row.chosen.as_string(), " blue.");
  EXPECT_EQ(row.rejected.as_string(), " green.");
  const Row word = read(R"({"chosen":"abcX","rejected":"abcY"})");
  EXPECT_EQ(word.prompt.as_string(), "abc");
  const Row nothing = read(R"({"chosen":"X","rejected":"Y"})");
  EXPECT_EQ(nothing.prompt.as_string(), "");
}

TEST(ImplicitPrompt, CharactersOfSeveralBytesStayWhole) {
  const Row row = read(R"({"chosen":"naé","rejected":"naè"})");  // share their first byte
  EXPECT_EQ(row.prompt.as_string(), "na");
  EXPECT_EQ(row.chosen.as_string(), "é");
  const Row longer = read(R"({"chosen":"a€","rejected":"a€!"})");
  EXPECT_EQ(longer.prompt.as_string(), "a");
  EXPECT_EQ(longer.chosen.as_string(), "€");
  EXPECT_EQ(longer.rejected.as_string(), "€!");
}

TEST(ImplicitPrompt, MessageListsSplitByWholeMessage) {
  const Row row = read(R"({
      "chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],
      "rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}]})");
  EXPECT_EQ(row.prompt.size(), 1u);
  EXPECT_EQ(row.chosen.size(), 1u);
  EXPECT_EQ(row.rejected.as_array()[0].at("content").as_string(), "b");
}

TEST(ImplicitPrompt, EqualAnswersKeepTheirLastMessageAndNothingSharedIsRefused) {
  const Row row = read(R"({
      "chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],
      "rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]})");
  EXPECT_EQ(row.prompt.size(), 1u);
  EXPECT_EQ(row.chosen, row.rejected);
  expect_refused(
      R"({"chosen":[{"role":"user","content":"q"}],"rejected":[{"role":"user","content":"r"}]})",
      "share no message");
  expect_refused(R"({"chosen":"","rejected":"a"})", "needs an explicit \"prompt\"");
}

TEST(RowContent, LooksAtWhatIsTrainedAndAtNothingElse) {
  EXPECT_EQ(row_content(read(R"({"prompt":"p","completion":"c","id":1,"x":2,"weight":3})")),
            row_content(read(R"({"completion":"c","prompt":"p"})")));
  EXPECT_NE(row_content(read(R"({"prompt":"p","completion":"c"})")),
            row_content(read(R"({"prompt":"pc","completion":""})")));
}

TEST(Rows, AnAnswerInStepsHasALabelForEach) {
  const Row row = read(R"({"prompt":"p","completions":["a","b"],"labels":[true,false],"x":1})");
  EXPECT_EQ(row.kind, RowKind::kStepwise);
  EXPECT_EQ(row.steps, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(row.step_labels, (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(row.provenance.size(), 1u);
  for (const char* bad : {R"({"prompt":"p","completions":["a","b"],"labels":[true]})",
                          R"({"prompt":"p","completions":[],"labels":[]})",
                          R"({"prompt":"p","completions":["a"],"labels":[1]})",
                          R"({"prompt":"p","completions":[2],"labels":[true]})",
                          R"({"prompt":"p","completions":"a","labels":[true]})"}) {
    EXPECT_FALSE(row_from_json(Json::parse(bad).value())) << bad;
  }
}

TEST(Rows, APreferenceMayHaveAMarginThatIsANumber) {
  EXPECT_EQ(read(R"({"prompt":"p","chosen":"a","rejected":"b","margin":0.5})").margin, 0.5);
  EXPECT_EQ(read(R"({"prompt":"p","chosen":"a","rejected":"b"})").margin, 0);
  const Json text =
      Json::parse(R"({"prompt":"p","chosen":"a","rejected":"b","margin":"much"})").value();
  EXPECT_FALSE(row_from_json(text));
}

}  // namespace
}  // namespace hone::data
