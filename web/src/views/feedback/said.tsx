// The list of what was said, narrowed by filters, with the charts above it.
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useRef, useState, type RefObject } from "react";
import { Link } from "wouter";
import { list_feedback, list_feedback_days, type FeedbackFilter } from "../../api/feedback";
import type { FeedbackItem } from "../../api/types";
import { t } from "../../messages";
import { models_of } from "../../pure/feedback_days";
import { ago } from "../../pure/format";
import { Choice } from "../../ui/field";
import { Empty, Failed, Waiting } from "../../ui/pieces";
import { MoreRows } from "../../ui/table";
import { Icon, type IconName } from "../chat/icons";
import { Charts } from "./charts";
import { FeedbackDrawer } from "./detail";
import type { Part } from "./index";

const kFilters = ["kind", "verdict", "model", "consent", "from", "to"] as const;
const kPeriods = [7, 30, 90];

function first_filter(): FeedbackFilter {
  const search = new URLSearchParams(window.location.search),
    filter: FeedbackFilter = {};
  for (const name of kFilters) {
    const value = search.get(name);
    if (value) filter[name] = value;
  }
  return filter;
}
/** The address says what is shown, so that it can be sent to somebody. */
function keep_filter(filter: FeedbackFilter): void {
  const search = new URLSearchParams();
  for (const name of kFilters) if (filter[name]) search.set(name, filter[name]);
  const text = search.toString();
  window.history.replaceState(window.history.state, "", window.location.pathname + (text ? "?" + text : ""));
}

export function Said({ part }: { part: RefObject<Part | null> }) {
  const [filter, set_filter] = useState(first_filter);
  const [days, set_days] = useState(30);
  const [open, set_open] = useState<string | null>(() =>
    new URLSearchParams(window.location.search).get("feedback"),
  );
  const first = useRef<HTMLSelectElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const asked = useDeferredValue(filter);
  const counted = useQuery({
    queryKey: ["feedback", "days", days],
    queryFn: () => list_feedback_days(days),
    placeholderData: keepPreviousData,
  });
  const query = useInfiniteQuery({
    queryKey: ["feedback", "list", asked],
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) => list_feedback(asked, pageParam, signal),
    getNextPageParam: (page) => page.next,
    refetchInterval: open ? false : 15_000,
  });
  const rows = query.data?.pages.flatMap((p) => p.items) ?? [];
  const any = kFilters.some((name) => filter[name]);
  const put = (change: FeedbackFilter) => {
    const now = { ...filter, ...change };
    set_filter(now);
    keep_filter(now);
  };
  const at = rows.findIndex((r) => r.id === open);
  const go_to = (by: number) => {
    const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    if (next) set_open(next.id);
  };
  useEffect(() => {
    part.current = {
      move: (by) => {
        const buttons = [...(list.current?.querySelectorAll<HTMLElement>("button.said-row") ?? [])];
        const here = buttons.findIndex((b) => b === document.activeElement);
        buttons[Math.min(Math.max(here + by, 0), buttons.length - 1)]?.focus();
      },
      open: () => undefined,
      find: () => first.current?.focus(),
    };
  });
  // Nobody said anything at all: the page teaches where it comes from.
  if (query.data && rows.length === 0 && !any && !query.isPlaceholderData)
    return (
      <div className="panel">
        <Empty title={t.feedback.none} text={t.feedback.none_text}>
          <Link href="/chat" className="btn primary">
            {t.feedback.to_chat}
          </Link>
        </Empty>
      </div>
    );
  const models = models_of(counted.data ?? [])
    .map((m) => m.model)
    .filter((m) => m !== "");
  if (filter.model && !models.includes(filter.model)) models.push(filter.model);
  return (
    <>
      {counted.error ? (
        <Failed error={counted.error} retry={() => void counted.refetch()} />
      ) : counted.data ? (
        <Charts
          rows={counted.data}
          days={days}
          model={filter.model || null}
          choose={(model) => put({ model })}
          tools={
            <Choice
              label={t.feedback.days}
              value={String(days)}
              onChange={(v) => set_days(Number(v))}
              options={kPeriods.map((d) => [String(d), t.feedback.last_days(d)])}
            />
          }
        />
      ) : (
        <Waiting lines={6} />
      )}
      <div className="said-filters" role="search" aria-label={t.feedback.filters}>
        <Choice
          reference={first}
          label={t.feedback.kind}
          value={filter.kind ?? ""}
          onChange={(kind) => put({ kind })}
          options={[["", t.feedback.any_kind], ...Object.entries(t.feedback.many)]}
        />
        <Choice
          label={t.feedback.model}
          value={filter.model ?? ""}
          onChange={(model) => put({ model })}
          options={[["", t.feedback.any_model], ...models.map((m): [string, string] => [m, m])]}
        />
        <Choice
          label={t.feedback.consent}
          value={filter.consent ?? ""}
          onChange={(consent) => put({ consent })}
          options={[
            ["", t.feedback.any_consent],
            ["true", t.feedback.with_texts],
            ["false", t.feedback.without_texts],
          ]}
        />
        <Day label={t.feedback.from} value={filter.from ?? ""} put={(from) => put({ from })} />
        <Day label={t.feedback.to} value={filter.to ?? ""} put={(to) => put({ to })} />
        {any && (
          <button
            type="button"
            className="btn quiet slim"
            onClick={() => put({ kind: "", verdict: "", model: "", consent: "", from: "", to: "" })}
          >
            {t.feedback.clear}
          </button>
        )}
        <span className="grow" />
        <span className="dim small nowrap" role="status">
          {query.data ? t.feedback.shown(rows.length, query.hasNextPage) : ""}
        </span>
      </div>
      {query.error ? (
        <Failed error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Waiting lines={7} />
      ) : rows.length === 0 ? (
        <div className="panel">
          <Empty title={t.feedback.none_found} text={t.feedback.none_found_text} />
        </div>
      ) : (
        <ul className="said panel" ref={list} aria-label={t.feedback.tab_said}>
          {rows.map((row) => (
            <li key={row.id}>
              <Row row={row} choose={() => set_open(row.id)} />
            </li>
          ))}
        </ul>
      )}
      <MoreRows query={query} shown={rows.length} />
      {open && (
        <FeedbackDrawer
          id={open}
          close={() => set_open(null)}
          move={go_to}
          place={at >= 0 ? t.feedback.place(at + 1, rows.length, query.hasNextPage) : ""}
        />
      )}
    </>
  );
}

