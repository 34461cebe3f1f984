// How long it takes to bring pairs in and to take them out, and the memory at its most.
//
//   import_bench FOLDER PAIRS [VOTES]
//
// Makes an organisation in FOLDER (which must not exist), imports PAIRS generated pairs of about 700
// bytes each with VOTES votes (default 1), exports preferences twice (the first also fits), makes a
// snapshot, and prints a line for each. The generator's own time is measured alone and printed.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "base/rng.h"
#include "label/export.h"
#include "label/import.h"
#include "label/snapshots.h"

using namespace hone;
using namespace hone::label;

namespace {

double now_s() { return real_env().steady_seconds(); }

long peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6) / 1024;
  }
  return 0;
}

void add_words(std::string& out, Rng& rng, size_t words) {
  static constexpr const char* kWords[] = {"the",   "answer", "shows", "how",  "water", "moves",
                                           "under", "stone",  "and",   "why",  "light", "bends",
                                           "in",    "glass",  "when",  "cold", "air",   "rises"};
  for (size_t i = 0; i < words; ++i) {
    if (i > 0) out += ' ';
    out += kWords[rng.below(std::size(kWords))];
  }
}

// feed(bytes) of about 64 KiB at a time; the bytes of the whole file.
template <class F>
uint64_t generate(int64_t pairs, int64_t votes, F&& feed) {
  Rng rng(7, rng_stream("import-bench"));
  std::string chunk;
  uint64_t bytes = 0;
  const auto send = [&] {
    bytes += chunk.size();
    feed(std::string_view(chunk));
    chunk.clear();
  };
  for (int64_t i = 0; i < pairs; ++i) {
    chunk +=
        "{\"id\":" + std::to_string(i) + ",\"prompt\":\"Question " + std::to_string(i / 2) + ": ";
    add_words(chunk, rng, 15);
    chunk += "?\",\"left\":{\"text\":\"";
    add_words(chunk, rng, 50);
    chunk += "\",\"model\":\"m1\"},\"right\":{\"text\":\"";
    add_words(chunk, rng, 50);
    chunk += "\",\"model\":\"m2\"}";
    for (int64_t v = 0; v < votes; ++v) {
      chunk += ",\"annotator" + std::to_string(v + 1) + "\":\"" +
               (rng.below(10) < 7   ? "left"
                : rng.below(2) == 0 ? "right"
                                    : "tie") +
               "\"";
    }
    chunk += "}\n";
    if (chunk.size() >= (size_t{64} << 10)) send();
  }
  send();
  return bytes;
}

void run(const std::string& folder, int64_t pairs, int64_t votes) {
  double start = now_s();
  const uint64_t bytes = generate(pairs, votes, [](std::string_view) {});
  std::printf("generate   %9.3f s  %.1f MiB\n", now_s() - start,
              static_cast<double>(bytes) / (1 << 20));
  const auto organisation = Organisation::open(real_env(), folder, {});
  const Actor actor = system_actor();
  NewProject wanted;
  wanted.name = "bench";
  wanted.task_type = "pairwise";
  const Project project = organisation->write(
      store::Durability::kDisk,
      [&](store::Transaction& tx) { return create_project(*organisation, tx, actor, wanted); });

  ImportRequest request;
  request.project = project.public_id;
  request.name = "pairs.jsonl";
  start = now_s();
  Importer importer(*organisation, actor, request);
  generate(pairs, votes, [&](std::string_view chunk) { importer.feed(chunk); });
  const ImportState state = importer.finish();
  std::printf("import     %9.3f s  %lld tasks, %lld votes, %lld errors; peak %ld MiB\n",
              now_s() - start, static_cast<long long>(state.created),
              static_cast<long long>(state.annotations), static_cast<long long>(state.errors),
              peak_mib());
  if (votes == 0) return;
  for (int round = 0; round < 2; ++round) {
    uint64_t out = 0;
    start = now_s();
    double first = 0;
    const ExportCounts counts =
        export_project(*organisation, project, {}, [&](std::string_view chunk) {
          if (out == 0) first = now_s() - start;
          out += chunk.size();
        });
    std::printf("export     %9.3f s  %llu rows, %.1f MiB, first byte %.3f s; peak %ld MiB\n",
                now_s() - start, static_cast<unsigned long long>(counts.rows),
                static_cast<double>(out) / (1 << 20), first, peak_mib());
  }
  start = now_s();
  SnapshotRequest snapshot;
  snapshot.name = "bench";
  const Snapshot made = create_snapshot(*organisation, actor, project.public_id, snapshot);
  std::printf("snapshot   %9.3f s  %lld rows; peak %ld MiB\n", now_s() - start,
              static_cast<long long>(made.rows_train), peak_mib());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || real_env().exists(argv[1])) {
    std::fprintf(stderr, "usage: import_bench FOLDER PAIRS [VOTES]; FOLDER must not exist\n");
    return 2;
  }
  try {
    run(argv[1], std::atoll(argv[2]), argc > 3 ? std::atoll(argv[3]) : 1);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s %s\n", error.message().c_str(), error.detail().c_str());
    return 1;
  }
  return 0;
}
