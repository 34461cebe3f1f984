// House rules a machine can hold: imports go down, requests leave from api only, texts live in messages.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const root = join(__dirname);
const floors: Record<string, number> = {
  pure: 0,
  messages: 0,
  api: 1,
  state: 2,
  actions: 3,
  ui: 4,
  views: 5,
};

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : /\.tsx?$/.test(name) ? [path] : [];
  });
}
const sources = files(root)
  .filter((f) => !/\.test\.tsx?$|test_setup/.test(f))
  .map((path) => ({ path, name: relative(root, path), text: readFileSync(path, "utf8") }));
const room = (name: string) => (name.includes("/") ? name.split("/")[0]! : "main");

/** Imports of a file that do not go down, as words. */
function upward(name: string, text: string): string[] {
  const own = floors[room(name)] ?? 9;
  return [...text.matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)|import "(\.[^"]+)"/g)]
    .map((m) => m[1] ?? m[2] ?? m[3]!)
    .map((target) => room(normalize(join(dirname(name), target))))
    .filter((target) => target !== room(name) && target in floors && floors[target]! >= own)
    .map((target) => `${name} imports ${target}`);
}
it("imports go down only", () => {
  expect(upward("api/x.ts", 'import { a } from "../state/b";')).toEqual(["api/x.ts imports state"]);
  expect(upward("state/x.ts", 'import { a } from "../api/b"; import { c } from "./d";')).toEqual([]);
  expect(sources.flatMap((s) => upward(s.name, s.text))).toEqual([]);
});

const requests = (name: string, text: string) =>
  /\bfetch\(|new XMLHttpRequest|new EventSource|sendBeacon/.test(text) && room(name) !== "api" ? [name] : [];
it("only api talks to the server", () => {
  expect(requests("views/x.tsx", "fetch('/x')")).toEqual(["views/x.tsx"]);
  expect(sources.flatMap((s) => requests(s.name, s.text))).toEqual([]);
});

it("pure has no DOM", () => {
  expect(
    sources
      .filter((s) => room(s.name) === "pure" && /\b(document|window|localStorage|navigator)\./.test(s.text))
      .map((s) => s.name),
  ).toEqual([]);
});

/** Words that people read, written in a component instead of in messages. */
function loose_texts(name: string, text: string): string[] {
  const found: string[] = [];
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const spoken = new Set(["title", "label", "placeholder", "aria-label", "alt", "text", "description"]);
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node) && /[A-Za-z]{2,}/.test(node.text)) found.push(`${name}: ${node.text.trim()}`);
    if (
      ts.isJsxAttribute(node) &&
      spoken.has(node.name.getText(file)) &&
      node.initializer &&
      ts.isStringLiteral(node.initializer) &&
      /[A-Za-z]{2,}/.test(node.initializer.text)
    )
      found.push(`${name}: ${node.initializer.text}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
it("texts live in messages", () => {
  expect(loose_texts("x.tsx", '<p title="Hello">World {t.a}</p>')).toEqual(["x.tsx: Hello", "x.tsx: World"]);
  expect(sources.filter((s) => s.path.endsWith(".tsx")).flatMap((s) => loose_texts(s.name, s.text))).toEqual(
    [],
  );
});

it("no file is beyond 600 lines", () => {
  expect(sources.filter((s) => s.text.split("\n").length > 600).map((s) => s.name)).toEqual([]);
});
