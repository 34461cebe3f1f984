#pragma once
// Progress on stderr: a bar with rate and time left on a terminal, one line now and then without
// one, nothing with --quiet. stdout is never touched.

#include <cstddef>
#include <string>

#include "cli/terminal.h"

namespace hone::cli {

class Progress {
 public:
  // label: what is being done; unit: what is counted ("pairs", "steps").
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

// One line of a terminal of `columns`: label, bar, numbers, note. The bar shrinks, then goes, then
// the note goes, then the line is cut: it never wraps.
std::string progress_line(const std::string& label, double share, const std::string& numbers,
                          const std::string& note, size_t columns);

std::string duration_text(double seconds);  // "48 s", "3 min 10 s", "2 h 5 min"
// "124/s", "3.1/s", and "8.2 s each" when one takes longer than a second.
std::string rate_text(double per_second);

}  // namespace hone::cli
