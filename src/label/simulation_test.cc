// Two hundred people, crashes, cuts of power, lost connections and clocks that jump. What must hold
// whatever happens: never more valid annotations on a task than it wants, none acknowledged and then
// lost, nobody starved of an open task, each answer once, counters that a recount confirms, a chain
// that verifies.
//
// Deterministic by seed: 3,000 steps, 100,000 with HONE_TEST_LONG, HONE_LABEL_STEPS when it is set.

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "label/events.h"
#include "label/receipt.h"
#include "label/testing.h"

namespace hone::label {
namespace {

// An answer in a browser's outbox: given, perhaps sent, not known to have arrived.
struct Waiting {
  std::string assignment, answer, receipt;
  int64_t task = 0;
};
struct Person {
  Actor actor;
  std::vector<Lease> held;      // pages that are open, whatever the server thinks
  std::vector<Waiting> outbox;  // in the order in which they were given
};
struct Acknowledged {
  std::string annotation, answer;
  size_t person = 0;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed, size_t people)
      : test_(seed), rng_(seed, rng_stream("people")) {
    project_ = test_.pairwise(3);
    test_.add_tasks(project_, 150, 0);
    test_.add_tasks(project_, 50, 2);
    for (size_t i = 0; i < people; ++i) {
      people_.push_back({test_.person("p" + std::to_string(i)), {}, {}});
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (i % 500 == 499) check();
    }
    for (size_t i = 0; i < people_.size(); ++i) deliver(i, people_[i].outbox.size(), false);
    check();
    check_nobody_starves();
    check();
    if (steps >= 1000) {
      EXPECT_GT(cuts_, 0);
      EXPECT_GT(gone_.size(), 0u);
      EXPECT_GT(acknowledged_.size(), 100u);
    }
  }

 private:
  void step() {
    const size_t who = rng_.below(people_.size());
    Person& person = people_[who];
    const uint64_t what = rng_.below(1004);
    if (what < 300) {
      take(person);
    } else if (what < 700) {
      answer(who);
    } else if (what < 760) {
      deliver(who, 1 + rng_.below(3), true);
    } else if (what < 820) {
      skip_one(person);
    } else if (what < 860) {
      release_one(person);
    } else if (what < 900) {
      beat(person);
    } else if (what < 950) {
      undo_one(who);
    } else if (what < 980) {
      test_.env.advance_ms(static_cast<int64_t>(rng_.below(1200 * 1000)));
    } else if (what < 985) {
      // A clock that is set, forwards and backwards.
      test_.env.advance_ms(static_cast<int64_t>(rng_.below(7200 * 1000)) - 3600 * 1000);
    } else if (what < 990) {
      test_.open();  // the process ended
    } else if (what < 995) {
      test_.write([&](store::Transaction&) { test_.org().queue().drop_all(); });
    } else if (what < 1000) {
      test_.add_tasks(project_, 2, static_cast<int64_t>(rng_.below(4)));
    } else {
      lose_power();
    }
  }

  void take(Person& person) {
    const auto next = test_.next(person.actor, project_, 1 + rng_.below(3));
    for (const Lease& lease : next.leases) {
      // A browser shows no task again whose answer waits in its outbox.
      const bool open =
          std::any_of(person.held.begin(), person.held.end(),
                      [&](const Lease& page) { return page.task == lease.task; }) ||
          std::any_of(person.outbox.begin(), person.outbox.end(),
                      [&](const Waiting& waiting) { return waiting.task == lease.task; });
      if (!open) person.held.push_back(lease);
      if (is_forgetting_) gone_.insert(lease.public_id);
    }
  }

