// Commands of the page of models: about the name that is chosen.
import type { Alias } from "../api/types";
import { t } from "../messages";
import type { Action } from "./action";

export type ModelsDialog = "promote" | "split" | "gate" | "history" | "new" | null;
export interface ModelsContext {
  alias: Alias | null;
  may_change: boolean;
  open: (what: ModelsDialog) => void;
  move: (by: number) => void;
  roll_back: () => void;
}
const group = "models";
const about = (
  id: Exclude<ModelsDialog, "new" | null>,
  key: string,
  title: () => string,
  changes = true,
): Action<ModelsContext> => ({
  id: "models." + id,
  group,
  keys: [key],
  title,
  shown: (c) => !changes || c.may_change,
  enabled: (c) => c.alias !== null,
  run: (c) => c.open(id),
});

export const models_actions: Action<ModelsContext>[] = [
  about("promote", "p", () => t.models.moves.promote),
  {
    id: "models.roll_back",
    group,
    keys: ["r"],
    title: () => t.models.moves.roll_back,
    shown: (c) => c.may_change,
    enabled: (c) => (c.alias?.version ?? 0) > 1,
    run: (c) => c.roll_back(),
  },
  about("split", "s", () => t.models.moves.split),
  about("gate", "g", () => t.models.moves.gate),
  about("history", "h", () => t.models.moves.history, false),
  {
    id: "models.new",
    group,
    keys: ["n"],
    title: () => t.models.new_alias,
    shown: (c) => c.may_change,
    run: (c) => c.open("new"),
  },
  {
    id: "models.next",
    group,
    keys: ["j", "down"],
    title: () => t.models.moves.next,
    hidden: true,
    run: (c) => c.move(1),
  },
  {
    id: "models.previous",
    group,
    keys: ["k", "up"],
    title: () => t.models.moves.previous,
    hidden: true,
    run: (c) => c.move(-1),
  },
];
