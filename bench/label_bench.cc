// Next task and submit, without HTTP: labels a second with 1 and 32 people at once, beside what the
// disk can sync in the same run. Build it by name: ninja -C build/release label_bench; run it on a
// quiet machine:
//   label_bench FOLDER TASKS [OVERLAP 3] [SECONDS 5]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "label/annotations.h"
#include "label/events.h"
#include "label/members.h"
#include "label/organisation.h"
#include "label/projects.h"
#include "label/queue.h"
#include "label/task_rows.h"
#include "label/tasks.h"

namespace {

using namespace hone;
using namespace hone::label;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double percentile(std::vector<double>& times, double share) {
  if (times.empty()) return 0.0;
  std::sort(times.begin(), times.end());
  return times[std::min(times.size() - 1,
                        static_cast<size_t>(share * static_cast<double>(times.size())))];
}

double fdatasync_rate(const std::string& folder) {
  const std::string path = folder + "/sync.tmp";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const std::string block(4096, 'x');
  int64_t count = 0;
  const auto start = Clock::now();
  while (seconds_since(start) < 2.0) {
    if (::pwrite(file, block.data(), block.size(), count * 4096) < 0 || ::fdatasync(file) != 0)
      break;
    ++count;
  }
  const double rate = static_cast<double>(count) / seconds_since(start);
  ::close(file);
  ::unlink(path.c_str());
  return rate;
}

void add_tasks(Organisation& organisation, const Project& project, int64_t count) {
  PublicIds ids(organisation.env());
  const auto defaults =
      organisation.read([&](store::Connection& db) { return task_defaults(db, project.id); });
  for (int64_t done = 0; done < count;) {
    std::vector<NewTask> batch;
    for (; batch.size() < 5000 && done < count; ++done) {
      Json row = Json::object();
      const std::string number = std::to_string(done);
      row["prompt"] = "What should one know about number " + number + " before using it?";
      row["left"] = "A first answer to " + number + std::string(300, 'a');
      row["right"] = "A second answer to " + number + std::string(300, 'b');
      batch.push_back(row_to_task("pairwise", row, ids).value());
    }
    organisation.write(store::Durability::kProcess, [&](store::Transaction& tx) {
      insert_tasks(tx, defaults, batch, std::nullopt, "system", organisation.env().now_ms());
    });
  }
}

struct Person {
  Actor actor;
  std::vector<double> next_ms, submit_ms;
  int64_t labels = 0;
};

void label_for(Organisation& organisation, const Project& project, Person& person, double seconds) {
  const auto start = Clock::now();
  Submission submission;
  submission.answer["winner"] = "left";
  while (seconds_since(start) < seconds) {
    auto before = Clock::now();
    const NextResult next = lease_next(organisation, person.actor, project.public_id, 1);
    if (next.leases.empty()) return;
    organisation.read([&](store::Connection& db) {
      return assignment_json(organisation, db, next.leases[0]).size();
    });
    person.next_ms.push_back(seconds_since(before) * 1e3);
    before = Clock::now();
    organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      return submit(organisation, tx, person.actor, next.leases[0].public_id, submission);
    });
    person.submit_ms.push_back(seconds_since(before) * 1e3);
    ++person.labels;
  }
}

void measure(Organisation& organisation, const Project& project, int people, double seconds,
             const std::string& name) {
  std::vector<Person> all(static_cast<size_t>(people));
  for (int i = 0; i < people; ++i) {
    const std::string id = name + std::to_string(i);
    const Member member =
        organisation.write(store::Durability::kProcess, [&](store::Transaction& tx) {
          return ensure_member(organisation, tx, system_actor(), {"usr_" + id, id, {}, {}});
        });
    all[static_cast<size_t>(i)].actor = {member.person_id, member.id, Role::kAnnotator};
  }
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (Person& person : all) {
    threads.emplace_back([&] { label_for(organisation, project, person, seconds); });
  }
  for (std::thread& thread : threads) thread.join();
  const double took = seconds_since(start);
  int64_t labels = 0;
  std::vector<double> next_ms, submit_ms;
  for (const Person& person : all) {
    labels += person.labels;
    next_ms.insert(next_ms.end(), person.next_ms.begin(), person.next_ms.end());
    submit_ms.insert(submit_ms.end(), person.submit_ms.begin(), person.submit_ms.end());
  }
  std::printf(
      "%2d people: %7.0f labels/s   next p50 %6.2f p99 %6.2f ms   submit p50 %6.2f p99 "
      "%6.2f ms   (%lld labels)\n",
      people, static_cast<double>(labels) / took, percentile(next_ms, 0.5),
      percentile(next_ms, 0.99), percentile(submit_ms, 0.5), percentile(submit_ms, 0.99),
      static_cast<long long>(labels));
}

void measure_pages(Organisation& organisation, const Project& project) {
  const Project now =
      organisation.read([&](store::Connection& db) { return get_project(db, project.id); });
  std::vector<double> times;
  TaskFilter filter;
  filter.limit = 30;
  for (int i = 0; i < 200; ++i) {
    const auto before = Clock::now();
    const TaskPage page = list_tasks(organisation, now, filter);
    times.push_back(seconds_since(before) * 1e3);
    filter.after = page.next;
  }
  std::printf("tasks page of 30: p50 %.2f ms, p99 %.2f ms\n", percentile(times, 0.5),
              percentile(times, 0.99));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "label_bench FOLDER TASKS [OVERLAP 3] [SECONDS 5]\n");
    return 2;
  }
  try {
    const std::string folder = std::string(argv[1]) + "/label_bench.tmp";
    const int64_t tasks = std::atoll(argv[2]);
    real_env().remove_all(folder);
    const auto organisation = Organisation::open(real_env(), folder);
    NewProject wanted;
    wanted.name = "bench";
    wanted.task_type = "pairwise";
    wanted.overlap = argc > 3 ? std::atoi(argv[3]) : 3;
    const double seconds = argc > 4 ? std::atof(argv[4]) : 5.0;
    const Project project =
        organisation->write(store::Durability::kDisk, [&](store::Transaction& tx) {
          return create_project(*organisation, tx, system_actor(), wanted);
        });
    const auto start = Clock::now();
    add_tasks(*organisation, project, tasks);
    std::printf("%lld tasks x overlap %lld, inserted in %.1f s\n", static_cast<long long>(tasks),
                static_cast<long long>(wanted.overlap), seconds_since(start));
    std::printf("disk: %.0f fdatasync/s\n", fdatasync_rate(folder));
    measure(*organisation, project, 1, seconds, "one");
    measure(*organisation, project, 32, seconds, "many");
    measure_pages(*organisation, project);
    std::printf("disk: %.0f fdatasync/s\n", fdatasync_rate(folder));
    const ChainCheck check = verify_chain(*organisation);
    std::printf("events: %lld, chain %s\n", static_cast<long long>(check.events),
                check.intact ? "intact" : "BROKEN");
    real_env().remove_all(folder);
    return check.intact ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "label_bench: %s (%s)\n", error.message().c_str(), error.detail().c_str());
    return 1;
  }
}
