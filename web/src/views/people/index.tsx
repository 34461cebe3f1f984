// Who works here: a table, adding one or many, invitations, links that are shown once.
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useState } from "react";
import {
  add_person,
  change_person,
  invite,
  list_people,
  new_sign_in_link,
  remove_person,
  type WithLink,
} from "../../api/people";
import type { Person } from "../../api/types";
import { ago, count } from "../../pure/format";
import { t } from "../../messages";
import { useCan, useSession } from "../../state/session";
import { toast_error } from "../../state/toasts";
import { CopyLine, whole_link } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Field, Menu } from "../../ui/forms";
import { Empty, Loaded, Panel } from "../../ui/pieces";
import { MoreRows, Table } from "../../ui/table";
import { PageHead } from "../shell/shell";
import { BulkForm, PersonForm } from "./forms";
import { Invitations } from "./invitations";

type Open =
  | { what: "add" }
  | { what: "invite" }
  | { what: "import" }
  | { what: "edit"; person: Person }
  | { what: "links"; list: { name: string; link: string }[]; errors?: { line: number; reason: string }[] }
  | null;

export default function PeoplePage() {
  const can = useCan();
  const me = useSession();
  const queries = useQueryClient();
  const [q, set_q] = useState("");
  const asked = useDeferredValue(q);
  const [open, set_open] = useState<Open>(null);
  const query = useInfiniteQuery({
    queryKey: ["people", asked, "table"],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) => list_people(asked, pageParam),
    getNextPageParam: (p) => p.next,
    placeholderData: (old) => old,
  });
  const rows = query.data?.pages.flatMap((p) => p.items) ?? [];
  useEffect(() => {
    document.title = `${t.nav.people} · ${t.common.product}`;
  }, []);
  const manage = can("people.manage");
  const refresh = () => void queries.invalidateQueries({ queryKey: ["people"] });
  const act = (work: Promise<unknown>) => void work.then(refresh, toast_error);
  const show_links = (list: WithLink[], errors?: { line: number; reason: string }[]) => {
    refresh();
    set_open({
      what: "links",
      list: list.map((p) => ({ name: p.person.name, link: whole_link(p.sign_in_link) })),
      ...(errors ? { errors } : {}),
    });
  };
  return (
    <div className="page">
      <PageHead title={t.nav.people} text={t.people.text}>
        {manage && (
          <>
            <button type="button" className="btn" onClick={() => set_open({ what: "import" })}>
              {t.people.import}
            </button>
            <button type="button" className="btn" onClick={() => set_open({ what: "invite" })}>
              {t.people.invite}
            </button>
            <button type="button" className="btn primary" onClick={() => set_open({ what: "add" })}>
              {t.people.add}
            </button>
          </>
        )}
      </PageHead>
      <input
        className="input"
        type="search"
        style={{ maxWidth: 320 }}
        aria-label={t.people.search}
        placeholder={t.people.search}
        value={q}
        onChange={(e) => set_q(e.target.value)}
      />
      <Panel pad={false}>
        <div className={query.data ? "" : "body"}>
          <Loaded query={query}>
            {() =>
              rows.length === 0 ? (
                <Empty title={t.people.nobody} />
              ) : (
                <Table
                  columns={[
                    t.common.name,
                    t.people.role,
                    t.people.skills,
                    { text: t.project.labels, num: true },
                    t.people.seen,
                    ...(manage ? [{ text: t.people.more, quiet: true }] : []),
                  ]}
                >
                  {rows.map((p) => (
                    <tr key={p.id}>
                      <td>
                        <div className="row">
                          <span className="strong">{p.name}</span>
                          {p.id === me.person.id && <span className="badge accent">{t.people.you}</span>}
                          {p.paused && <span className="badge warn">{t.states.paused}</span>}
                        </div>
                        {p.email && <div className="dim small">{p.email}</div>}
                      </td>
                      <td>{t.roles[p.role] ?? p.role}</td>
                      <td>
                        <div className="row wrap" style={{ gap: 4 }}>
                          {[...p.skills, ...p.languages].map((x) => (
                            <span key={x} className="badge">
                              {x}
                            </span>
                          ))}
                        </div>
                      </td>
                      <td className="num">{count(p.annotations ?? 0)}</td>
                      <td className="dim nowrap">{ago(p.last_seen_at, Date.now())}</td>
                      {manage && (
                        <td className="right">
                          <PersonMenu
                            p={p}
                            self={p.id === me.person.id}
                            edit={() => set_open({ what: "edit", person: p })}
                            link={() =>
                              void new_sign_in_link(p.id).then(
                                (r) =>
                                  set_open({
                                    what: "links",
                                    list: [{ name: p.name, link: whole_link(r.sign_in_link) }],
                                  }),
                                toast_error,
                              )
                            }
                            act={act}
                          />
                        </td>
                      )}
                    </tr>
                  ))}
                </Table>
              )
            }
          </Loaded>
        </div>
      </Panel>
      <MoreRows query={query} shown={rows.length} />
      {manage && <Invitations />}
      {open?.what === "add" && (
        <PersonForm
          title={t.people.add}
          close={() => set_open(null)}
          save={(p) => add_person(p).then((r) => show_links([r]))}
        />
      )}
      {open?.what === "edit" && (
        <PersonForm
          title={open.person.name}
          person={open.person}
          close={() => set_open(null)}
          save={({ email: _, ...p }) =>
            change_person(open.person.id, p).then(() => {
              refresh();
              set_open(null);
            })
          }
        />
      )}
      {open?.what === "invite" && (
        <PersonForm
          title={t.people.invite}
          optional_name
          close={() => set_open(null)}
          save={(p) =>
            invite({ ...p, ...(p.name ? {} : { name: undefined }) } as Parameters<typeof invite>[0]).then(
              (r) => {
                void queries.invalidateQueries({ queryKey: ["invitations"] });
                set_open({
                  what: "links",
                  list: [{ name: r.invitation.name ?? t.people.invitation, link: whole_link(r.link) }],
                });
              },
            )
          }
        />
      )}
      {open?.what === "import" && (
        <BulkForm close={() => set_open(null)} done={(r) => show_links(r.people, r.errors)} />
      )}
      {open?.what === "links" && (
        <Dialog title={t.people.links_title} onClose={() => set_open(null)} wide>
          <div className="stack">
            <p className="dim">{t.people.links_text}</p>
            {open.list.slice(0, 200).map((x) => (
              <Field key={x.link} label={x.name}>
                {() => <CopyLine text={x.link} label={x.name} />}
              </Field>
            ))}
            {open.errors?.map((e) => (
              <div key={e.line} className="notice bad">
                {t.imports.line(e.line, e.reason)}
              </div>
            ))}
          </div>
        </Dialog>
      )}
    </div>
  );
}

