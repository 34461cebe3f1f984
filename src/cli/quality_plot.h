#pragma once
// Charts as SVG of our own: --plot FILE.svg (the charts one below the other) or FILE.html (a page
// with a sentence under each). Readable on light and dark ground (a CSS media query), axes
// labelled, no script, nothing fetched. The same numbers give the same bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quality/paired_tests.h"

namespace hone {
class Env;
}

namespace hone::cli {

struct Chart {
  std::string title;
  std::string caption;  // one or two sentences: what to see here
  double height = 0.0;  // of the body; the width is kChartWidth
  std::string body;     // SVG elements
};

inline constexpr double kChartWidth = 760.0;

struct HistogramBar {
  double low = 0.0, high = 0.0;  // on the x axis
  double count = 0.0;
  bool weak = false;  // drawn in the second colour
};
struct HistogramSpec {
  std::string title, caption, x_label, y_label;
  std::string strong_word, weak_word;  // legend; empty: none
  std::vector<HistogramBar> bars;
  bool x_percent = true;
};
Chart histogram_chart(const HistogramSpec& spec);

// Rows are truth, columns what was said, each row sums to 1 (or to 0: nothing known).
struct ConfusionPanel {
  std::string title, note;
  std::vector<double> share;  // classes x classes
};
Chart confusion_chart(const std::string& title, const std::string& caption,
                      const std::vector<std::string>& classes,
                      const std::vector<ConfusionPanel>& panels);

struct RankedThing {
  std::string name, note;  // note: right of the plot, such as "1 to 3"
  double value = 0.0;
  std::optional<quality::Interval> interval;
  bool marked = false;  // drawn in the second colour
};
struct RankingSpec {
  std::string title, caption, x_label, note_heading;
  std::vector<RankedThing> things;
  bool percent = false;         // the values are shares
  std::optional<double> level;  // a vertical line
};
Chart ranking_chart(const RankingSpec& spec);

struct LinePoint {
  double x = 0.0, y = 0.0;
  std::optional<quality::Interval> interval;
};
struct LineSeries {
  std::string name;
  bool faint = false;
  std::vector<LinePoint> points;
};
struct LineSpec {
  std::string title, caption, x_label, y_label;
  std::vector<LineSeries> series;
  std::optional<double> level;  // a horizontal line
  std::string level_name;
  bool y_percent = true, x_percent = false;
};
Chart line_chart(const LineSpec& spec);

// By the ending: .svg or .html. Throws invalid_input on another ending, conflict when the file
// exists and overwrite is false.
void check_plot_path(Env& env, const std::string& path, bool overwrite);
void write_plot(Env& env, const std::string& path, const std::string& title,
                const std::vector<Chart>& charts);

// "Answers: folder/labels.csv": the end of a path is enough above a chart.
std::string plot_title(const std::string& what, const std::string& path);

// The text of such a file.
std::string svg_document(const std::string& title, const std::vector<Chart>& charts);
std::string html_document(const std::string& title, const std::vector<Chart>& charts);

}  // namespace hone::cli
