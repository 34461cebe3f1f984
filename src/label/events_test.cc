#include "label/events.h"

#include "label/testing.h"

namespace hone::label {
namespace {

struct Chain {
  TestOrganisation test;
  Chain() {
    test.write([&](store::Transaction& tx) {
      note(tx, "project.changed", "prj_1");
      note(tx, "project.created", "prj_2");
      for (int i = 0; i < 50; ++i) {
        note(tx, "assignment.leased", "asn_" + std::to_string(i));
        note(tx, "annotation.submitted", "ann_" + std::to_string(i));
        note(tx, "task.state_changed", "tsk_" + std::to_string(i));
      }
      note(tx, "annotation.withdrawn", "ann_7");
      return true;
    });
  }
  void note(store::Transaction& tx, std::string_view kind, const std::string& object) {
    record_event(tx, 1, system_actor(), {.kind = kind, .object = object});
  }
  std::vector<std::string> objects(const std::string& kind, size_t limit = 100) {
    EventFilter filter;
    filter.kind = kind;
    filter.limit = limit;
    std::vector<std::string> found;
    test.org().read([&](store::Connection& db) {
      for (const EventRow& event : list_events(db, filter)) found.push_back(event.object);
      return true;
    });
    return found;
  }
};

// A rare kind is read by its index, which the statement names: without the index it would fail.
TEST(Events, AreFoundByARareKindAndByAFrequentOne) {
  Chain chain;
  EXPECT_EQ(chain.objects("project.changed"), std::vector<std::string>{"prj_1"});
  EXPECT_EQ(chain.objects("annotation.withdrawn"), std::vector<std::string>{"ann_7"});
  EXPECT_EQ(chain.objects("annotation.submitted").size(), 50u);
  EXPECT_EQ(chain.objects("annotation.submitted", 1), std::vector<std::string>{"ann_49"});
  EXPECT_TRUE(chain.objects("no.such").empty());
}

TEST(Events, AKindThatEndsInADotStandsForAllUnderItNewestFirst) {
  Chain chain;
  EXPECT_EQ(chain.objects("project."), (std::vector<std::string>{"prj_2", "prj_1"}));
  const auto annotations = chain.objects("annotation.");
  ASSERT_EQ(annotations.size(), 51u);
  EXPECT_EQ(annotations.front(), "ann_7");
  EXPECT_EQ(chain.objects("assignment.").size(), 50u);
}

}  // namespace
}  // namespace hone::label
