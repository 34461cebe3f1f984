// What the chat page remembers in this browser: sampling, models, switches.
import { default_sampling, restored_sampling, type Sampling } from "../pure/sampling";

export interface ChatSettings {
  sampling: Sampling;
  model: string;
  other: string; // the second model of a comparison
  compare: boolean;
  probabilities: boolean; // asks for the alternatives of each token
  consent: boolean;
}
export const default_chat_settings = (): ChatSettings => ({
  sampling: default_sampling(),
  model: "",
  other: "",
  compare: false,
  probabilities: true,
  consent: false,
});
type Kept = Pick<Storage, "getItem" | "setItem"> | null;
const key = (owner: string) => "hone.chat." + owner;

export function load_chat_settings(owner: string, storage: Kept): ChatSettings {
  const settings = default_chat_settings();
  let kept: Record<string, unknown> = {};
  try {
    const read: unknown = JSON.parse(storage?.getItem(key(owner)) ?? "{}");
    if (typeof read === "object" && read !== null) kept = read as Record<string, unknown>;
  } catch {
    /* storage may be off, or hold something else */
  }
  const flag = (name: "compare" | "probabilities" | "consent") =>
    typeof kept[name] === "boolean" ? (kept[name] as boolean) : settings[name];
  const name = (of: "model" | "other") => (typeof kept[of] === "string" ? (kept[of] as string) : "");
  return {
    sampling: restored_sampling(kept.sampling),
    model: name("model"),
    other: name("other"),
    compare: flag("compare"),
    probabilities: flag("probabilities"),
    consent: flag("consent"),
  };
}
export function save_chat_settings(owner: string, storage: Kept, settings: ChatSettings): void {
  try {
    storage?.setItem(key(owner), JSON.stringify(settings));
  } catch {
    /* storage may be off or full */
  }
}
