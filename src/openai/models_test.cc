// What a name means to whom: loaded models, the registry's, and aliases.
#include "openai/models.h"

#include <gtest/gtest.h>

#include "openai/errors.h"

namespace hone::openai {
namespace {

ServedModelPointer model(const std::string& name, const std::string& owner, char digest) {
  ServedModel made;
  made.name = name;
  made.owner = owner;
  made.digest = std::string(64, digest);
  return std::make_shared<const ServedModel>(made);
}

class ModelsTest : public testing::Test {
 protected:
  ModelsTest() : models_(*model("base", "", 'a')) {
    one_ = model("one", "org_a", 'b');
    two_ = model("two", "org_a", 'c');
    models_.set_registry({one_, two_}, {{"assistant", "org_a", {one_}, {1.0}}});
  }
  std::string found(const std::string& name, const std::string& organisation,
                    const std::string& key = "k") {
    try {
      return models_.find(name, organisation, key)->name;
    } catch (const RequestError& error) {
      return "refused";
    }
  }
  std::string names(const std::string& organisation) {
    std::string all;
    for (const ServedModelPointer& each : models_.list(organisation)) {
      all += each->name + (each->alias_of.empty() ? "" : ">" + each->alias_of) + " ";
    }
    return all;
  }
  Models models_;
  ServedModelPointer one_, two_;
};

TEST_F(ModelsTest, AnAliasAnswersWithWhatItMeansNow) {
  EXPECT_EQ(found("assistant", "org_a"), "one");
  models_.set_registry({one_, two_}, {{"assistant", "org_a", {two_}, {1.0}}});
  EXPECT_EQ(found("assistant", "org_a"), "two");
  models_.set_registry({one_, two_}, {});
  EXPECT_EQ(found("assistant", "org_a"), "refused");
}

TEST_F(ModelsTest, NothingOfOneOrganisationIsSeenByAnother) {
  EXPECT_EQ(names("org_a"), "base one two assistant>one ");
  EXPECT_EQ(names("org_b"), "base ");
  for (const char* name : {"one", "assistant"}) EXPECT_EQ(found(name, "org_b"), "refused") << name;
  EXPECT_EQ(found(one_->digest, "org_b"), "refused");
  EXPECT_EQ(found(one_->digest, "org_a"), "one");
}

TEST_F(ModelsTest, ASplitGoesByItsWeightsAndAKeyStays) {
  models_.set_registry({one_, two_}, {{"assistant", "org_a", {one_, two_}, {1.0, 1.0}}});
  int ones = 0;
  for (int i = 0; i < 1000; ++i) {
    ones += found("assistant", "org_a", "user " + std::to_string(i)) == "one" ? 1 : 0;
  }
  EXPECT_GT(ones, 420);  // five standard deviations
  EXPECT_LT(ones, 580);
  EXPECT_EQ(found("assistant", "org_a", "x"), found("assistant", "org_a", "x"));
}

TEST_F(ModelsTest, WhatIsLoadedHidesTheRegistrysAndComesBackWhenItGoes) {
  models_.add(*model("one", "org_a", 'f'));
  EXPECT_EQ(models_.find("one", "org_a")->digest, std::string(64, 'f'));
  EXPECT_EQ(names("org_a"), "base one two assistant>one ");
  models_.remove("one", "org_a");
  EXPECT_EQ(models_.find("one", "org_a")->digest, std::string(64, 'b'));
}

TEST_F(ModelsTest, WhoHoldsAModelKeepsItWhenTheRegistryMovesOn) {
  const ServedModelPointer held = models_.find("assistant", "org_a");
  one_.reset();
  models_.set_registry({two_}, {{"assistant", "org_a", {two_}, {1.0}}});
  EXPECT_EQ(held->name, "one");
}

}  // namespace
}  // namespace hone::openai
