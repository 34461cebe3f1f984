// The server under test and a project of its own for each journey. HONE_URL and HONE_LINK (a sign-in
// link of an owner or manager) name a running `hone up`; without them the stand-in of dev/ is started.
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, open_page } from "./browser.mjs";

let opened_world, opened_stand_in;
export const open_world = () => (opened_world ??= make_world());
/** The stand-in even where a server is named: its models, and its bad days, are scripted. */
export const open_stand_in = () =>
  (opened_stand_in ??= process.env.HONE_URL ? make_world(true) : open_world());

async function make_world(stand_in = false) {
  let base = stand_in ? undefined : process.env.HONE_URL?.replace(/\/$/, ""),
    link = process.env.HONE_LINK,
    server = null,
    inside = null;
  if (!base) {
    const { make_app } = await import("../dev/server.mjs");
    const app = make_app({ dist: fileURLToPath(new URL("../dist", import.meta.url)) });
    server = app.server;
    inside = app.world;
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${server.address().port}`;
    link = "/sign-in#token=dev-owner";
  }
  const browser = await launch();
  const world = { base, browser, inside }; // inside: what the stand-in holds
  after(async () => {
    await browser.close();
    server?.closeAllConnections?.();
    server?.close();
  });

  // The link works once, and pages are opened side by side: whoever comes first signs in for all.
  const sign_in = async () => {
    const { context, page } = await open_page(browser, base);
    await page.goto(link.startsWith("http") ? link : base + link);
    await page
      .waitForFunction(() => location.pathname === "/" && document.querySelector("h1"), null, {
        timeout: 60_000,
      })
      .catch(async () => {
        const text = (await page.textContent("body")).slice(0, 300);
        throw new Error(`the link did not sign in; ${page.url()} says: ${text}`);
      });
    const cookies = await context.cookies();
    await context.close();
    return cookies;
  };
  let signed_in;

  /** A page of somebody signed in. */
  world.page = async (options = {}) => {
    signed_in ??= sign_in();
    const opened = await open_page(browser, base, options);
    await opened.context.addCookies(await signed_in);
    await opened.page.goto(base + "/favicon.svg"); // a place from which requests can be made
    return opened;
  };
  return world;
}

/** A request of the signed-in page itself, as its own code would make it. */
export const ask = (page, method, path, body, type = "application/json") =>
  page.evaluate(
    async ({ method, path, body, type }) => {
      const session = await (await fetch("/api/v1/session")).json();
      const response = await fetch("/api/v1" + path, {
        method,
        headers: {
          "X-CSRF-Token": session.csrf_token,
          ...(body === undefined ? {} : { "Content-Type": type }),
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text ? JSON.parse(text) : null;
    },
    { method, path, body, type },
  );

const words =
  "amber basin cedar delta ember fjord grove haven inlet jetty knoll ledge marsh north ocean plain quarry ridge shore tundra".split(
    " ",
  );
const sentence = (seed, length) =>
  Array.from({ length }, (_, i) => words[(seed * 7 + i * i * 3 + i) % words.length]).join(" ");
export const pairs = (count) =>
  Array.from({ length: count }, (_, i) => ({
    prompt: `Question ${i}: what is ${words[i % words.length]} number ${i}?`,
    left: `First answer to question ${i}.\n\n${sentence(i, 60)}.\n\n- one\n- two\n\n\`\`\`python\ndef f(x):\n    return x + ${i}\n\`\`\``,
    right: `Second answer to question ${i}.\n\n${sentence(i + 3, 90)}.`,
  }));

export async function make_project(page, name, count, more = {}) {
  const project = await ask(page, "POST", "/projects", { name, task_type: "pairwise", ...more });
  await ask(
    page,
    "POST",
    `/projects/${project.id}/import?format=jsonl&name=pairs.jsonl`,
    pairs(count)
      .map((p) => JSON.stringify(p))
      .join("\n") + "\n",
    "application/octet-stream",
  );
  return project;
}
export const mine = (page, id) => ask(page, "GET", `/projects/${id}/mine`);
export async function until(what, condition, timeout_ms = 15_000) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error("waited in vain for: " + what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
export const shown = (page) => page.getAttribute(".label-page", "data-assignment");
/** Presses a key and waits until another task is on screen. */
export async function answer(page, key) {
  const before = await shown(page);
  await page.keyboard.press(key);
  await page.waitForFunction((old) => {
    const now = document.querySelector(".label-page")?.getAttribute("data-assignment");
    return now !== old && (now || document.querySelector(".empty"));
  }, before);
}
