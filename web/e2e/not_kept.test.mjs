// `hone up --keep-completions 0`: the server keeps no answer, so the chat page sends back what is judged,
// with the proof that came with it. Starts a server of its own; skipped aloud without the program and a
// model (HONE_PROGRAM, HONE_MODEL).
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { launch, open_page } from "./browser.mjs";
import { ask, until } from "./world.mjs";

const program = process.env.HONE_PROGRAM;
const skip =
  program && process.env.HONE_MODEL ? false : "HONE_PROGRAM and HONE_MODEL name no program with a model";
let folder, server, browser;
after(async () => {
  await browser?.close();
  server?.kill();
  if (server && server.exitCode === null) await new Promise((resolve) => server.once("exit", resolve));
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function start() {
  folder = mkdtempSync(join(tmpdir(), "hone-not-kept-"));
  const data = join(folder, "data");
  server = spawn(
    program,
    ["up", "--keep-completions", "0", "--data-dir", data, "--listen", "127.0.0.1:0", "--quiet"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let said = "";
  server.stdout.on("data", (piece) => (said += piece));
  const line = await until("the server", () => /listening on (\S+)/.exec(said), 60_000);
  const link = execFileSync(program, ["user", "link", "Administrator", "--data-dir", data]).toString();
  return { base: line[1].replace(/\/$/, ""), link: link.trim() };
}

test("a thumb, with consent and without, on a server that keeps no answers", { skip }, async () => {
  const { base, link } = await start();
  browser = await launch();
  const { page, trouble } = await open_page(browser, base);
  await page.goto(link.startsWith("http") ? link : base + link);
  await page.waitForFunction(() => location.pathname === "/" && document.querySelector("h1"));
  await page.goto(base + "/chat");
  await page.waitForSelector(".composer textarea");
  await page.keyboard.press("Escape");
  if (!(await page.getByLabel("Most tokens").isVisible())) await page.keyboard.press("p");
  await page.getByLabel("Most tokens").fill("12");
  await page.focus(".composer textarea");
  await page.keyboard.type("Say hello to the harbour.");
  await page.keyboard.press("Enter");
  await page.waitForSelector("article[aria-busy=false] .answer-text", { timeout: 120_000 });
  const said = async () => (await ask(page, "GET", "/feedback")).items;
  await page.getByLabel("Good answer").click();
  const silent = await until("the thumb", async () => (await said()).find((f) => f.verdict === "up"));
  assert.equal(silent.excerpt, "");
  const consent = page.getByLabel("Keep the texts I judge");
  if (!(await consent.isVisible())) await page.keyboard.press("p");
  await consent.check({ force: true });
  await page.getByLabel("Bad answer").click();
  const open = await until("the other", async () => (await said()).find((f) => f.verdict === "down"));
  assert.equal(open.excerpt, "Say hello to the harbour.");
  const detail = await ask(page, "GET", `/feedback/${open.id}`);
  assert.equal(
    detail.answers[0].text.trim().slice(0, 10),
    (await page.textContent(".answer-text")).trim().slice(0, 10),
  );
  assert.deepEqual(trouble, []);
});
