#include <gtest/gtest.h>

#include <cmath>

#include "base/env.h"
#include "registry/aliases.h"
#include "store/migrate.h"
#include "store/sqlite_database.h"
#include "store/testing.h"

namespace hone::registry {
namespace {

using store::Connection;
using store::Durability;
using store::error_from;
using store::Transaction;

const std::string kHeldout(64, 'e');
std::string digest(char letter) { return std::string(64, letter); }

// Two organisations (1, 2), a shared base and, in the first, two adapters on it.
class RegistryTest : public ::testing::Test {
 protected:
  template <class F>
  auto write(F&& f) {
    return database_->write(Durability::kDisk, std::forward<F>(f));
  }
  template <class F>
  auto read(F&& f) {
    return database_->read(std::forward<F>(f));
  }
  RegistryTest() {
    store::SqliteOptions options;
    options.path = folder_.file("control.db");
    database_ = store::open_sqlite(options, env_);
    write([](Transaction& tx) {
      for (const char* name : {"0001_people", "0003_registry"}) {
        tx.run_script(real_env().read_file(
            "migrations/sqlite/control/" + std::string(name) + ".sql", 1 << 20));
      }
      for (int64_t id : {1, 2}) {
        tx.execute(
            "INSERT INTO organisation (id, public_id, name, created_at_ms) VALUES ($1, $2, "
            "$3, 0)",
            {id, "org_" + std::to_string(id), "Organisation"});
      }
    });
    add(0, "base", ModelKind::kBase, "", 'a');
    add(1, "one", ModelKind::kAdapter, "base", 'b');
    add(1, "two", ModelKind::kAdapter, "base", 'c');
  }
  Model add(int64_t organisation, const std::string& name, ModelKind kind,
            const std::string& parent, char letter) {
    NewModel wanted;
    wanted.id = "mdl_" + std::to_string(++ids_);
    wanted.name = name;
    wanted.kind = kind;
    wanted.parent = parent;
    wanted.path = "/models/" + name;
    wanted.digest = digest(letter);
    return write([&](Transaction& tx) { return add_model(tx, organisation, wanted, "usr_x", 7); });
  }
  Decision decision(const std::string& reason = "") {
    return {.id = "prm_" + std::to_string(++ids_), .by = "usr_x", .reason = reason, .now_ms = 9};
  }
  Promotion promoted(const std::string& model, const GateEvidence* evidence = nullptr,
                     bool force = false, const std::string& reason = "") {
    return write([&](Transaction& tx) {
      return promote(tx, 1, "assistant", model, evidence, force, decision(reason));
    });
  }
  std::string answers() {
    std::string names;
    for (const Target& t : read([](Connection& db) { return resolve(db, 1, "assistant"); })) {
      names += (names.empty() ? "" : "+") + t.model.name;
    }
    return names;
  }
  std::string refusal(const std::function<void()>& act) { return error_from(act).message(); }

