// What a run said and what it earned: a list that is sorted and narrowed by reward and step, and the
// answer that is chosen beside it. j and k go from one to the next.
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useDeferredValue, useEffect, useRef, useState } from "react";
import { useActions } from "../../actions/action";
import { run_actions, type RunContext } from "../../actions/runs";
import { list_completions, type CompletionFilter } from "../../api/runs";
import type { Run, RunCompletion } from "../../api/types";
import { t } from "../../messages";
import { count } from "../../pure/format";
import { short_number } from "../../pure/run_metrics";
import { Choice } from "../../ui/field";
import { Empty, Failed, Waiting } from "../../ui/pieces";
import { MoreRows } from "../../ui/table";
import { is_live } from "./verdict";

const total_of = (one: RunCompletion): number | null => {
  const values = Object.values(one.rewards ?? {}).filter((v) => typeof v === "number");
  return values.length ? values.reduce((a, b) => a + b, 0) : null;
};
const number_words = (v: number | null | undefined) =>
  v === null || v === undefined ? "–" : (v > 0 ? "+" : "") + short_number(v);
const tone = (v: number | null | undefined) => (!v ? "" : v > 0 ? "good" : "bad");

export function Completions({ run }: { run: Run }) {
  const live = is_live(run);
  const [filter, set_filter] = useState<CompletionFilter>({ sort: "step", order: "asc" });
  const [chosen, choose] = useState<number | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const asked = useDeferredValue(filter);
  const query = useInfiniteQuery({
    queryKey: ["run_completions", run.id, asked],
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) => list_completions(run.id, asked, pageParam, signal),
    getNextPageParam: (page) => page.next,
    refetchInterval: live ? 4000 : false,
    staleTime: live ? 0 : 60_000,
  });
  const head = query.data?.pages[0];
  const rows = query.data?.pages.flatMap((p) => p.items) ?? [];
  const at = Math.max(
    0,
    rows.findIndex((r) => r.place === chosen),
  );
  const now = rows[at];
  const put = (change: CompletionFilter) => set_filter((f) => ({ ...f, ...change }));
  const get = useCallback(
    (): RunContext => ({
      move: (by) => {
        const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
        if (!next) return;
        choose(next.place);
        if (at + by >= rows.length - 5 && query.hasNextPage && !query.isFetchingNextPage)
          void query.fetchNextPage();
      },
    }),
    [rows, at, query],
  );
  useActions(run_actions, get);
  useEffect(() => {
    list.current?.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }, [now?.place]);
  if (query.error && !query.data) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (!head) return <Waiting lines={8} />;
  if (head.all === 0)
    return (
      <div className="panel">
        <Empty
          title={live ? t.runs.completions_wait : t.runs.completions_none}
          text={live ? t.runs.completions_wait_text : t.runs.completions_none_text}
        />
      </div>
    );
  const narrowed = Boolean(filter.step_from || filter.step_to || filter.reward_min || filter.reward_max);
  return (
    <>
      <Filters filter={filter} put={put} rewards={head.rewards} last_step={head.last_step}>
        {narrowed && (
          <button
            type="button"
            className="btn quiet slim"
            onClick={() => put({ step_from: "", step_to: "", reward_min: "", reward_max: "" })}
          >
            {t.runs.clear}
          </button>
        )}
        <span className="grow" />
        <span className="dim small nowrap" role="status">
          {t.runs.found(head.found, head.all)}
        </span>
      </Filters>
      {!head.whole && <p className="notice warn">{t.runs.not_whole}</p>}
      {rows.length === 0 ? (
        <div className="panel">
          <Empty title={t.runs.no_fit} text={t.runs.no_fit_text} />
        </div>
      ) : (
        <div className="completions">
          <div className="stack">
            <ol className="panel completion-list" ref={list} aria-label={t.runs.tab_completions}>
              {rows.map((one) => (
                <Row
                  key={one.place}
                  one={one}
                  reward={filter.reward || null}
                  chosen={one.place === now?.place}
                  choose={() => choose(one.place)}
                />
              ))}
            </ol>
            <MoreRows query={query} shown={rows.length} />
          </div>
          {now && <Chosen one={now} at={at} of={head.found} />}
        </div>
      )}
    </>
  );
}

