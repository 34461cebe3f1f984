// A run that is done becomes a model of the registry.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { add_model, list_registry } from "../../api/registry";
import type { Run } from "../../api/types";
import { t } from "../../messages";
import { useCan } from "../../state/session";
import { toast } from "../../state/toasts";
import { FormSheet } from "../../ui/form_sheet";
import { NameField, name_problem } from "../models/name_field";

const kKey = ["registry", "models"];
const as_name = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9._:/-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);

export function AddToRegistry({ run }: { run: Run }) {
  const can = useCan();
  const [open, set_open] = useState(false);
  const [added, set_added] = useState(false); // here and now: the link takes the button's place, and its focus
  const models = useQuery({ queryKey: kKey, queryFn: list_registry, enabled: can("model.view") });
  const known = models.data?.items.find((m) => m.origin.run === run.id);
  if (known) {
    return (
      <Link
        href="/models"
        className="btn"
        ref={added ? (link: HTMLElement | null) => link?.focus() : undefined}
      >
        {t.models.in_registry(known.name)}
      </Link>
    );
  }
  if (!can("model.manage") || !models.data) return null;
  return (
    <>
      <button type="button" className="btn" onClick={() => set_open(true)}>
        {t.models.add_run}
      </button>
      {open && <AddDialog run={run} added={() => set_added(true)} close={() => set_open(false)} />}
    </>
  );
}

function AddDialog({ run, added, close }: { run: Run; added: () => void; close: () => void }) {
  const queries = useQueryClient();
  const [name, set_name] = useState(as_name(run.name));
  const send = async () => {
    const made = await add_model({ name: name.trim(), run_id: run.id });
    toast(t.models.added(made.name), { kind: "good" });
    added();
    void queries.invalidateQueries({ queryKey: ["registry"] });
    close();
  };
  return (
    <FormSheet
      title={t.models.add_run_title}
      go={t.models.add}
      problem={name_problem(name)}
      send={send}
      close={close}
    >
      <p className="dim">{t.models.add_run_text}</p>
      <NameField value={name} put={set_name} />
    </FormSheet>
  );
}