function PersonMenu({
  p,
  self,
  edit,
  link,
  act,
}: {
  p: Person;
  self: boolean;
  edit: () => void;
  link: () => void;
  act: (work: Promise<unknown>) => void;
}) {
  const [sure, set_sure] = useState(false);
  return (
    <>
      <Menu position="bottom-end" transitionProps={{ duration: 0 }} shadow="md">
        <Menu.Target>
          <button type="button" className="btn quiet slim icon" aria-label={`${t.people.more}: ${p.name}`}>
            ⋯
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={edit}>{t.common.edit}</Menu.Item>
          <Menu.Item onClick={link}>{t.people.new_link}</Menu.Item>
          {!self && (
            <>
              <Menu.Item onClick={() => act(change_person(p.id, { paused: !p.paused }))}>
                {p.paused ? t.people.resume : t.people.pause}
              </Menu.Item>
              <Menu.Item className="danger-item" onClick={() => set_sure(true)}>
                {t.people.end}
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {sure && (
        <Dialog
          title={t.people.end_title(p.name)}
          onClose={() => set_sure(false)}
          footer={
            <>
              <button type="button" className="btn" onClick={() => set_sure(false)}>
                {t.common.cancel}
              </button>
              <button
                type="button"
                className="btn danger"
                onClick={() => {
                  set_sure(false);
                  act(remove_person(p.id));
                }}
              >
                {t.people.end}
              </button>
            </>
          }
        >
          <p>{t.people.end_text}</p>
        </Dialog>
      )}
    </>
  );
}
