// What was asked of models: tokens a day, and by key and model.
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { list_tokens, read_usage } from "../../api/tokens";
import { t } from "../../messages";
import { compact, count } from "../../pure/format";
import { by_day, by_key } from "../../pure/usage";
import { useSession } from "../../state/session";
import { Loaded, Panel, Skeleton } from "../../ui/pieces";
import { Table } from "../../ui/table";

const Bars = lazy(() => import("../../ui/charts").then((m) => ({ default: m.StackedBars })));
const kDays = [7, 30, 90];
const kRows = 50;

export function Usage() {
  const session = useSession();
  const [days, set_days] = useState(30);
  const query = useQuery({ queryKey: ["usage", days], queryFn: () => read_usage(days) });
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: list_tokens });
  const names = new Map((tokens.data?.items ?? []).map((k) => [k.id, k.name]));
  const name_of = (id: string) =>
    names.get(id) ?? (id === session.person.id ? `${session.person.name}, ${t.settings.by_people}` : id);
  return (
    <Panel
      title={t.settings.usage}
      pad={false}
      tools={
        <select
          className="input"
          aria-label={t.settings.days_shown(days)}
          value={days}
          onChange={(e) => set_days(Number(e.target.value))}
        >
          {kDays.map((d) => (
            <option key={d} value={d}>
              {t.settings.days_shown(d)}
            </option>
          ))}
        </select>
      }
    >
      <div className={query.data?.length ? "" : "body"}>
        <Loaded query={query}>
          {(rows) => {
            const data = by_day(rows, new Date().toISOString().slice(0, 10), days);
            const sums = by_key(rows);
            const sum = (of: (d: (typeof data)[number]) => number) => data.reduce((n, d) => n + of(d), 0);
            if (sums.length === 0) return <p className="dim">{t.settings.usage_none}</p>;
            return (
              <>
                <figure style={{ margin: 0, padding: "12px 16px" }} aria-label={t.settings.usage}>
                  <Suspense fallback={<Skeleton height={220} />}>
                    <Bars
                      data={data.map((d) => ({ ...d, day: d.day.slice(5) }))}
                      x="day"
                      series={[
                        { name: "prompt", label: t.settings.prompt, color: "var(--series-1)" },
                        { name: "completion", label: t.settings.completion, color: "var(--series-2)" },
                      ]}
                      format={compact}
                    />
                  </Suspense>
                  <figcaption className="dim small">
                    {t.settings.usage_text(
                      sum((d) => d.requests),
                      sum((d) => d.prompt + d.completion),
                      days,
                    )}
                  </figcaption>
                </figure>
                <Table
                  columns={[
                    t.settings.key,
                    t.settings.model,
                    { text: t.settings.requests, num: true },
                    { text: t.settings.tokens, num: true },
                    { text: t.settings.cached, num: true },
                  ]}
                >
                  {sums.slice(0, kRows).map((u) => (
                    <tr key={u.key_id + u.model}>
                      <td>{name_of(u.key_id)}</td>
                      <td>{u.model}</td>
                      <td className="num">{count(u.requests)}</td>
                      <td className="num">{count(u.tokens)}</td>
                      <td className="num dim">{count(u.cached)}</td>
                    </tr>
                  ))}
                </Table>
              </>
            );
          }}
        </Loaded>
      </div>
    </Panel>
  );
}
