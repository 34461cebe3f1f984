#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/env.h"

namespace hone::cli {

namespace {
constexpr double kTerminalInterval = 0.1, kLogInterval = 10;  // seconds
constexpr size_t kBarCells = 24;
}  // namespace

bool stderr_is_terminal() { return isatty(STDERR_FILENO) != 0; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }

std::string duration_text(double seconds) {
  const auto s = std::lround(std::max(0.0, seconds));
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + std::to_string(s % 3600 / 60) + " min";
}

Progress::Progress(std::string label, std::string unit, size_t total, bool quiet)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      terminal_(stderr_is_terminal()),
      began_(real_env().steady_seconds()) {}

Progress::~Progress() {
  if (!finished_ && terminal_ && !quiet_ && started_) std::fputc('\n', stderr);
}

void Progress::start_at(size_t done, double share) {
  done_ = first_ = done;
  share_ = first_share_ = share;
}

void Progress::update(size_t done, const std::string& note, double share) {
  started_ = true;
  done_ = done;
  share_ = share >= 0   ? std::min(1.0, share)
           : total_ > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total_))
                        : 1;
  note_ = note;
  const double now = real_env().steady_seconds();
  if (quiet_ || now - drawn_ < (terminal_ ? kTerminalInterval : kLogInterval)) return;
  drawn_ = now;
  draw(false);
}

void Progress::finish(const std::string& note) {
  if (finished_) return;
  finished_ = true;
  if (!note.empty()) note_ = note;
  if (!quiet_) draw(true);
}

void Progress::draw(bool last) {
  const double elapsed = real_env().steady_seconds() - began_;
  const double rate =
      elapsed > 0 ? static_cast<double>(done_ - std::min(done_, first_)) / elapsed : 0;
  char numbers[160];
  std::string time;
  if (last) {
    time = "took " + duration_text(elapsed);
  } else if (share_ > first_share_) {
    time = duration_text(elapsed * (1 - share_) / (share_ - first_share_)) + " left";
  }
  std::snprintf(numbers, sizeof numbers, "%zu/%zu %s  %.*f/s  %s", done_, total_, unit_.c_str(),
                rate < 10 ? 2 : 0, rate, time.c_str());
  if (!terminal_) {
    std::fprintf(stderr, "%s: %s%s%s\n", label_.c_str(), numbers, note_.empty() ? "" : "  ",
                 note_.c_str());
    return;
  }
  std::string bar;
  const auto full = static_cast<size_t>(share_ * static_cast<double>(kBarCells));
  for (size_t i = 0; i < kBarCells; ++i) bar += i < full ? "█" : "░";
  std::fprintf(stderr, "\r\033[K%s %s %s  %s%s", label_.c_str(), bar.c_str(), numbers,
               note_.c_str(), last ? "\n" : "");
  std::fflush(stderr);
}

}  // namespace hone::cli
