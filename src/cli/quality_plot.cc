#include "cli/quality_plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/env.h"
#include "base/error.h"
#include "cli/columns.h"
#include "cli/quality_text.h"
#include "data/jsonl_writer.h"

namespace hone::cli {

namespace {

constexpr double kLeft = 74.0, kRight = 24.0;  // margins of a chart with axes
constexpr double kCharacter = 6.4;             // width of a character of 12 pixels, about

constexpr const char* kStyle = R"(
  .hone { --ground: #ffffff; --ink: #1c2127; --soft: #5d6773; --rule: #e3e7ec; --main: #2f6fd0;
          --second: #d07a1b; --fill: #dbe7f8; font: 12px system-ui, -apple-system, "Segoe UI",
          "Helvetica Neue", Arial, sans-serif; }
  @media (prefers-color-scheme: dark) {
    .hone { --ground: #14171b; --ink: #e7eaee; --soft: #9aa5b1; --rule: #2b3138; --main: #74a7f2;
            --second: #f0ad5c; --fill: #24364f; }
  }
  .hone .ground { fill: var(--ground); }
  .hone text { fill: var(--ink); }
  .hone .soft { fill: var(--soft); }
  .hone .title { font-size: 15px; font-weight: 600; }
  .hone .small { font-size: 11px; }
  .hone .rule { stroke: var(--rule); stroke-width: 1; }
  .hone .axis { stroke: var(--soft); stroke-width: 1; }
  .hone .main { fill: var(--main); }
  .hone .second { fill: var(--second); }
  .hone .line { stroke: var(--main); stroke-width: 2; fill: none; stroke-linejoin: round; }
  .hone .faint { stroke: var(--main); stroke-width: 1.2; fill: none; opacity: 0.4; }
  .hone .level { stroke: var(--second); stroke-width: 1.5; stroke-dasharray: 5 4; }
  .hone .whisker { stroke: var(--main); stroke-width: 2; opacity: 0.55; stroke-linecap: round; }
  .hone .other { stroke: var(--second); opacity: 0.8; }
  .hone .band { fill: var(--main); opacity: 0.16; }
  .hone .cell { fill: var(--main); }
  .hone .on { fill: var(--ground); }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
  }
  return out;
}

std::string at(double value) {
  std::string text = fixed_text(value, 1);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

enum class Anchor { kStart, kMiddle, kEnd };

std::string text_at(double x, double y, std::string_view text, const char* classes = "",
                    Anchor anchor = Anchor::kStart, double turn = 0.0) {
  std::string out = "<text x=\"" + at(x) + "\" y=\"" + at(y) + "\"";
  if (classes[0] != '\0') out += std::string(" class=\"") + classes + "\"";
  if (anchor == Anchor::kMiddle) out += " text-anchor=\"middle\"";
  if (anchor == Anchor::kEnd) out += " text-anchor=\"end\"";
  if (turn != 0.0) {
    out += " transform=\"rotate(" + at(turn) + " " + at(x) + " " + at(y) + ")\"";
  }
  return out + ">" + escaped(text) + "</text>\n";
}

std::string line_at(double x1, double y1, double x2, double y2, const char* classes) {
  return "<line x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) + "\" y2=\"" + at(y2) +
         "\" class=\"" + classes + "\"/>\n";
}

std::string box_at(double x, double y, double width, double height, const char* classes,
                   double opacity = 1.0, double round = 0.0) {
  std::string out = "<rect x=\"" + at(x) + "\" y=\"" + at(y) + "\" width=\"" + at(width) +
                    "\" height=\"" + at(height) + "\" class=\"" + classes + "\"";
  if (round > 0) out += " rx=\"" + at(round) + "\"";
  if (opacity < 1.0) out += " fill-opacity=\"" + fixed_text(opacity, 3) + "\"";
  return out + "/>\n";
}

std::string dot_at(double x, double y, double radius, const char* classes) {
  return "<circle cx=\"" + at(x) + "\" cy=\"" + at(y) + "\" r=\"" + at(radius) + "\" class=\"" +
         classes + "\"/>\n";
}

// A step of 1, 2, 2.5 or 5 times a power of ten that cuts the span into at most `most` parts.
double nice_step(double span, size_t most) {
  double power = 1.0;
  while (power * static_cast<double>(most) < span) power *= 10.0;
  while (power * static_cast<double>(most) / 10.0 >= span && power > 1e-9) power /= 10.0;
  for (const double factor : {0.1, 0.2, 0.25, 0.5}) {
    if (power * factor * static_cast<double>(most) >= span) return power * factor;
  }
  return power;
}

struct Scale {
  double low = 0.0, high = 1.0;   // of the numbers
  double begin = 0.0, end = 1.0;  // of the drawing
  double operator()(double value) const {
    return begin + (value - low) / (high - low) * (end - begin);
  }
};

std::vector<double> ticks_of(double low, double high, size_t most) {
  const double step = nice_step(high - low, most);
  std::vector<double> ticks;
  // Whole numbers of steps: no sum of rounding errors, and a bound on how many.
  for (double n = std::ceil(low / step - 1e-9); n * step <= high + step * 1e-9 && ticks.size() < 64;
       n += 1.0) {
    ticks.push_back(n * step);
  }
  return ticks;
}

// As many digits as the step has, and no more.
std::string tick_text(double value, double step, bool percent) {
  if (percent) return tick_text(100.0 * value, 100.0 * step, false) + " %";
  if (step >= 0.999 && value >= 1000) return grouped(static_cast<uint64_t>(value + 0.5));
  int digits = 0;
  for (double s = step; digits < 6 && std::abs(s - std::round(s)) > 1e-6; s *= 10.0) ++digits;
  return fixed_text(value, digits);
}

double step_of(const std::vector<double>& ticks) {
  return ticks.size() > 1 ? ticks[1] - ticks[0] : 1.0;
}

std::string y_axis(const Scale& y, double left, double right, const std::string& label,
                   bool percent) {
  std::string out;
  const std::vector<double> ticks = ticks_of(y.low, y.high, 6);
  for (const double tick : ticks) {
    out += line_at(left, y(tick), right, y(tick), "rule");
    out += text_at(left - 8, y(tick) + 4, tick_text(tick, step_of(ticks), percent), "soft",
                   Anchor::kEnd);
  }
  return out + text_at(16, (y.begin + y.end) / 2, label, "soft", Anchor::kMiddle, -90);
}

std::string x_axis(const Scale& x, double bottom, const std::string& label, bool percent,
                   size_t most = 10) {
  std::string out = line_at(x.begin, bottom, x.end, bottom, "axis");
  const std::vector<double> ticks = ticks_of(x.low, x.high, most);
  for (const double tick : ticks) {
    out += line_at(x(tick), bottom, x(tick), bottom + 4, "axis");
    out += text_at(x(tick), bottom + 18, tick_text(tick, step_of(ticks), percent), "soft",
                   Anchor::kMiddle);
  }
  return out + text_at((x.begin + x.end) / 2, bottom + 38, label, "soft", Anchor::kMiddle);
}

std::string legend_entry(double x, double y, const std::string& word, const char* classes) {
  return box_at(x, y - 9, 10, 10, classes, 1.0, 2) + text_at(x + 15, y, word, "soft");
}

double text_width(std::string_view text) {
  return kCharacter * static_cast<double>(std::count_if(text.begin(), text.end(), [](char c) {
           return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
         }));
}

}  // namespace

Chart histogram_chart(const HistogramSpec& spec) {
  constexpr double kTop = 38.0, kPlot = 220.0;
  Chart chart{spec.title, spec.caption, kTop + kPlot + 50.0, {}};
  double most = 1.0;
  for (const HistogramBar& bar : spec.bars) most = std::max(most, bar.count);
  const double step = std::max(1.0, nice_step(most, 5));
  const Scale y{0.0, std::ceil(most / step - 1e-9) * step, kTop + kPlot, kTop};
  const Scale x{spec.bars.empty() ? 0.0 : spec.bars.front().low,
                spec.bars.empty() ? 1.0 : spec.bars.back().high, kLeft, kChartWidth - kRight};
  chart.body += y_axis(y, kLeft, kChartWidth - kRight, spec.y_label, false);
  for (const HistogramBar& bar : spec.bars) {
    if (bar.count <= 0) continue;
    const double left = x(bar.low) + 1.0, right = x(bar.high) - 1.0;
    // A bar of one task among thousands is still a bar.
    const double height = std::max(1.5, y(0) - y(bar.count));
    chart.body +=
        box_at(left, y(0) - height, right - left, height, bar.weak ? "second" : "main", 1.0, 1.5);
    if (spec.bars.size() <= 24) {
      chart.body +=
          text_at((left + right) / 2, y(0) - height - 4, grouped(static_cast<uint64_t>(bar.count)),
                  "small soft", Anchor::kMiddle);
    }
  }
  chart.body += x_axis(x, kTop + kPlot, spec.x_label, spec.x_percent);
  if (!spec.strong_word.empty()) {
    const double second = kChartWidth - kRight - text_width(spec.weak_word) - 18;
    chart.body += legend_entry(second, 10, spec.weak_word, "second");
    chart.body +=
        legend_entry(second - text_width(spec.strong_word) - 34, 10, spec.strong_word, "main");
  }
  return chart;
}

Chart confusion_chart(const std::string& title, const std::string& caption,
                      const std::vector<std::string>& classes,
                      const std::vector<ConfusionPanel>& panels) {
  const size_t k = classes.size();
  // The widest name sets the room left of each panel; long names are cut.
  std::vector<std::string> names;
  double widest = 0.0;
  for (const std::string& name : classes) {
    names.push_back(shown_name(name, k <= 6 ? 12 : 8));
    widest = std::max(widest, text_width(names.back()));
  }
  const double cell = std::clamp(190.0 / static_cast<double>(k), 12.0, 46.0);
  const double label_room = widest + 14.0, panel = cell * static_cast<double>(k);
  const double width = label_room + panel + 26.0;
  const double column_names = k <= 4 && widest <= cell + 4 ? 18.0 : widest * 0.75 + 12.0;
  const double height = 40.0 + column_names + panel + 26.0;
  const size_t columns = std::max<size_t>(1, static_cast<size_t>((kChartWidth - 24.0) / width));
  Chart chart{title, caption, 0.0, {}};
  for (size_t p = 0; p < panels.size(); ++p) {
    const double left = 30.0 + static_cast<double>(p % columns) * width + label_room;
    const double top = static_cast<double>(p / columns) * height + 40.0 + column_names;
    chart.height = top + panel + 26.0;
    chart.body += text_at(left, top - column_names - 22, shown_name(panels[p].title, 20));
    chart.body += text_at(left, top - column_names - 7, panels[p].note, "small soft");
    if (p % columns == 0) {
      chart.body +=
          text_at(14, top + panel / 2, "right answer", "small soft", Anchor::kMiddle, -90);
    }
    chart.body +=
        text_at(left + panel / 2, top + panel + 16, "said", "small soft", Anchor::kMiddle);
    for (size_t i = 0; i < k; ++i) {
      const double middle = (static_cast<double>(i) + 0.5) * cell;
      chart.body += text_at(left - 6, top + middle + 4, names[i], "small soft", Anchor::kEnd);
      chart.body +=
          column_names == 18.0
              ? text_at(left + middle, top - 6, names[i], "small soft", Anchor::kMiddle)
              : text_at(left + middle + 3, top - 6, names[i], "small soft", Anchor::kStart, -50);
      for (size_t j = 0; j < k; ++j) {
        const double share = std::clamp(panels[p].share[i * k + j], 0.0, 1.0);
        const double x = left + static_cast<double>(j) * cell;
        const double y = top + static_cast<double>(i) * cell;
        chart.body += box_at(x + 0.5, y + 0.5, cell - 1, cell - 1, "cell", 0.06 + 0.94 * share, 2);
        if (cell < 26) continue;
        chart.body += text_at(x + cell / 2, y + cell / 2 + 4, fixed_text(100 * share, 0),
                              share > 0.62 ? "small on" : "small", Anchor::kMiddle);
      }
    }
  }
  return chart;
}

Chart ranking_chart(const RankingSpec& spec) {
  constexpr double kRow = 20.0;
  constexpr size_t kLong = 25;  // rows from which on nobody sees the axis at the bottom
  const bool two_axes = spec.things.size() > kLong;
  const double top = two_axes ? 38.0 : 18.0;
  Chart chart{spec.title, spec.caption, 0.0, {}};
  double low = 0.0, high = 1.0, names = 40.0, notes = text_width(spec.note_heading);
  bool first = true;
  const auto take = [&](double l, double h) {
    low = first ? l : std::min(low, l);
    high = first ? h : std::max(high, h);
    first = false;
  };
  for (const RankedThing& thing : spec.things) {
    const quality::Interval drawn = thing.interval.value_or(quality::Interval{});
    take(thing.interval ? std::min(drawn.low, thing.value) : thing.value,
         thing.interval ? std::max(drawn.high, thing.value) : thing.value);
    names = std::max(names, text_width(shown_name(thing.name)));
    notes = std::max(notes, text_width(thing.note));
  }
  if (spec.level) take(*spec.level, *spec.level);
  const double pad = std::max(1e-6, 0.03 * (high - low));
  const Scale x{low - pad, high + pad, names + 22, kChartWidth - notes - 36};
  const double bottom = top + kRow * static_cast<double>(spec.things.size()) + 6;
  const std::vector<double> ticks = ticks_of(x.low, x.high, 8);
  for (const double tick : ticks) {
    chart.body += line_at(x(tick), top, x(tick), bottom, "rule");
    if (!two_axes) continue;
    chart.body += text_at(x(tick), top - 6, tick_text(tick, step_of(ticks), spec.percent),
                          "small soft", Anchor::kMiddle);
  }
  if (spec.level) chart.body += line_at(x(*spec.level), top, x(*spec.level), bottom, "level");
  chart.body += text_at(kChartWidth - 24, top - 6, spec.note_heading, "small soft", Anchor::kEnd);
  for (size_t i = 0; i < spec.things.size(); ++i) {
    const RankedThing& thing = spec.things[i];
    const double y = top + (static_cast<double>(i) + 0.5) * kRow + 3;
    chart.body += text_at(names + 10, y + 4, shown_name(thing.name), "", Anchor::kEnd);
    if (thing.interval) {
      chart.body += line_at(x(thing.interval->low), y, x(thing.interval->high), y,
                            thing.marked ? "whisker other" : "whisker");
    }
    chart.body += dot_at(x(thing.value), y, 4, thing.marked ? "second" : "main");
    chart.body += text_at(kChartWidth - 24, y + 4, thing.note, "soft", Anchor::kEnd);
  }
  chart.body += x_axis(x, bottom, spec.x_label, spec.percent, 8);
  chart.height = bottom + 50;
  return chart;
}

Chart line_chart(const LineSpec& spec) {
  constexpr double kTop = 26.0, kPlot = 240.0;
  Chart chart{spec.title, spec.caption, kTop + kPlot + 50.0, {}};
  double x_low = 0.0, x_high = 1.0, y_low = 0.0, y_high = 1.0;
  bool first = true;
  const auto take = [&](double x, double y) {
    x_low = first ? x : std::min(x_low, x);
    x_high = first ? x : std::max(x_high, x);
    y_low = first ? y : std::min(y_low, y);
    y_high = first ? y : std::max(y_high, y);
    first = false;
  };
  for (const LineSeries& series : spec.series) {
    for (const LinePoint& point : series.points) {
      take(point.x, point.interval ? point.interval->low : point.y);
      take(point.x, point.interval ? point.interval->high : point.y);
    }
  }
  if (spec.level) take(x_low, *spec.level);
  const double y_step = nice_step(std::max(y_high - y_low, 0.02), 5);
  y_low = std::floor(y_low / y_step + 1e-9) * y_step;
  y_high = std::max(y_low + y_step, std::ceil(y_high / y_step - 1e-9) * y_step);
  if (x_high <= x_low) x_high = x_low + 1.0;
  const Scale y{y_low, y_high, kTop + kPlot, kTop};
  const Scale x{x_low, x_high, kLeft, kChartWidth - kRight};
  chart.body += y_axis(y, kLeft, kChartWidth - kRight, spec.y_label, spec.y_percent);
  for (const LineSeries& series : spec.series) {
    std::string band, path;
    for (const LinePoint& point : series.points) {
      path += (path.empty() ? "M" : "L") + at(x(point.x)) + " " + at(y(point.y));
      if (point.interval) {
        band += (band.empty() ? "M" : "L") + at(x(point.x)) + " " + at(y(point.interval->high));
      }
    }
    for (size_t i = series.points.size(); i-- > 0 && !band.empty();) {
      const LinePoint& point = series.points[i];
      if (point.interval) band += "L" + at(x(point.x)) + " " + at(y(point.interval->low));
    }
    if (!band.empty()) chart.body += "<path d=\"" + band + "Z\" class=\"band\"/>\n";
    chart.body +=
        "<path d=\"" + path + "\" class=\"" + (series.faint ? "faint" : "line") + "\"/>\n";
    if (series.points.empty()) continue;
    if (series.faint || series.points.size() > 40) {  // many lines or points: where it ends
      chart.body += dot_at(x(series.points.back().x), y(series.points.back().y), 4, "main");
      continue;
    }
    for (const LinePoint& point : series.points) {
      chart.body += dot_at(x(point.x), y(point.y), 3, "main");
    }
  }
  if (spec.level) {
    chart.body += line_at(kLeft, y(*spec.level), kChartWidth - kRight, y(*spec.level), "level");
    // Above the line, unless there is no room.
    const double where = y(*spec.level) - 6 < kTop + 8 ? y(*spec.level) + 14 : y(*spec.level) - 6;
    chart.body += text_at(kLeft + 4, where, spec.level_name, "small soft");
  }
  chart.body += x_axis(x, kTop + kPlot, spec.x_label, spec.x_percent);
  return chart;
}

std::string svg_document(const std::string& title, const std::vector<Chart>& charts) {
  constexpr double kTitle = 52.0, kGap = 34.0, kCaptionLine = 16.0, kMargin = 16.0;
  std::string body;
  double y = 30.0;
  body += text_at(24, y, title, "title");
  y += 12.0;
  for (const Chart& chart : charts) {
    y += kTitle - 24.0;
    body += text_at(24, y, chart.title, "title");
    std::string caption;
    for (const std::string& line : wrap(chart.caption, 112)) caption += line + "\n";
    for (size_t begin = 0; begin < caption.size();) {
      const size_t end = std::min(caption.find('\n', begin), caption.size());
      y += begin == 0 ? 20.0 : kCaptionLine;
      body += text_at(24, y, caption.substr(begin, end - begin), "soft");
      begin = end + 1;
    }
    y += 20.0;
    body += "<g transform=\"translate(0 " + at(y) + ")\">\n" + chart.body + "</g>\n";
    y += chart.height + kGap;
  }
  const std::string width = at(kChartWidth), height = at(y - kGap + kMargin);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hone\" role=\"img\" viewBox=\"0 0 " +
         width + " " + height + "\" width=\"" + width + "\" height=\"" + height + "\">\n<title>" +
         escaped(title) + "</title>\n<style>" + kStyle + "</style>\n<rect width=\"" + width +
         "\" height=\"" + height + "\" class=\"ground\"/>\n" + body + "</svg>\n";
}

std::string html_document(const std::string& title, const std::vector<Chart>& charts) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      escaped(title) + "</title>\n<style>" + kStyle +
      R"(  :root { color-scheme: light dark; }
  body { margin: 0; background: #ffffff; color: #1c2127; }
  @media (prefers-color-scheme: dark) { body { background: #14171b; color: #e7eaee; } }
  main { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui,
         -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 0; }
  figure { margin: 0; } figcaption { opacity: 0.8; margin: 0.2rem 0 0.8rem; }
  svg { width: 100%; height: auto; }
)"
      "</style>\n</head>\n<body>\n<main>\n<h1>" +
      escaped(title) + "</h1>\n";
  for (const Chart& chart : charts) {
    const std::string width = at(kChartWidth), height = at(chart.height);
    out +=
        "<figure>\n<h2>" + escaped(chart.title) + "</h2>\n<figcaption>" + escaped(chart.caption) +
        "</figcaption>\n<svg class=\"hone\" role=\"img\" aria-label=\"" + escaped(chart.title) +
        "\" viewBox=\"0 0 " + width + " " + height + "\">\n" + chart.body + "</svg>\n</figure>\n";
  }
  return out + "</main>\n</body>\n</html>\n";
}

std::string plot_title(const std::string& what, const std::string& path) {
  size_t begin = path.rfind('/');
  if (begin != std::string::npos && begin > 0) begin = path.rfind('/', begin - 1);
  return what + ": " + shown_name(begin == std::string::npos ? path : path.substr(begin + 1), 60);
}

void check_plot_path(Env& env, const std::string& path, bool overwrite) {
  if (!path.ends_with(".svg") && !path.ends_with(".html")) {
    throw invalid_input("--plot " + path + " must end in .svg or .html");
  }
  data::refuse_existing(env, path, overwrite);
}

void write_plot(Env& env, const std::string& path, const std::string& title,
                const std::vector<Chart>& charts) {
  write_file_atomically(
      env, path,
      path.ends_with(".svg") ? svg_document(title, charts) : html_document(title, charts));
}

}  // namespace hone::cli
