// The curves of one run, or of several over each other: any number of metrics.jsonl, smoothed as much
// as one likes, on a linear or a log axis.
import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { get_run_metrics } from "../../api/runs";
import type { MetricLine, Run } from "../../api/types";
import { t } from "../../messages";
import { percent } from "../../pure/format";
import {
  curves_of,
  first_metrics,
  is_share,
  metric_names,
  raw_of,
  short_number,
  type RunLines,
} from "../../pure/run_metrics";
import { Curve, Figure } from "../../ui/charts";
import { series_color } from "../../ui/colors";
import { Dialog } from "../../ui/dialog";
import { Failed, Panel, Waiting } from "../../ui/pieces";
import { is_live } from "./verdict";

/** The lines of each run; a live one is asked for new lines only. */
function useLines(runs: Run[]) {
  const queries = useQueryClient();
  return useQueries({
    queries: runs.map((run) => {
      const key = ["run_metrics", run.id],
        live = is_live(run);
      return {
        queryKey: key,
        refetchInterval: live ? 2500 : (false as const),
        staleTime: live ? 0 : 60_000,
        structuralSharing: false,
        queryFn: async (): Promise<MetricLine[]> => {
          const old = queries.getQueryData<MetricLine[]>(key) ?? [];
          const last = Number(old.at(-1)?.step ?? -1);
          const more = await get_run_metrics(run.id, last);
          return [...old, ...more.filter((m) => typeof m.step === "number" && m.step > last)];
        },
      };
    }),
  });
}

/** Methods that learn from what they say themselves. */
const kOwnAnswers = new Set(["grpo", "rloo", "ppo", "online_dpo"]);
export const metric_title = (name: string): string => t.runs.metric_names[name] ?? name;

export function Curves({ runs }: { runs: Run[] }) {
  const results = useLines(runs);
  const failed = results.find((r) => r.error && !r.data);
  const [chosen, set_chosen] = useState<string[] | null>(null);
  const [keep, set_keep] = useState(0.9);
  const [log, set_log] = useState(false);
  const [choosing, set_choosing] = useState(false);
  const loaded = results.every((r) => r.data);
  const data: RunLines[] = runs.map((run, i) => ({ id: run.id, lines: results[i]?.data ?? [] }));
  const names = useMemo(
    () => metric_names(data.flatMap((d) => d.lines)),
    [results.map((r) => r.dataUpdatedAt).join()],
  );
  if (failed) return <Failed error={failed.error} retry={() => void failed.refetch()} />;
  if (!loaded) return <Waiting lines={6} />;
  if (!data.some((d) => d.lines.length > 1))
    return runs.some(is_live) ? (
      <Panel>
        <p className="dim">{t.runs.curves_wait}</p>
      </Panel>
    ) : null;
  const shown = (chosen ?? first_metrics(names)).filter((name) => names.includes(name));
  return (
    <section className="stack" aria-label={t.runs.metrics}>
      <div className="curve-tools">
        <h2 className="grow">{t.runs.metrics}</h2>
        <label className="row small">
          <span className="dim">{t.runs.smoothing}</span>
          <input
            type="range"
            min={0}
            max={98}
            step={2}
            value={Math.round(keep * 100)}
            aria-valuetext={t.runs.smoothing_value(Math.round(keep * 100))}
            onChange={(e) => set_keep(Number(e.target.value) / 100)}
          />
          <output>{t.runs.smoothing_value(Math.round(keep * 100))}</output>
        </label>
        <button
          type="button"
          className="btn quiet slim"
          aria-pressed={log}
          onClick={() => set_log((on) => !on)}
        >
          {t.runs.log_axis}
        </button>
        <button type="button" className="btn slim" onClick={() => set_choosing(true)}>
          {t.runs.choose_metrics} <span className="dim">{shown.length}</span>
        </button>
      </div>
      {shown.length === 0 ? (
        <Panel>
          <p className="dim">{t.runs.no_curve}</p>
        </Panel>
      ) : (
        <div className="halves">
          {shown.map((name) => (
            <Metric key={name} name={name} runs={runs} data={data} keep={keep} log={log} />
          ))}
        </div>
      )}
      {choosing && <Chooser names={names} shown={shown} put={set_chosen} close={() => set_choosing(false)} />}
    </section>
  );
}

function Metric({
  name,
  runs,
  data,
  keep,
  log,
}: {
  name: string;
  runs: Run[];
  data: RunLines[];
  keep: number;
  log: boolean;
}) {
  const { rows, ends, dropped } = curves_of(data, name, keep, log);
  const several = runs.length > 1;
  const raw = keep > 0;
  const share = is_share(name);
  const words = (v: number) => (share ? percent(v, 1) : short_number(v));
  const went = runs
    .filter((run) => ends[run.id])
    .map((run) => {
      const { first, last } = ends[run.id]!;
      return several
        ? t.runs.run_went(run.name, words(first), words(last))
        : t.runs.went(words(first), words(last));
    });
  const series = runs.flatMap((run, i) => {
    const even = {
      name: run.id,
      label: several ? run.name : raw ? t.runs.smooth : t.runs.raw,
      color: series_color(i),
      width: 2.2,
    };
    // Of several runs only the smoothed lines: more would be a thicket.
    return several || !raw
      ? [even]
      : [{ name: raw_of(run.id), label: t.runs.raw, color: "var(--series-4)", width: 0.8 }, even];
  });
  const own = name === "loss" && kOwnAnswers.has(runs[0]?.method ?? "");
  const text = several ? "" : own ? t.runs.own_loss : (t.runs.metric_text[name] ?? "");
  return (
    <Figure
      title={metric_title(name)}
      unit={t.runs.metric_units[name]}
      sentence={
        <>
          {[text, several ? went.join(" · ") + "." : went.join(" ")].filter(Boolean).join(" ")}
          {dropped > 0 && <span className="warn"> {t.runs.log_dropped(dropped)}</span>}
        </>
      }
    >
      <Curve
        data={rows}
        x="step"
        series={series}
        format={words}
        height={230}
        x_label={t.runs.step_word}
        log={log}
        share={share}
      />
    </Figure>
  );
}

/** All numbers that these runs have; typing narrows them. */
function Chooser({
  names,
  shown,
  put,
  close,
}: {
  names: string[];
  shown: string[];
  put: (names: string[]) => void;
  close: () => void;
}) {
  const [text, set_text] = useState("");
  const fits = names.filter((name) =>
    (name + " " + metric_title(name)).toLowerCase().includes(text.trim().toLowerCase()),
  );
  return (
    <Dialog title={t.runs.choose_metrics} onClose={close}>
      <form className="stack" onSubmit={(e) => e.preventDefault()}>
        <input
          className="input"
          type="search"
          aria-label={t.runs.find_metric}
          placeholder={t.runs.find_metric}
          value={text}
          onChange={(e) => set_text(e.target.value)}
        />
        <ul className="metric-list">
          {fits.slice(0, 200).map((name) => (
            <li key={name}>
              <label className="row">
                <input
                  type="checkbox"
                  checked={shown.includes(name)}
                  onChange={(e) =>
                    put(e.target.checked ? [...shown, name] : shown.filter((one) => one !== name))
                  }
                />
                <span>{metric_title(name)}</span>
                {metric_title(name) !== name && <span className="mono dim small clip">{name}</span>}
              </label>
            </li>
          ))}
        </ul>
      </form>
    </Dialog>
  );
}
