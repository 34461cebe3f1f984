import { useQuery, useQueryClient } from "@tanstack/react-query";
import { list_invitations, revoke_invitation } from "../../api/people";
import { t } from "../../messages";
import { toast, toast_error } from "../../state/toasts";
import { Panel } from "../../ui/pieces";
import { Table } from "../../ui/table";

export function Invitations() {
  const queries = useQueryClient();
  const query = useQuery({ queryKey: ["invitations"], queryFn: list_invitations });
  const items = query.data?.items ?? [];
  if (!items.length) return null;
  const revoke = (id: string) =>
    void revoke_invitation(id).then(() => {
      toast(t.people.revoked);
      void queries.invalidateQueries({ queryKey: ["invitations"] });
    }, toast_error);
  return (
    <Panel title={t.people.invitations} pad={false}>
      <Table
        columns={[
          t.common.name,
          t.people.role,
          t.home.column_state,
          t.people.expires,
          { text: t.people.more, quiet: true },
        ]}
      >
        {items.map((i) => (
          <tr key={i.id}>
            <td>{i.name ?? i.email ?? "–"}</td>
            <td>{t.roles[i.role]}</td>
            <td>{t.people.invitation_states[i.state] ?? i.state}</td>
            <td className="dim">{i.expires_at.slice(0, 10)}</td>
            <td className="right">
              {(i.state === "open" || i.state === "pending") && (
                <button type="button" className="btn quiet slim" onClick={() => revoke(i.id)}>
                  {t.people.revoke}
                </button>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </Panel>
  );
}
