// Models and adapters: digest, parent, where each came from, whether it answers here.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { remove_model } from "../../api/registry";
import type { RegistryModel } from "../../api/types";
import { t } from "../../messages";
import { ago, bytes } from "../../pure/format";
import { toast, toast_error } from "../../state/toasts";
import { Dialog, DialogActions } from "../../ui/dialog";
import { Table } from "../../ui/table";
import { kRegistry } from "./promote";

export function ModelTable({ models, may_change }: { models: RegistryModel[]; may_change: boolean }) {
  const [leaving, set_leaving] = useState<RegistryModel | null>(null);
  const queries = useQueryClient();
  return (
    <>
      <Table
        columns={[
          t.common.name,
          t.models.kind,
          t.models.digest,
          t.models.from,
          { text: t.models.size, num: true },
          t.models.serves,
          { text: t.common.remove, quiet: true },
        ]}
      >
        {models.map((m) => (
          <tr key={m.id}>
            <td className="strong">{m.name}</td>
            <td>
              {t.models.kinds[m.kind]}{" "}
              <span className="dim">
                {m.parent ? t.models.on(m.parent) : m.shared ? t.models.shared : ""}
              </span>
            </td>
            <td className="mono dim small" title={m.digest}>
              {m.digest.slice(0, 12)}
            </td>
            <td>
              <Origin model={m} /> <span className="dim small nowrap">{ago(m.created_at, Date.now())}</span>
            </td>
            <td className="num nowrap">{m.bytes === null ? t.models.gone : bytes(m.bytes)}</td>
            <td>
              {m.served ? (
                <span className="badge good">{t.models.served}</span>
              ) : (
                <span className="badge warn" title={m.note}>
                  {t.models.not_served}
                </span>
              )}
            </td>
            <td className="right">
              {may_change && !m.shared && (
                <button
                  type="button"
                  className="btn quiet slim danger"
                  aria-label={`${t.common.remove} ${m.name}`}
                  onClick={() => set_leaving(m)}
                >
                  {t.common.remove}
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
      {leaving && (
        <Dialog
          title={t.models.remove_title}
          onClose={() => set_leaving(null)}
          footer={
            <DialogActions
              go={t.common.remove}
              tone="danger"
              cancel={() => set_leaving(null)}
              run={() => {
                remove_model(leaving.id).then(() => {
                  toast(t.models.removed(leaving.name), { kind: "good" });
                  void queries.invalidateQueries({ queryKey: kRegistry });
                }, toast_error);
                set_leaving(null);
              }}
            />
          }
        >
          <p>{t.models.remove_text(leaving.name)}</p>
        </Dialog>
      )}
    </>
  );
}

function Origin({ model }: { model: RegistryModel }) {
  const { run, project, file } = model.origin;
  if (run && project) {
    return (
      <Link href={`/projects/${project}/runs/${run}`}>
        {t.models.from_run} {(model.origin.method ?? "").toUpperCase()}
      </Link>
    );
  }
  return (
    <span className="dim">
      {file ? t.models.from_file(file) : run ? `${t.models.from_run} ${run}` : t.models.from_operator}
    </span>
  );
}
