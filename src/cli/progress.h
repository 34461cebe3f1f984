#pragma once
// Progress on stderr: a bar with rate and time left on a terminal, one line now and then without
// one, nothing with --quiet. stdout is never touched.

#include <cstddef>
#include <string>

namespace hone::cli {

class Progress {
 public:
  // unit: "tokens", "pairs"; label: what is being done.
  Progress(std::string label, std::string unit, size_t total, bool quiet);
  ~Progress();

  // What was done before the clock began: it counts for the bar, not for rate and time left.
  void start_at(size_t done, double share);
  // done of total; `note` stands at the end of the line (loss 0.693). share: how much of the work
  // that is, where units are not equally long; below 0: done / total.
  void update(size_t done, const std::string& note = {}, double share = -1);
  void finish(const std::string& note = {});

 private:
  void draw(bool last);

  std::string label_, unit_, note_;
  size_t total_, done_ = 0, first_ = 0;
  double share_ = 0, first_share_ = 0;
  bool quiet_, terminal_, finished_ = false, started_ = false;
  double began_, drawn_ = -1e9;
};

std::string duration_text(double seconds);  // "48 s", "3 min 10 s", "2 h 5 min"
bool stderr_is_terminal();
bool stdout_is_terminal();

}  // namespace hone::cli