  // Leases, skips and heartbeats of a while go with the power; answers that people gave meanwhile wait
  // in their browsers.
  void lose_power() {
    test_.save_files();
    is_forgetting_ = true;
    for (int i = 0; i < 30; ++i) {
      const size_t who = rng_.below(people_.size());
      Person& person = people_[who];
      switch (rng_.below(5)) {
        case 0: skip_one(person); break;
        case 1: beat(person); break;
        case 2: answer(who, false); break;
        default: take(person); break;
      }
    }
    test_.lose_power();
    is_forgetting_ = false;
    ++cuts_;
  }

  // A lease that went with the power is unknown afterwards, and no other ever is.
  void expect_gone(const Error& error, const std::string& assignment) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound) << error.message();
    EXPECT_TRUE(gone_.contains(assignment)) << assignment << " was forgotten";
  }

  void answer(size_t who, bool may_send = true) {
    Person& person = people_[who];
    if (person.held.empty()) return;
    const size_t at = rng_.below(person.held.size());
    const Lease lease = person.held[at];
    person.held.erase(person.held.begin() + static_cast<ptrdiff_t>(at));
    const char* words[] = {"left", "right", "tie", "both_bad"};
    const std::string task =
        test_.text("SELECT public_id FROM task WHERE id = " + std::to_string(lease.task));
    person.outbox.push_back({lease.public_id,
                             std::string(R"({"winner":")") + words[rng_.below(4)] + "\"}",
                             make_receipt(test_.org(), lease, task), lease.task});
    if (may_send && rng_.below(4) != 0) deliver(who, person.outbox.size(), true);
  }

  // Sends the first `count` answers in order; on a bad line the acknowledgement is lost, and the
  // browser sends the same again later.
  void deliver(size_t who, size_t count, bool bad_line) {
    Person& person = people_[who];
    for (; count > 0 && !person.outbox.empty(); --count) {
      const Waiting waiting = person.outbox.front();
      Submitted submitted;
      try {
        submitted = test_.answer(person.actor, waiting.assignment, waiting.answer, waiting.receipt);
      } catch (const Error& error) {
        ADD_FAILURE() << "an answer was refused: " << error.message();
        return;
      }
      if (bad_line && rng_.below(5) == 0) return;
      person.outbox.erase(person.outbox.begin());
      acknowledged_[waiting.assignment] = {submitted.annotation_id, waiting.answer, who};
    }
  }

  void skip_one(Person& person) {
    if (person.held.empty()) return;
    const std::string id = person.held.back().public_id;
    person.held.pop_back();
    try {
      test_.write([&](store::Transaction& tx) {
        skip(test_.org(), tx, person.actor, id, "I do not know the subject", "");
      });
    } catch (const Error& error) {
      expect_gone(error, id);
    }
  }

  void release_one(Person& person) {
    if (person.held.empty()) return;
    const std::string id = person.held.back().public_id;
    person.held.pop_back();
    try {
      test_.write([&](store::Transaction& tx) { release(test_.org(), tx, person.actor, id); });
    } catch (const Error& error) {
      expect_gone(error, id);
    }
  }

  void beat(Person& person) {
    if (person.held.empty()) return;
    const std::string id = person.held.back().public_id;
    try {
      test_.write(
          [&](store::Transaction& tx) { return heartbeat(test_.org(), tx, person.actor, id); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kConflict) expect_gone(error, id);
    }
  }

  void undo_one(size_t who) {
    Person& person = people_[who];
    if (!person.outbox.empty()) return;
    for (auto it = acknowledged_.begin(); it != acknowledged_.end(); ++it) {
      if (it->second.person != who) continue;
      // As the list of one's own work names it: the first lease may have gone with the power.
      const std::string assignment = test_.text(
          "SELECT s.public_id FROM annotation a JOIN assignment s ON s.id = a.assignment_id"
          " WHERE a.public_id = '" +
          it->second.annotation + "'");
      try {
        test_.organisation->write(store::Durability::kDisk, [&](store::Transaction& tx) {
          undo(test_.org(), tx, person.actor, assignment);
        });
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kConflict) << error.message();
        return;
      }
      acknowledged_.erase(it);
      return;
    }
  }

  void check() {
    EXPECT_EQ(test_.number("SELECT count(*) FROM task WHERE valid > wanted"), 0);
    EXPECT_EQ(test_.number("SELECT count(*) FROM task t WHERE wanted < (SELECT count(*) FROM"
                           " annotation a WHERE a.task_id = t.id AND a.status = 'valid')"),
              0);
    EXPECT_EQ(
        test_.number("SELECT count(*) FROM (SELECT 1 FROM annotation WHERE status IN"
                     " ('valid', 'surplus') GROUP BY task_id, member_id HAVING count(*) > 1)"),
        0);
    EXPECT_TRUE(test_.recount(project_).empty()) << test_.recount(project_).front();
    EXPECT_TRUE(verify_chain(test_.org()).intact);
    test_.org().read([&](store::Connection& db) {
      for (const auto& [assignment, known] : acknowledged_) {
        const auto kept = db.query_text(
            "SELECT b.answer FROM annotation a JOIN annotation_body b ON b.annotation_id = a.id"
            " WHERE a.public_id = $1 AND a.status IN ('valid', 'surplus')",
            {known.annotation});
        EXPECT_TRUE(kept) << known.annotation << " was acknowledged and is lost";
      }
      return true;
    });
  }

  // Fresh people must get every open place; leases that nobody comes back for run out.
  void check_nobody_starves() {
    test_.env.advance_ms(24 * 3600 * 1000);
    sweep_all(test_.org());
    for (int i = 0; i < 3; ++i) {
      const Actor fresh = test_.person("fresh" + std::to_string(i));
      for (;;) {
        const auto next = test_.next(fresh, project_, 3);
        if (next.leases.empty()) break;
        for (const Lease& lease : next.leases) {
          test_.answer(fresh, lease.public_id, R"({"winner":"tie"})");
        }
      }
    }
    EXPECT_EQ(test_.number("SELECT count(*) FROM task WHERE state = 'open'"), 0);
  }

  TestOrganisation test_;
  Rng rng_;
  Project project_;
  std::vector<Person> people_;
  std::map<std::string, Acknowledged> acknowledged_;  // by assignment
  bool is_forgetting_ = false;                        // what is written now goes with the power
  std::set<std::string> gone_;                        // assignments that did
  int cuts_ = 0;
};

