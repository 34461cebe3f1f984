// Charts: Mantine's over Recharts for curves and bars, plain SVG for intervals and matrices. Each has
// a name for screen readers, and the sentence under it says what it shows.
import "@mantine/core/styles/Paper.css";
import "@mantine/core/styles/ColorSwatch.css";
import "@mantine/charts/styles.css";
import { BarChart, LineChart } from "@mantine/charts";
import type { ReactNode } from "react";
import { count } from "../pure/format";
import { count_axis, log_axis, tick_text, value_axis } from "../pure/ticks";
import "./charts.css";

export function Figure({
  title,
  unit,
  sentence,
  children,
  tools,
}: {
  title: string;
  unit?: string | undefined; // of what stands on its upright axis
  sentence?: ReactNode;
  children: ReactNode;
  tools?: ReactNode;
}) {
  return (
    <section className="panel figure">
      <header>
        <h2>
          {title} {unit && <span className="unit">{unit}</span>}
        </h2>
        {tools && <div className="row">{tools}</div>}
      </header>
      <figure className="body" aria-label={title}>
        {children}
        {sentence && <figcaption>{sentence}</figcaption>}
      </figure>
    </section>
  );
}

export interface Series {
  name: string;
  label: string;
  color: string;
  dashed?: boolean;
  width?: number;
}
/** Lines over a number that counts up (steps, labels): equal distances are equal numbers of them. */
export function Curve({
  data,
  x,
  series,
  height = 220,
  x_label,
  format,
  log = false,
  share = false,
}: {
  data: Record<string, number | null>[];
  x: string;
  series: Series[];
  height?: number;
  x_label?: string;
  format?: (v: number) => string; // of the values that are pointed at
  log?: boolean; // of y; the data has nothing at or below 0
  share?: boolean; // 0.5 is read as 50 %
}) {
  const numbers = (names: string[]) =>
    data.flatMap((row) => names.map((name) => row[name])).filter((v) => typeof v === "number");
  const [left, right] = ends(numbers([x])),
    [low, high] = ends(numbers(series.map((s) => s.name)));
  const across = count_axis(left, right);
  const up = log && low > 0 ? log_axis(low, high) : value_axis(low, high);
  const mark = (v: number) =>
    share
      ? tick_text(v * 100, { ...up, high: up.high * 100, digits: Math.max(0, up.digits - 2) }) + " %"
      : tick_text(v, up);
  return (
    <LineChart
      h={height}
      data={data}
      dataKey={x}
      withDots={data.length < 16}
      curveType="linear"
      withLegend={series.length > 1}
      legendProps={{ verticalAlign: "top", height: 28 }}
      tickLine="none"
      gridAxis="x"
      strokeWidth={1.6}
      connectNulls
      series={series.map((s) => ({
        name: s.name,
        label: s.label,
        color: s.color,
        ...(s.dashed ? { strokeDasharray: "4 3" } : {}),
      }))}
      lineProps={(s) => ({
        isAnimationActive: false,
        strokeWidth: series.find((one) => one.name === s.name)?.width ?? 1.8,
      })}
      xAxisProps={{ type: "number", domain: [left, right], ticks: across.ticks, tickFormatter: count }}
      yAxisProps={{
        domain: [up.low, up.high],
        ticks: up.ticks,
        tickFormatter: mark,
        interval: 0,
        width: 52,
        ...(log ? { scale: "log" as const, allowDataOverflow: true } : {}),
      }}
      {...(x_label ? { xAxisLabel: x_label } : {})}
      {...(format ? { valueFormatter: format } : {})}
    />
  );
}
const ends = (values: number[]): [number, number] =>
  values.length ? [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))] : [0, 1];

