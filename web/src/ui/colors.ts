// One colour for each of several things on a chart; the first is the page's own.
export const kSeries = [
  "var(--series-1)",
  "var(--series-2)",
  "var(--series-3)",
  "var(--series-5)",
  "var(--series-6)",
  "var(--series-4)",
];
export const series_color = (at: number): string => kSeries[at % kSeries.length]!;