int steps() {
  const char* wanted = std::getenv("HONE_LABEL_STEPS");
  if (wanted != nullptr) return std::max(1, std::atoi(wanted));
  return std::getenv("HONE_TEST_LONG") != nullptr ? 100'000 : 3000;
}

TEST(Simulation, NothingIsLostNothingIsGivenTwiceAndNobodyStarves) {
  Simulation simulation(7, 200);
  simulation.run(steps());
}

TEST(Simulation, HoldsForFewPeopleWhoMeetTheSameTasksAgainAndAgain) {
  Simulation simulation(11, 5);
  simulation.run(steps() / 3);
}

// The same from many threads at once: two people are never given one place.
TEST(Simulation, ManyThreadsAtOnceShareTheQueue) {
  TestOrganisation test;
  const Project project = test.pairwise(2);
  test.add_tasks(project, 60);
  std::vector<Actor> people;
  for (int i = 0; i < 8; ++i) people.push_back(test.person("p" + std::to_string(i)));
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (const Actor& actor : people) {
    threads.emplace_back([&test, &project, &answered, actor] {
      for (;;) {
        const auto next = test.next(actor, project);
        if (next.leases.empty()) return;
        if (test.answer(actor, next.leases[0].public_id, R"({"winner":"left"})").status ==
            "valid") {
          ++answered;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 120);
  EXPECT_EQ(test.read_project(project).counts.done, 60);
  EXPECT_TRUE(test.recount(project).empty());
  EXPECT_TRUE(verify_chain(test.org()).intact);
}

}  // namespace
}  // namespace hone::label
