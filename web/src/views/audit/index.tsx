// Who changed what, when, from what to what; and whether the chain of it is whole.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useState } from "react";
import { list_audit, verify_audit } from "../../api/audit";
import { day_time } from "../../pure/format";
import { t } from "../../messages";
import { Empty, Loaded, Panel } from "../../ui/pieces";
import { MoreRows, Table } from "../../ui/table";
import { PageHead } from "../shell/shell";

export default function AuditPage() {
  const [kind, set_kind] = useState("");
  const [object, set_object] = useState("");
  const asked = useDeferredValue(`${kind}\n${object}`);
  const [asked_kind = "", asked_object = ""] = asked.split("\n");
  const query = useInfiniteQuery({
    queryKey: ["audit", asked],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      list_audit({ kind: asked_kind.trim(), object: asked_object.trim() }, pageParam),
    getNextPageParam: (p) => p.next,
    placeholderData: (old) => old,
  });
  const verified = useQuery({ queryKey: ["audit_verify"], queryFn: verify_audit, enabled: false });
  useEffect(() => {
    document.title = `${t.nav.audit} · ${t.common.product}`;
  }, []);
  const rows = query.data?.pages.flatMap((p) => p.items) ?? [];
  const text = (v: unknown) =>
    v === null || v === undefined || v === "" ? "" : typeof v === "string" ? v : JSON.stringify(v);
  return (
    <div className="page">
      <PageHead title={t.nav.audit} text={t.audit.text}>
        <button type="button" className="btn" onClick={() => void verified.refetch()}>
          {verified.isFetching ? t.audit.verifying : t.audit.verify}
        </button>
      </PageHead>
      {verified.data && (
        <div className={"notice " + (verified.data.intact ? "good" : "bad")} role="status">
          {verified.data.intact ? t.audit.intact(verified.data.events) : t.audit.broken}{" "}
          <span className="mono small clip">{verified.data.head.slice(0, 24)}</span>
        </div>
      )}
      {verified.error && (
        <div className="notice bad" role="alert">
          {verified.error.message}
        </div>
      )}
      <div className="row wrap">
        <input
          className="input"
          style={{ maxWidth: 240 }}
          aria-label={t.audit.kind}
          placeholder={t.audit.kind}
          value={kind}
          onChange={(e) => set_kind(e.target.value)}
        />
        <input
          className="input"
          style={{ maxWidth: 300 }}
          aria-label={t.audit.object}
          placeholder={t.audit.object}
          value={object}
          onChange={(e) => set_object(e.target.value)}
        />
      </div>
      <Panel pad={false}>
        <div className={query.data ? "" : "body"}>
          <Loaded query={query}>
            {() =>
              rows.length === 0 ? (
                <Empty title={t.audit.none} text={t.audit.none_text} />
              ) : (
                <Table
                  columns={[
                    t.tasks.when,
                    t.tasks.person,
                    t.audit.kind,
                    t.audit.object,
                    t.audit.change,
                    t.audit.hash,
                  ]}
                >
                  {rows.map((e) => (
                    <tr key={e.id}>
                      <td className="nowrap dim">{day_time(e.at)}</td>
                      <td>{e.actor?.name || e.actor?.id || "–"}</td>
                      <td>
                        <span className="badge">{e.kind}</span>
                      </td>
                      <td className="mono dim small">{e.object}</td>
                      <td className="small">
                        {text(e.from) && <span className="dim">{text(e.from)} → </span>}
                        {text(e.to)}
                      </td>
                      <td className="mono faint small">{e.hash.slice(0, 10)}</td>
                    </tr>
                  ))}
                </Table>
              )
            }
          </Loaded>
        </div>
      </Panel>
      <MoreRows query={query} shown={rows.length} />
    </div>
  );
}