function Filters({
  filter,
  put,
  rewards,
  last_step,
  children,
}: {
  filter: CompletionFilter;
  put: (change: CompletionFilter) => void;
  rewards: string[];
  last_step: number;
  children: React.ReactNode;
}) {
  const box = (label: string, name: "step_from" | "step_to" | "reward_min" | "reward_max", max?: number) => (
    <label className="small-field">
      <span className="dim small">{label}</span>
      <input
        className="input"
        type="number"
        step={max === undefined ? "any" : 1}
        min={max === undefined ? undefined : 0}
        value={filter[name] ?? ""}
        onChange={(e) => put({ [name]: e.target.value })}
      />
    </label>
  );
  return (
    <div className="completion-filters" role="search">
      <label className="small-field wide">
        <span className="dim small">{t.runs.sort}</span>
        <Choice
          label={t.runs.sort}
          value={`${filter.sort} ${filter.order}`}
          onChange={(value) => {
            const [sort, order] = value.split(" ");
            put({ sort, order } as CompletionFilter);
          }}
          options={Object.entries(t.runs.sorts)}
        />
      </label>
      {rewards.length > 1 && (
        <label className="small-field wide">
          <span className="dim small">{t.runs.which_reward}</span>
          <Choice
            label={t.runs.which_reward}
            value={filter.reward ?? ""}
            onChange={(reward) => put({ reward })}
            options={[["", t.runs.reward_sum], ...rewards.map((name): [string, string] => [name, name])]}
          />
        </label>
      )}
      {box(t.runs.step_from, "step_from", last_step)}
      {box(t.runs.step_to, "step_to", last_step)}
      {box(t.runs.reward_min, "reward_min")}
      {box(t.runs.reward_max, "reward_max")}
      {children}
    </div>
  );
}

function Row({
  one,
  reward,
  chosen,
  choose,
}: {
  one: RunCompletion;
  reward: string | null;
  chosen: boolean;
  choose: () => void;
}) {
  const value = reward === null ? total_of(one) : (one.rewards?.[reward] ?? null);
  return (
    <li>
      <button
        type="button"
        className="completion-row"
        aria-current={chosen ? "true" : undefined}
        onClick={choose}
      >
        <span className="dim small nowrap">{t.runs.step_of(one.step)}</span>
        <span className={"clip" + (one.completion ? "" : " faint")}>
          {one.completion?.trim() || t.runs.empty_completion}
        </span>
        <b className="num">{value === null ? "–" : short_number(value)}</b>
        <span className={"num small " + tone(one.advantage)}>{number_words(one.advantage)}</span>
      </button>
    </li>
  );
}

function Chosen({ one, at, of }: { one: RunCompletion; at: number; of: number }) {
  const rewards = Object.entries(one.rewards ?? {});
  return (
    <section className="panel completion" aria-label={t.runs.completion}>
      <header>
        <h2>{t.runs.step_of(one.step)}</h2>
        <span className="dim small nowrap">{t.runs.place_of(at + 1, of)}</span>
      </header>
      <div className="body stack">
        <dl className="completion-facts">
          {rewards.map(([name, value]) => (
            <div key={name}>
              <dt className="clip">{name}</dt>
              <dd>{value === null ? "–" : short_number(value)}</dd>
            </div>
          ))}
          <div>
            <dt>{t.runs.advantage}</dt>
            <dd className={tone(one.advantage)}>{number_words(one.advantage)}</dd>
          </div>
        </dl>
        <div>
          <h3>{t.runs.prompt}</h3>
          <div className="plain-text dim" tabIndex={0}>
            {one.prompt}
          </div>
        </div>
        <div>
          <h3 className="row wrap">
            {t.runs.completion}
            {one.tokens !== null && one.tokens !== undefined && (
              <span className="dim small">{t.runs.tokens_of(one.tokens)}</span>
            )}
            {one.ended === false && <span className="badge warn">{t.runs.cut}</span>}
          </h3>
          <div className="plain-text" tabIndex={0}>
            {one.completion || <span className="faint">{t.runs.empty_completion}</span>}
          </div>
        </div>
        <p className="faint small mono clip">
          {one.id} · {count(one.place)}
        </p>
      </div>
    </section>
  );
}