  store::TestFolder folder_;
  Env& env_ = real_env();
  std::unique_ptr<store::Database> database_;
  int ids_ = 0;
};

TEST_F(RegistryTest, AModelIsFoundByNameIdAndDigest) {
  const Model one = read([](Connection& db) { return find_model(db, 1, "one"); });
  EXPECT_EQ(one.parent_name, "base");
  EXPECT_FALSE(one.shared);
  EXPECT_EQ(read([&](Connection& db) { return find_model(db, 1, one.id); }).key, one.key);
  EXPECT_EQ(read([](Connection& db) { return find_model(db, 1, "bbbbbbbbbbbb"); }).key, one.key);
  EXPECT_NE(refusal([&] {
              read([](Connection& db) { return find_model(db, 1, "bbb"); });
            }).find("there is no model"),
            std::string::npos)
      << "three characters of a digest are too few";
}

TEST_F(RegistryTest, AnOrganisationSeesItsOwnAndTheSharedAndNothingElse) {
  const auto names = [&](int64_t organisation) {
    std::string all;
    for (const Model& m :
         read([&](Connection& db) { return list_models(db, organisation, 100); })) {
      all += m.name + " ";
    }
    return all;
  };
  EXPECT_EQ(names(1), "one two base ");
  EXPECT_EQ(names(2), "base ");
  for (const char* named : {"one", "bbbbbbbbbbbb", "mdl_2"}) {
    EXPECT_NE(refusal([&] {
                read([&](Connection& db) { return find_model(db, 2, named); });
              }).find("there is no model"),
              std::string::npos)
        << named;
  }
}

TEST_F(RegistryTest, AnOwnNameHidesASharedOne) {
  add(2, "base", ModelKind::kBase, "", 'd');
  EXPECT_EQ(read([](Connection& db) { return find_model(db, 2, "base"); }).digest, digest('d'));
  EXPECT_EQ(read([](Connection& db) { return find_model(db, 1, "base"); }).digest, digest('a'));
}

TEST_F(RegistryTest, WrongModelsAreRefused) {
  EXPECT_NE(refusal([&] { add(1, "one", ModelKind::kBase, "", 'f'); }).find("already"),
            std::string::npos);
  EXPECT_NE(refusal([&] { add(1, "x", ModelKind::kAdapter, "one", 'f'); }).find("is an adapter"),
            std::string::npos);
  EXPECT_NE(refusal([&] { add(1, "x", ModelKind::kAdapter, "", 'f'); }).find("no model"),
            std::string::npos);
  EXPECT_NE(refusal([&] { add(0, "x", ModelKind::kAdapter, "base", 'f'); }).find("organisation"),
            std::string::npos);
  for (const char* name : {"", "a b", "mdl_7", "é"}) {
    EXPECT_FALSE(refusal([&] { add(1, name, ModelKind::kBase, "", 'f'); }).empty()) << name;
  }
}

TEST_F(RegistryTest, AnAliasIsPromotedAndRolledBackAsOftenAsThereAreVersions) {
  promoted("base");
  promoted("one");
  const Promotion last = promoted("two");
  EXPECT_EQ(last.outcome, "by_hand");
  EXPECT_EQ(last.from_version, 2);
  EXPECT_EQ(last.to_version, 3);
  EXPECT_EQ(answers(), "two");
  const auto back = [&] {
    return write([&](Transaction& tx) { return roll_back(tx, 1, "assistant", decision()); });
  };
  EXPECT_EQ(back().to_version, 2);
  EXPECT_EQ(answers(), "one");
  back();
  EXPECT_EQ(answers(), "base");
  EXPECT_NE(refusal(back).find("no earlier version"), std::string::npos);
  promoted("two");
  EXPECT_EQ(answers(), "two");
  back();
  EXPECT_EQ(answers(), "base") << "back to what answered before, not to the version number below";
  EXPECT_EQ(read([](Connection& db) { return list_promotions(db, 1, "assistant", 100); }).size(),
            7u);
}

TEST_F(RegistryTest, AMoveFromAVersionThatIsGoneIsRefused) {
  promoted("one");
  Decision late = decision();
  late.expected_version = 0;
  EXPECT_NE(refusal([&] {
              write([&](Transaction& tx) {
                return promote(tx, 1, "assistant", "two", nullptr, false, late);
              });
            }).find("moved on"),
            std::string::npos);
  EXPECT_EQ(answers(), "one");
}

TEST_F(RegistryTest, AGateWantsEvidenceAndRecordsWhatItSaid) {
  promoted("one");
  GateSettings gate;
  gate.heldout_digest = kHeldout;
  write([&](Transaction& tx) { set_gate(tx, 1, "assistant", &gate, 9); });
  EXPECT_NE(refusal([&] { promoted("two"); }).find("has a gate"), std::string::npos);

  GateEvidence evidence;
  evidence.main.data_digest = kHeldout;
  evidence.main.metric = "likelihood_accuracy";
  evidence.main.candidate_digest = digest('c');
  evidence.main.champion_digest = digest('b');
  evidence.main.n = 100;
  evidence.main.verdict = quality::Verdict::kWorse;
  const Promotion worse = promoted("two", &evidence);
  EXPECT_EQ(worse.outcome, "worse");
  EXPECT_FALSE(worse.moved());
  EXPECT_EQ(answers(), "one");

  evidence.main.verdict = quality::Verdict::kBetter;
  EXPECT_EQ(promoted("two", &evidence).outcome, "promoted");
  EXPECT_EQ(answers(), "two");
  const auto all = read([](Connection& db) { return list_promotions(db, 1, "assistant", 10); });
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].evidence.at("main").at("verdict").as_string(), "better");
  EXPECT_EQ(all[1].outcome, "worse");

