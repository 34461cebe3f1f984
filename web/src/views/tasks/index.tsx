// All tasks of a project: only the rows in view are in the page, only the pages in reach were asked for.
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useEffect, useRef, useState } from "react";
import { list_tasks, type TaskFilter } from "../../api/tasks";
import type { TaskItem } from "../../api/types";
import { ago, count, percent } from "../../pure/format";
import { t } from "../../messages";
import { Choice } from "../../ui/field";
import { Empty, Failed, Waiting } from "../../ui/pieces";
import { ProjectPage, type LoadedProject } from "../project/layout";
import { TaskDrawer } from "./detail";
import { answer_words } from "./words";
import "./tasks.css";

const kRow = 44;

export default function TasksPage({ id }: { id: string }) {
  return (
    <ProjectPage id={id} page={t.nav.tasks}>
      {(p) => <Tasks project={p} />}
    </ProjectPage>
  );
}

function first_filter(): TaskFilter {
  const search = new URLSearchParams(window.location.search),
    filter: TaskFilter = {};
  for (const name of ["q", "state", "split", "sort"] as const) {
    const value = search.get(name);
    if (value) filter[name] = value;
  }
  if (search.get("flagged") === "true") filter.flagged = true;
  return filter;
}

function Tasks({ project }: { project: LoadedProject }) {
  const [filter, set_filter] = useState(first_filter);
  const [open, set_open] = useState<string | null>(() =>
    new URLSearchParams(window.location.search).get("task"),
  );
  const asked = useDeferredValue(filter);
  const put = (change: Partial<TaskFilter>) => set_filter((f) => ({ ...f, ...change }));
  const query = useInfiniteQuery({
    queryKey: ["tasks", project.id, asked],
    initialPageParam: null as string | null,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) => list_tasks(project.id, asked, pageParam, signal),
    getNextPageParam: (page) => page.next,
  });
  const rows = query.data?.pages.flatMap((p) => p.items) ?? [];
  const any = Boolean(filter.q || filter.state || filter.split || filter.flagged);
  const whole = any ? rows.length : Math.max(project.counts.tasks, rows.length);
  const chosen = rows.findIndex((r) => r.id === open);
  return (
    <>
      <div className="filters" role="search">
        <input
          className="input"
          type="search"
          placeholder={t.tasks.search}
          aria-label={t.tasks.search}
          value={filter.q ?? ""}
          onChange={(e) => put({ q: e.target.value })}
        />
        <Choice
          label={t.home.column_state}
          value={filter.state ?? ""}
          onChange={(state) => put({ state })}
          options={[
            ["", t.tasks.any_state],
            ...["open", "done", "cancelled"].map((s): [string, string] => [s, t.states[s]!]),
          ]}
        />
        {project.split_state === "frozen" && (
          <Choice
            label={t.project.splits}
            value={filter.split ?? ""}
            onChange={(split) => put({ split })}
            options={[
              ["", t.tasks.any_split],
              ["train", t.tasks.train],
              ["heldout", t.tasks.heldout],
            ]}
          />
        )}
        <Choice
          label={t.tasks.order}
          value={filter.sort ?? "new"}
          onChange={(sort) => put({ sort })}
          options={[
            ["new", t.tasks.by_new],
            ["certainty", t.tasks.by_certainty],
            ["disagreement", t.tasks.by_disagreement],
          ]}
        />
        <label className="row small">
          <input
            type="checkbox"
            checked={filter.flagged ?? false}
            onChange={(e) => put({ flagged: e.target.checked })}
          />{" "}
          {t.tasks.flagged_only}
        </label>
        <span className="grow" />
        <span className="dim small nowrap" role="status">
          {query.data
            ? any
              ? t.tasks.found(rows.length, query.hasNextPage)
              : t.home.tasks(project.counts.tasks)
            : ""}
        </span>
      </div>
      {query.error ? (
        <Failed error={query.error} retry={() => void query.refetch()} />
      ) : !query.data ? (
        <Waiting lines={7} />
      ) : rows.length === 0 ? (
        <div className="panel">
          <Empty
            title={any ? t.tasks.none_found : t.tasks.none}
            text={any ? t.tasks.none_found_text : t.tasks.none_text}
          >
            {any && (
              <button type="button" className="btn" onClick={() => set_filter({})}>
                {t.tasks.clear}
              </button>
            )}
          </Empty>
        </div>
      ) : (
        <Grid
          key={JSON.stringify(asked)}
          rows={rows}
          whole={query.hasNextPage ? whole : rows.length}
          more={() => {
            if (query.hasNextPage && !query.isFetchingNextPage) void query.fetchNextPage();
          }}
          open={open}
          choose={set_open}
        />
      )}
      {open && (
        <TaskDrawer
          id={open}
          project={project}
          close={() => set_open(null)}
          move={(by) => {
            const next = rows[chosen + by];
            if (next) set_open(next.id);
          }}
          place={chosen >= 0 ? `${count(chosen + 1)} ${t.common.of} ${count(whole)}` : ""}
        />
      )}
    </>
  );
}

