// Charts: Mantine's over Recharts for curves and bars, plain SVG for intervals and matrices. Each has
// a name for screen readers, and the sentence under it says what it shows.
import "@mantine/core/styles/Paper.css";
import "@mantine/core/styles/ColorSwatch.css";
import "@mantine/charts/styles.css";
import { BarChart, LineChart } from "@mantine/charts";
import type { ReactNode } from "react";
import "./charts.css";

export function Figure({
  title,
  sentence,
  children,
  tools,
}: {
  title: string;
  sentence?: ReactNode;
  children: ReactNode;
  tools?: ReactNode;
}) {
  return (
    <section className="panel figure">
      <header>
        <h2>{title}</h2>
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
export function Curve({
  data,
  x,
  series,
  height = 220,
  y_domain,
  x_label,
  format,
  log = false,
}: {
  data: Record<string, number | string | null>[];
  x: string;
  series: Series[];
  height?: number;
  y_domain?: [number | "auto", number | "auto"];
  x_label?: string;
  format?: (v: number) => string;
  log?: boolean; // of y; the data has nothing at or below 0
}) {
  return (
    <LineChart
      h={height}
      data={data}
      dataKey={x}
      withDots={data.length < 16}
      curveType="linear"
      withLegend={series.length > 1}
      legendProps={{ verticalAlign: "top", height: 32 }}
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
      xAxisProps={{ minTickGap: 40 }}
      yAxisProps={{
        domain: y_domain ?? ["auto", "auto"],
        width: 52,
        ...(log ? { scale: "log" as const, allowDataOverflow: true } : {}),
      }}
      {...(x_label ? { xAxisLabel: x_label } : {})}
      {...(format ? { valueFormatter: format } : {})}
    />
  );
}
export function Histogram({
  data,
  x,
  y,
  label,
  color = "var(--series-1)",
  height = 200,
}: {
  data: Record<string, number | string>[];
  x: string;
  y: string;
  label: string;
  color?: string;
  height?: number;
}) {
  return (
    <BarChart
      h={height}
      data={data}
      dataKey={x}
      series={[{ name: y, label, color }]}
      tickLine="none"
      gridAxis="x"
      barProps={{ isAnimationActive: false, radius: [3, 3, 0, 0] }}
      yAxisProps={{ width: 44 }}
      barChartProps={{ barCategoryGap: "8%" }}
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