export function Histogram({
  data,
  x,
  y,
  label,
  x_label,
  color = "var(--series-1)",
  height = 220,
}: {
  data: Record<string, number | string>[];
  x: string;
  y: string;
  label: string;
  x_label?: string;
  color?: string;
  height?: number;
}) {
  const up = value_axis(0, Math.max(1, ...data.map((row) => Number(row[y]))));
  return (
    <BarChart
      h={height}
      data={data}
      dataKey={x}
      series={[{ name: y, label, color }]}
      tickLine="none"
      gridAxis="x"
      barProps={{ isAnimationActive: false, radius: [3, 3, 0, 0] }}
      yAxisProps={{
        width: 44,
        domain: [0, up.high],
        ticks: up.ticks.filter(Number.isInteger),
        tickFormatter: count,
      }}
      barChartProps={{ barCategoryGap: "8%" }}
      {...(x_label ? { xAxisLabel: x_label } : {})}
    />
  );
}

/** Parts of a whole, one bar on another, each time step a bar. */
export function StackedBars({
  data,
  x,
  series,
  height = 220,
  format,
  signed = false,
}: {
  data: Record<string, number | string>[];
  x: string;
  series: Series[];
  height?: number;
  format?: (v: number) => string;
  signed?: boolean; // what is negative hangs below the line
}) {
  return (
    <BarChart
      h={height}
      data={data}
      dataKey={x}
      type="stacked"
      withLegend
      legendProps={{ verticalAlign: "top", height: 32 }}
      series={series.map((s) => ({ name: s.name, label: s.label, color: s.color }))}
      tickLine="none"
      gridAxis="x"
      barProps={{ isAnimationActive: false }}
      xAxisProps={{ minTickGap: 24 }}
      yAxisProps={{ width: 52 }}
      barChartProps={{ barCategoryGap: "12%", ...(signed ? { stackOffset: "sign" as const } : {}) }}
      {...(format ? { valueFormatter: format } : {})}
    />
  );
}

/** An estimate with its interval on a scale from `from` to `to`; `mark` is what chance or the middle is. */
export function IntervalBar({
  value,
  interval,
  from = 0,
  to = 1,
  mark,
  tone = "plain",
  label,
}: {
  value: number | null;
  interval: [number, number] | null;
  from?: number;
  to?: number;
  mark?: number;
  tone?: "plain" | "bad" | "good";
  label: string;
}) {
  const place = (v: number) =>
    `${(Math.min(1, Math.max(0, (v - from) / (to - from || 1))) * 100).toFixed(2)}%`;
  const [low, high] = interval ?? [value ?? from, value ?? from];
  return (
    <span className={"interval " + tone} role="img" aria-label={label}>
      {mark !== undefined && <i className="middle" style={{ left: place(mark) }} />}
      {value !== null && (
        <>
          <i
            className="whisker"
            style={{ left: place(low), width: `calc(${place(high)} - ${place(low)})` }}
          />
          <i className="point" style={{ left: place(value) }} />
        </>
      )}
    </span>
  );
}

/** Rows: what is believed true; columns: what was said. Shares of each row, as numbers and as colour. */
export function HeatMap({
  names,
  counts,
  row_title,
  column_title,
  format,
}: {
  names: string[];
  counts: number[][];
  row_title: string;
  column_title: string;
  format: (share: number) => string;
}) {
  return (
    <div className="scroll-x" tabIndex={0}>
      <table className="heat">
        <caption className="visually-hidden">
          {row_title} · {column_title}
        </caption>
        <thead>
          <tr>
            <td className="dim small">
              {row_title} \ {column_title}
            </td>
            {names.map((n) => (
              <th key={n} scope="col">
                {n}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {counts.map((row, i) => {
            const sum = row.reduce((a, b) => a + b, 0) < 0.5 ? 0 : row.reduce((a, b) => a + b, 0); // counts are expected ones
            return (
              <tr key={names[i]}>
                <th scope="row">{names[i]}</th>
                {row.map((n, j) => {
                  const share = sum ? n / sum : 0;
                  return (
                    <td
                      key={j}
                      style={{ "--share": share } as React.CSSProperties}
                      className={share > 0.55 ? "deep" : ""}
                    >
                      {sum ? format(share) : "–"}
                      <small>{Math.round(n)}</small>
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
