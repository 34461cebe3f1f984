// Opens a project for labelling: makes the session over the real requests and keeps it alive.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import * as labelling from "../../api/labelling";
import { get_project, get_schema } from "../../api/projects";
import { t } from "../../messages";
import { LabelSession } from "../../state/label_session";
import { local_drafts } from "../../state/local_drafts";
import { on_sent } from "../../state/outbox_instance";
import { sign_out_here, useSession } from "../../state/session";
import { LabelScreen } from "./label_screen";
import { useOutbox } from "./outbox_chip";

export default function LabelPage({ project_id }: { project_id: string }) {
  const outbox = useOutbox();
  const session_now = useSession(),
    who = session_now.person.id + ":" + session_now.organisation.id;
  const queries = useQueryClient();
  const project = useQuery({
    queryKey: ["project", project_id],
    queryFn: () => get_project(project_id),
    staleTime: 60_000,
  });
  const [session, set_session] = useState<LabelSession | null>(null);

  useEffect(() => {
    if (!outbox) return;
    const made = new LabelSession(
      project_id,
      {
        ...labelling,
        next_tasks: (id, count) =>
          labelling.next_tasks(id, count).catch((error: unknown) => {
            sign_out_here(queries, error);
            throw error;
          }),
        get_schema: (id, version) =>
          queries
            .fetchQuery({
              queryKey: ["schema", id, version],
              queryFn: () => get_schema(id, version),
              staleTime: Infinity,
            })
            .then((s) => s.schema),
        undo_now: async (id) => (await labelling.undo_answer(id, crypto.randomUUID())).data,
      },
      outbox,
      Date.now,
      local_drafts(who, window.localStorage),
    );
    const off = on_sent((entry, outcome) => made.delivered(entry, outcome));
    // What an earlier page left goes first, so that the server does not give those tasks again.
    void outbox.kick().then(() => made.start());
    set_session(made);
    const input = () => made.input();
    const seen = () => made.visible(!document.hidden);
    window.addEventListener("keydown", input, { passive: true });
    window.addEventListener("pointermove", input, { passive: true });
    document.addEventListener("visibilitychange", seen);
    return () => {
      off();
      made.stop();
      window.removeEventListener("keydown", input);
      window.removeEventListener("pointermove", input);
      document.removeEventListener("visibilitychange", seen);
      void queries.invalidateQueries({ queryKey: ["projects"] });
    };
  }, [outbox, project_id, queries, who]);

  useEffect(() => {
    document.title = `${project.data?.name ?? t.label.title} · ${t.common.product}`;
  }, [project.data?.name]);
  return session ? (
    <LabelScreen
      session={session}
      project_name={project.data?.name ?? ""}
      back={`/projects/${project_id}`}
      live={project.data?.live ?? false}
    />
  ) : null;
}