  EXPECT_NE(refusal([&] { promoted("one", nullptr, true); }).find("reason"), std::string::npos);
  EXPECT_EQ(promoted("one", nullptr, true, "an incident").outcome, "by_hand");
  EXPECT_EQ(answers(), "one");
}

TEST_F(RegistryTest, ASplitFollowsItsWeightsAndAKeyStaysWithItsModel) {
  write([&](Transaction& tx) {
    return split(tx, 1, "assistant", {{"one", 1.0}, {"two", 3.0}}, decision());
  });
  const auto targets = read([](Connection& db) { return resolve(db, 1, "assistant"); });
  ASSERT_EQ(targets.size(), 2u);
  const std::vector<double> weights = {targets[0].weight, targets[1].weight};
  int first = 0;
  constexpr int kKeys = 20'000;
  for (int i = 0; i < kKeys; ++i) {
    first += pick(weights, "conversation " + std::to_string(i)) == 0 ? 1 : 0;
  }
  // Five standard deviations of a binomial share of one quarter.
  EXPECT_NEAR(first, kKeys / 4, 5 * std::sqrt(kKeys * 0.25 * 0.75));
  EXPECT_EQ(pick(weights, "k"), pick(weights, "k"));
  const auto wrong = [&](const std::vector<std::pair<std::string, double>>& models) {
    return refusal([&] {
      write([&](Transaction& tx) { return split(tx, 1, "assistant", models, decision()); });
    });
  };
  EXPECT_NE(wrong({{"one", 1}}).find("two to eight"), std::string::npos);
  EXPECT_NE(wrong({{"one", 1}, {"one", 1}}).find("twice"), std::string::npos);
  EXPECT_NE(wrong({{"one", 1}, {"two", 0}}).find("weight"), std::string::npos);
  EXPECT_EQ(answers(), "one+two");
}

TEST_F(RegistryTest, WhatIsInUseIsNotRetired) {
  promoted("one");
  const auto retire = [&](int64_t organisation, const std::string& name) {
    write([&](Transaction& tx) { retire_model(tx, organisation, name, 9); });
  };
  EXPECT_NE(refusal([&] { retire(1, "one"); }).find("assistant answers with one"),
            std::string::npos);
  EXPECT_NE(refusal([&] { retire(1, "base"); }).find("shared"), std::string::npos);
  EXPECT_NE(refusal([&] { retire(0, "base"); }).find("stands on base"), std::string::npos);
  promoted("two");
  retire(1, "one");
  EXPECT_NE(refusal([&] {
              read([](Connection& db) { return find_model(db, 1, "one"); });
            }).find("no model"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              write([&](Transaction& tx) { return roll_back(tx, 1, "assistant", decision()); });
            }).find("no model"),
            std::string::npos)
      << "a retired model does not come back by rolling back";
  add(1, "one", ModelKind::kAdapter, "base", 'f');  // its name is free again
}

TEST_F(RegistryTest, NamesOfAliasesAndModelsDoNotMix) {
  promoted("one");
  EXPECT_NE(refusal([&] { add(1, "assistant", ModelKind::kBase, "", 'f'); }).find("alias"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              write([&](Transaction& tx) {
                return promote(tx, 1, "two", "one", nullptr, false, decision());
              });
            }).find("name of a model"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              read([](Connection& db) { return resolve(db, 2, "assistant"); });
            }).find("no model"),
            std::string::npos)
      << "an alias is nothing to another organisation";
}

}  // namespace
}  // namespace hone::registry
