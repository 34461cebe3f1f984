#include "feedback/kept_completions.h"

#include <gtest/gtest.h>

#include "base/env.h"
#include "base/forwarding_env.h"

namespace hone::feedback {
namespace {

class Clock : public ForwardingEnv {
 public:
  Clock() : ForwardingEnv(real_env()) {}
  int64_t now_ms() override { return now; }
  int64_t now = 1'000'000;
};

KeptCompletion one(const std::string& organisation, const std::string& id, int64_t at_ms,
                   size_t text_bytes = 10) {
  KeptCompletion completion;
  completion.head.id = id;
  completion.head.organisation = organisation;
  completion.head.model = "tiny";
  completion.head.fingerprint = "f";
  completion.head.settings = Json::parse(R"({"temperature":0.5,"seed":7})").value();
  completion.head.messages = Json::parse(R"([{"role":"user","content":"hi"}])").value();
  completion.head.created_at_ms = at_ms;
  Choice choice;
  choice.text = std::string(text_bytes, 'x');
  choice.finish_reason = "stop";
  choice.token_ids = {1, 2};
  choice.log_probs = {-0.25f, -0.1f};
  completion.choices.push_back(std::move(choice));
  return completion;
}

TEST(KeptCompletions, AreFoundByTheirOrganisationAndByNobodyElse) {
  Clock clock;
  KeptCompletions kept(clock, {}, "secret");
  kept.keep(one("org_a", "c1", clock.now));
  ASSERT_NE(kept.find("org_a", "c1"), nullptr);
  EXPECT_EQ(kept.find("org_b", "c1"), nullptr);
  EXPECT_FALSE(kept.was_here("org_b", "c1"));
  EXPECT_EQ(kept.find("org_a", "c2"), nullptr);
  kept.keep(one("", "c3", clock.now));  // nobody's: nobody could judge it
  EXPECT_EQ(kept.counts().completions, 1u);
}

TEST(KeptCompletions, GoWhenTheyAreOldAndAreThenGoneAndNotUnknown) {
  Clock clock;
  KeptCompletions kept(clock, {.keep_ms = 1000}, "secret");
  kept.keep(one("o", "old", clock.now));
  clock.now += 1000;
  EXPECT_NE(kept.find("o", "old"), nullptr);
  clock.now += 1;
  EXPECT_EQ(kept.find("o", "old"), nullptr);
  EXPECT_TRUE(kept.was_here("o", "old"));
  EXPECT_FALSE(kept.was_here("o", "never"));
  EXPECT_EQ(kept.counts().bytes, 0u);
}

TEST(KeptCompletions, SweepTakesTheOldOfThoseWhomNobodyAsksAbout) {
  Clock clock;
  KeptCompletions kept(clock, {.keep_ms = 1000}, "secret");
  kept.keep(one("a", "1", clock.now));
  clock.now += 2000;
  kept.keep(one("b", "2", clock.now));
  EXPECT_EQ(kept.counts().completions, 2u);
  kept.sweep();
  EXPECT_EQ(kept.counts().completions, 1u);
}

TEST(KeptCompletions, AreBoundedInNumberAndBytesTheOldestGoFirst) {
  Clock clock;
  KeptCompletions few(clock, {.completions_max = 3}, "secret");
  for (int i = 0; i < 10; ++i) few.keep(one("o", "c" + std::to_string(i), clock.now));
  EXPECT_EQ(few.counts().completions, 3u);
  EXPECT_EQ(few.counts().pushed_out, 7u);
  EXPECT_NE(few.find("o", "c9"), nullptr);
  EXPECT_TRUE(few.was_here("o", "c6"));

  KeptCompletions small(clock, {.bytes_max = 100'000, .total_bytes_max = 150'000}, "secret");
  small.keep(one("o", "large", clock.now, 20'000));
  EXPECT_EQ(small.find("o", "large"), nullptr);
  EXPECT_EQ(small.counts().too_large, 1u);
  for (int i = 0; i < 100; ++i) small.keep(one("o", "c" + std::to_string(i), clock.now, 5'000));
  EXPECT_LE(small.counts().bytes, 100'000u);
  small.keep(one("p", "p1", clock.now, 5'000));
  for (int i = 0; i < 100; ++i) small.keep(one("q", "q" + std::to_string(i), clock.now, 5'000));
  EXPECT_LE(small.counts().bytes, 150'000u);
  EXPECT_NE(small.find("p", "p1"), nullptr);  // the full ones made room
}

TEST(KeptCompletions, WithZeroHoursNothingIsKept) {
  Clock clock;
  KeptCompletions kept(clock, {.keep_ms = 0}, "secret");
  bool told = false;
  kept.on_consented([&](const KeptPointer&) { told = true; });
  KeptCompletion completion = one("o", "c", clock.now);
  completion.head.consented = true;
  kept.keep(std::move(completion));
  EXPECT_EQ(kept.find("o", "c"), nullptr);
  EXPECT_FALSE(told);
}

TEST(KeptCompletions, OnlyThoseWithConsentAreHandedOn) {
  Clock clock;
  KeptCompletions kept(clock, {}, "secret");
  std::vector<std::string> told;
  kept.on_consented([&](const KeptPointer& each) { told.push_back(each->head.id); });
  kept.keep(one("o", "silent", clock.now));
  KeptCompletion completion = one("o", "open", clock.now);
  completion.head.consented = true;
  kept.keep(std::move(completion));
  EXPECT_EQ(told, std::vector<std::string>{"open"});
}

TEST(KeptCompletions, ForgottenOnesAreGone) {
  Clock clock;
  KeptCompletions kept(clock, {}, "secret");
  kept.keep(one("o", "a", clock.now));
  kept.keep(one("o", "b", clock.now));
  kept.forget("o", "a");
  kept.forget("o", "never");
  EXPECT_EQ(kept.find("o", "a"), nullptr);
  EXPECT_TRUE(kept.was_here("o", "a"));
  EXPECT_NE(kept.find("o", "b"), nullptr);
}

TEST(KeptCompletions, TheMacHoldsForWhatTheServerSaidAndForNothingElse) {
  Clock clock;
  const KeptCompletions kept(clock, {.keep_ms = 0}, "secret");
  KeptCompletion completion = one("o", "c", clock.now);
  completion.head.settings["temperature"] = 0.7f;  // an f32 reads back as its decimal
  completion.head.settings["seed"] = int64_t{1} << 60;
  const std::string mac = kept.mac(completion.head, 0, "", completion.choices[0].text);
  Json sent = Json::parse(completion.answer(0).to_json().dump()).value();
  Answer answer = Answer::from_json(sent);
  answer.head.organisation = "o";
  EXPECT_TRUE(kept.check(answer, mac));
  const auto changed = [&](auto change) {
    Answer other = answer;
    change(other);
    return kept.check(other, mac);
  };
  EXPECT_FALSE(changed([](Answer& a) { a.choice.text += "!"; }));
  EXPECT_FALSE(changed([](Answer& a) { a.head.organisation = "p"; }));
  EXPECT_FALSE(changed([](Answer& a) { a.head.model = "other"; }));
  EXPECT_FALSE(changed([](Answer& a) { a.head.settings["seed"] = 8; }));
  EXPECT_FALSE(changed([](Answer& a) { a.index = 1; }));
  EXPECT_FALSE(changed([](Answer& a) { a.head.messages = Json(); }));
  EXPECT_FALSE(kept.check(answer, mac.substr(1)));
  EXPECT_FALSE(KeptCompletions(clock, {}, "another").check(answer, mac));
}

TEST(Answer, ReadsBackWhatItWrote) {
  const Answer answer = one("o", "c", 5).answer(0);
  const Answer again = Answer::from_json(Json::parse(answer.to_json().dump()).value());
  EXPECT_EQ(again.to_json().dump(), answer.to_json().dump());
  EXPECT_EQ(again.choice.log_probs, answer.choice.log_probs);
  EXPECT_EQ(answer.completion("better").dump(), R"([{"role":"assistant","content":"better"}])");
  EXPECT_THROW(Answer::from_json(Json::parse(R"({"completion":1})").value()), Error);
}

}  // namespace
}  // namespace hone::feedback
