// Every text of the page. `t` is the catalogue of the language chosen; another language is another
// object of the same type, and the compiler says what it lacks.
import { en } from "./en";

export type Messages = typeof en;
export const kLanguages: { code: string; name: string; messages: Messages }[] = [
  { code: "en", name: "English", messages: en },
];
export let t: Messages = en;
export function set_language(code: string): void {
  const found = kLanguages.find((l) => l.code === code) ?? kLanguages[0]!;
  t = found.messages;
  document.documentElement.lang = found.code;
}
