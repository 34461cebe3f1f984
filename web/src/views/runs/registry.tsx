// A run that is done becomes a model of the registry.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { list_registry } from "../../api/registry";
import type { Run } from "../../api/types";
import { t } from "../../messages";
import { registry_key } from "../../state/registry";
import { useCan } from "../../state/session";
import { AddModelSheet } from "../models/add_model";

const as_name = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9._:/-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);

export function AddToRegistry({ run }: { run: Run }) {
  const can = useCan();
  const [open, set_open] = useState(false);
  const models = useQuery({
    queryKey: registry_key("models"),
    queryFn: list_registry,
    enabled: can("model.view"),
  });
  const known = models.data?.items.find((m) => m.origin.run === run.id);
  if (known) {
    return (
      <Link href="/models" className="btn">
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
      {open && <AddDialog run={run} close={() => set_open(false)} />}
    </>
  );
}

function AddDialog({ run, close }: { run: Run; close: () => void }) {
  const [name, set_name] = useState(as_name(run.name));
  return (
    <AddModelSheet
      title={t.models.add_run_title}
      source={{ run_id: run.id }}
      name={name}
      put_name={set_name}
      close={close}
    >
      <p className="dim">{t.models.add_run_text}</p>
    </AddModelSheet>
  );
}
