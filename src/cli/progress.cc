#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/env.h"
#include "base/utf8.h"

namespace hone::cli {

namespace {

constexpr double kTerminalInterval = 0.1, kLogInterval = 10;  // seconds
constexpr size_t kBarCells = 24, kFewestCells = 6, kUsualColumns = 80;

size_t characters(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string duration_text(double seconds) {
  const auto s = std::lround(std::max(0.0, seconds));
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + std::to_string(s % 3600 / 60) + " min";
}

std::string rate_text(double per_second) {
  char text[48];
  if (per_second <= 0) return "";
  if (per_second < 1) {
    std::snprintf(text, sizeof text, "%.1f s each", 1 / per_second);
  } else {
    std::snprintf(text, sizeof text, "%.*f/s", per_second < 10 ? 1 : 0, per_second);
  }
  return text;
}

std::string progress_line(const std::string& label, double share, const std::string& numbers,
                          const std::string& note, size_t columns) {
  const size_t room = std::max<size_t>(columns, 2) - 1;  // the last column would wrap
  std::string tail = numbers + (note.empty() ? "" : "  " + note);
  if (characters(label) + 1 + characters(tail) > room) tail = numbers;
  const size_t used = characters(label) + 1 + characters(tail);
  std::string line = label + " ";
  if (used + 1 + kFewestCells <= room) {
    const size_t cells = std::min(kBarCells, room - used - 1);
    const auto full = static_cast<size_t>(share * static_cast<double>(cells));
    for (size_t i = 0; i < cells; ++i) line += i < full ? "█" : "░";
    line += " ";
  }
  line += tail;
  return characters(line) <= room ? line : line.substr(0, room);  // cut: only ASCII is left
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
  std::string numbers = std::to_string(done_) + "/" + std::to_string(total_) + " " + unit_;
  if (rate > 0) numbers += "  " + rate_text(rate);
  if (last) {
    numbers += "  took " + duration_text(elapsed);
  } else if (share_ > first_share_) {
    numbers += "  " + duration_text(elapsed * (1 - share_) / (share_ - first_share_)) + " left";
  }
  if (!terminal_) {
    std::fprintf(stderr, "%s: %s%s%s\n", label_.c_str(), numbers.c_str(), note_.empty() ? "" : "  ",
                 note_.c_str());
    return;
  }
  const size_t columns = terminal_width(STDERR_FILENO);
  std::fprintf(
      stderr, "\r\033[K%s%s",
      progress_line(label_, share_, numbers, note_, columns == 0 ? kUsualColumns : columns).c_str(),
      last ? "\n" : "");
  std::fflush(stderr);
}

}  // namespace hone::cli
