// Tables: one look, a frame that scrolls sideways by keyboard too, and the button for further rows.
import type { ReactNode } from "react";
import { t } from "../messages";
import { count } from "../pure/format";

/** A column's heading: text; `num` for figures; `quiet` when only screen readers need it. */
export interface Column {
  text: string;
  num?: boolean;
  quiet?: boolean;
}

export function Table({ columns, children }: { columns: (string | Column)[]; children: ReactNode }) {
  return (
    <div className="scroll-x" tabIndex={0}>
      <table className="table">
        <thead>
          <tr>
            {columns.map((c) => {
              const { text, num, quiet } = typeof c === "string" ? { text: c } : c;
              return (
                <th key={text} {...(num ? { className: "num" } : {})}>
                  {quiet ? <span className="visually-hidden">{text}</span> : text}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** The rest of a list that comes in pages. */
export function MoreRows({
  query,
  shown,
}: {
  query: { hasNextPage: boolean; fetchNextPage: () => unknown };
  shown: number;
}) {
  if (!query.hasNextPage) return null;
  return (
    <div>
      <button type="button" className="btn" onClick={() => void query.fetchNextPage()}>
        {t.common.more} <span className="dim">{count(shown)}</span>
      </button>
    </div>
  );
}