function Grid({
  rows,
  whole,
  more,
  open,
  choose,
}: {
  rows: TaskItem[];
  whole: number;
  more: () => void;
  open: string | null;
  choose: (id: string) => void;
}) {
  const body = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: whole,
    getScrollElement: () => body.current,
    estimateSize: () => kRow,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items[items.length - 1]?.index ?? 0;
  // One page ahead of the eye; a jump far down asks page after page until it is there.
  useEffect(() => {
    if (last >= rows.length - 40 && rows.length < whole) more();
  }, [last, rows.length, whole, more]);
  return (
    <div className="panel" style={{ overflow: "hidden" }}>
      <div className="grid-head" aria-hidden="true">
        <span>{t.tasks.prompt}</span>
        <span>{t.home.column_state}</span>
        <span>{t.tasks.labels}</span>
        <span>{t.tasks.answer}</span>
        <span>{t.tasks.split}</span>
        <span>{t.common.created}</span>
      </div>
      <div className="grid-body" ref={body} tabIndex={0} role="region" aria-label={t.nav.tasks}>
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {items.map((item) => {
            const row = rows[item.index];
            const style = { transform: `translateY(${item.start}px)` };
            if (!row)
              return (
                <div key={item.key} className="grid-row" style={style} aria-hidden="true">
                  <div
                    className="skeleton"
                    style={{ height: 12, width: `${40 + ((item.index * 37) % 50)}%` }}
                  />
                </div>
              );
            return (
              <button
                type="button"
                key={item.key}
                className="grid-row"
                style={style}
                aria-pressed={row.id === open}
                onClick={() => choose(row.id)}
              >
                <span className="row">
                  <span className="clip">{row.prompt}</span>
                  {row.flagged && <span className="badge warn">{t.tasks.flag}</span>}
                  {row.is_gold && <span className="badge">{t.tasks.gold}</span>}
                </span>
                <span>
                  <span className={"badge" + (row.state === "done" ? " good" : "")}>
                    {t.states[row.state] ?? row.state}
                  </span>
                </span>
                <span className="dim">
                  {row.annotations} / {row.wanted}
                </span>
                <span className="nowrap">
                  {row.answer ? (
                    <>
                      {answer_words(row.answer)} <span className="dim">{percent(row.probability)}</span>
                    </>
                  ) : (
                    <span className="faint">–</span>
                  )}
                </span>
                <span className="dim small">
                  {row.split === "train" ? t.tasks.train : row.split === "heldout" ? t.tasks.heldout : "–"}
                </span>
                <span className="dim small nowrap">{ago(row.created_at, Date.now())}</span>
              </button>
            );
          })}
        </div>
      </div>
    </div>
  );
}