const kSigns: Record<string, IconName> = { up: "up", down: "down", edited: "edit", reported: "flag" };
export const tone_of = (verdict: string): string =>
  verdict === "up" ? "good" : verdict === "down" || verdict === "reported" ? "bad" : "";

export function Sign({ verdict }: { verdict: string }) {
  return (
    <span className={"sign " + tone_of(verdict)}>
      <Icon of={kSigns[verdict] ?? "compare"} />
    </span>
  );
}

/** "Thumb up", "Correction" */
export const title_of = (said: FeedbackItem): string =>
  t.feedback.titles[said.verdict] ?? t.feedback.kinds[said.kind] ?? said.kind;

function Row({ row, choose }: { row: FeedbackItem; choose: () => void }) {
  const more = row.kind === "edit" ? row.text : row.comment;
  return (
    <button type="button" className="said-row" onClick={choose}>
      <Sign verdict={row.verdict} />
      <span className="what">
        <span className="strong">{title_of(row)}</span>
        <span className="dim">
          {row.reason
            ? (t.feedback.reasons[row.reason] ?? row.reason)
            : row.kind === "comparison"
              ? (t.feedback.verdicts[row.verdict] ?? row.verdict)
              : ""}
        </span>
      </span>
      <span className="about">
        <span className={"clip" + (row.excerpt ? "" : " faint")}>
          {row.excerpt || t.feedback.no_text_short}
        </span>
        {more && <span className="clip dim small">{more}</span>}
      </span>
      <span className="models">
        {row.models.map((m, i) => (
          <span className="badge clip" key={i}>
            {m}
          </span>
        ))}
      </span>
      <span className="dim small who clip">{row.person.name}</span>
      <span className="dim small nowrap when">{ago(row.created_at, Date.now())}</span>
    </button>
  );
}

function Day({ label, value, put }: { label: string; value: string; put: (value: string) => void }) {
  return (
    <label className="day">
      <span className="dim small">{label}</span>
      <input className="input" type="date" value={value} onChange={(e) => put(e.target.value)} />
    </label>
  );
}
