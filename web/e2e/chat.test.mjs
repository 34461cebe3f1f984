// The chat page in the real browser, over the scripted models of the stand-in: by keys alone, on bad
// days, side by side, and how smooth it is while an answer comes at 200 tokens a second.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { open_stand_in, until } from "./world.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const world = await open_stand_in();
const serving = world.inside.serving;

const field = ".composer textarea";
/** A chat page of its own browser context: nothing kept from another test. */
async function open_chat(options = {}) {
  const opened = await world.page(options);
  await opened.page.goto(world.base + "/chat");
  await opened.page.waitForSelector(field);
  return opened;
}
async function write(page, text) {
  await page.focus(field);
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}
const finished = (page, answers) =>
  page.waitForFunction(
    (count) =>
      document.querySelectorAll("article[aria-busy]").length === count &&
      document.querySelectorAll("article[aria-busy=true]").length === 0,
    answers,
  );
async function ask(page, text, answers) {
  await write(page, text);
  await finished(page, answers);
}
const leave_field = (page) => page.keyboard.press("Escape");

test("a message is answered as it is written; the address keeps the conversation; a reload brings it back", async () => {
  serving.rate = 400;
  const { page, context, trouble } = await open_chat();
  await page.waitForSelector(`${field}:focus`);
  await page.keyboard.type("Line one");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("line two: code please");
  await page.keyboard.press("Enter");
  await page.waitForSelector("article[aria-busy=true] .prose");
  await finished(page, 1);
  assert.equal(await page.textContent(".said"), "Line one\nline two: code please");
  assert.match(page.url(), /\/chat\/[0-9a-f-]{36}$/);
  assert.match(await page.textContent(".code-block >> nth=0"), /class BoundedQueue/);
  assert.equal(await page.locator(".code-block .tok-keyword").first().isVisible(), true);
  assert.match(await page.textContent(".figures"), /\d+ tokens.*tokens\/s.*perplexity \d/);
  await page.reload();
  await page.waitForSelector(".code-block");
  assert.match(await page.textContent(".history"), /Line one/);
  // The effective settings come from the server.
  await page.getByLabel("Settings of this answer").click();
  assert.match(await page.textContent(".effective"), /Temperature0\.7/);
  assert.match(await page.textContent(".effective"), /Seed4711/);
  await context.close();
  assert.deepEqual(trouble, []);
});

test("Esc stops, R asks again, Up edits: branches are kept", async () => {
  serving.rate = 60;
  const { page, context, trouble } = await open_chat();
  await write(page, "long 40");
  await page.waitForSelector("article[aria-busy=true] .prose");
  await page.keyboard.press("Escape");
  await page.waitForSelector("text=Stopped");
  const stopped = (await page.textContent(".answer-text")).length;
  assert.ok(stopped > 0 && stopped < 3000);
  serving.rate = 1500;
  await leave_field(page);
  await page.keyboard.press("r");
  await page.waitForSelector("text=2 / 2");
  await page.keyboard.press("Escape");
  await page.waitForSelector("article[aria-busy=false]");
  await page.keyboard.press("Escape"); // and out of the field
  await page.keyboard.press("[");
  await page.waitForSelector("text=1 / 2");
  assert.equal((await page.textContent(".answer-text")).length, stopped);
  await page.keyboard.press("Control+/");
  await page.keyboard.press("ArrowUp");
  await page.waitForSelector(".edit-question textarea:focus");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("What is a token?");
  await page.keyboard.press("Enter");
  await finished(page, 1);
  assert.equal(await page.textContent(".said"), "What is a token?");
  assert.match(await page.textContent(".question-card"), /2 \/ 2/);
  await context.close();
  assert.deepEqual(trouble, []);
});

test("settings and the system prompt are sent; a wrong one is not", async () => {
  serving.rate = 2000;
  const { page, context, trouble } = await open_chat();
  const bodies = [];
  page.on("request", (r) => {
    if (r.url().endsWith("/v1/chat/completions"))
      bodies.push([r.postDataJSON(), r.headers()["x-csrf-token"]]);
  });
  await leave_field(page);
  await page.keyboard.press("p");
  await page.getByLabel("System prompt").fill("Be brief.");
  await page.getByLabel("Top-k").fill("lots");
  await page.waitForSelector("text=Top-k is a whole number");
  await write(page, "What is a token?");
  await page.waitForSelector("text=A setting is not right");
  assert.equal(bodies.length, 0);
  await page.getByLabel("Top-k").fill("40");
  await page.getByLabel("Most tokens").fill("12");
  await page.getByLabel("Stop texts").fill("END");
  await page.focus(field);
  await page.keyboard.press("Enter");
  await finished(page, 1);
  await page.waitForSelector("text=Cut at the most tokens");
  const [body, token] = bodies[0];
  assert.ok(token);
  assert.deepEqual(body.messages, [
    { role: "system", content: "Be brief." },
    { role: "user", content: "What is a token?" },
  ]);
  assert.deepEqual(
    [body.model, body.temperature, body.top_k, body.max_tokens, body.stop, body.stream, body.top_logprobs],
    ["SmolLM2-135M-Instruct", 0.7, 40, 12, ["END"], true, 5],
  );
  assert.equal("seed" in body, false);
  await context.close();
  assert.deepEqual(trouble, []);
});

test("tokens show what else was likely, by keys and by pointer", async () => {
  serving.rate = 2000;
  const { page, context, trouble } = await open_chat();
  await ask(page, "What is a token?", 1);
  await leave_field(page);
  await page.keyboard.press("v");
  await page.focus(".token-list");
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"]) await page.keyboard.press(key);
  const active = page.locator(".token[aria-selected=true]");
  assert.equal(await active.count(), 1);
  assert.match(await active.getAttribute("aria-label"), /^.+, [\d.]+ %; likely here: .+ %/);
  assert.equal(
    await page.getAttribute(".token-list", "aria-activedescendant"),
    await active.getAttribute("id"),
  );
  assert.ok((await page.locator(".alternatives .row").count()) >= 5);
  await page.keyboard.press("Escape");
  await page.waitForSelector(".alternatives", { state: "detached" });
  await page.hover(".token >> nth=4");
  await page.waitForSelector(".alternatives");
  // Together they are the whole answer, marks of markdown and all.
  const whole = (await page.locator(".token").allTextContents()).join("").replaceAll("↵", "");
  assert.match(whole, /^A \*\*token\*\* is the piece[^]*\n\n1\. Long words[^]*see them\.$/);
  await context.close();
  assert.deepEqual(trouble, []);
});

test("two models answer blind; one key votes, and then the names are shown", async () => {
  serving.rate = 2000;
  serving.feedback.length = 0;
  const { page, context, trouble } = await open_chat();
  await leave_field(page);
  await page.keyboard.press("m");
  await write(page, "What is a token?");
  await finished(page, 2);
  const blind = await page.textContent(".comparison");
  assert.doesNotMatch(blind, /SmolLM2|helpful|tokens\/s|perplexity/);
  assert.equal(
    await page.locator(".comparison [title*=SmolLM2], .comparison [aria-label*=SmolLM2]").count(),
    0,
  );
  await page.keyboard.press("b");
  await page.waitForSelector(".response.chosen");
  const open = await page.textContent(".comparison");
  assert.match(open, /SmolLM2-135M-Instruct/);
  assert.match(open, /helpful-v3/);
  await until("the vote", async () => serving.feedback.length === 1);
  const [vote] = serving.feedback;
  assert.deepEqual(
    [vote.kind, vote.winner, vote.consent, vote.completions.length],
    ["comparison", "right", false, 2],
  );
  assert.notEqual(vote.completions[0], vote.completions[1]);
  // The conversation goes on from the better answer.
  await page.waitForSelector(`${field}:focus`);
  await page.keyboard.type("Thanks.");
  const [request] = await Promise.all([
    page.waitForRequest(/chat\/completions/),
    page.keyboard.press("Enter"),
  ]);
  const winner = (await page.textContent(".response.chosen .text")).slice(0, 20);
  assert.equal(request.postDataJSON().messages[1].content.replaceAll("*", "").slice(0, 20), winner);
  await context.close();
  assert.deepEqual(trouble, []);
});

test("thumbs, corrections and reports arrive, with the consent that was given", async () => {
  serving.rate = 2000;
  serving.feedback.length = 0;
  const { page, context, trouble } = await open_chat();
  await ask(page, "What is a token?", 1);
  await leave_field(page);
  await page.keyboard.press("u");
  await until("the thumb", async () => serving.feedback.length === 1);
  await page.keyboard.press("p");
  await page.waitForSelector("text=Off: a thumb or a vote stores");
  await page.getByLabel("Keep the texts I judge").press("Space");
  await page.waitForSelector("text=On: with each thumb");
  await page.getByLabel("Report a problem").click();
  await page.getByLabel("It is harmful or unsafe").check();
  await page.getByLabel("What should we know?").fill("No.");
  await page.getByText("Send the report").click();
  await until("the report", async () => serving.feedback.length === 2);
  await page.getByLabel("Correct the answer").click();
  await page.locator("dialog textarea").fill("A piece of text.");
  await page.getByLabel("Also send it").press("Space");
  await page.getByText("Use this version").click();
  await until("the correction", async () => serving.feedback.length === 3);
  await page.waitForSelector("text=Written by you");
  const [up, report, edit] = serving.feedback;
  assert.deepEqual([up.kind, up.value, up.consent], ["thumbs", 1, false]);
  assert.deepEqual(
    [report.kind, report.reason, report.comment, report.consent],
    ["report", "harmful", "No.", true],
  );
  assert.deepEqual([edit.kind, edit.text, edit.consent], ["edit", "A piece of text.", true]);
  assert.match(up.completion, /^chatcmpl-/);
  await context.close();
  assert.deepEqual(trouble, []);
});

test("a server without feedback is said to take none", async () => {
  serving.rate = 2000;
  serving.takes_feedback = false;
  const { page, context } = await open_chat();
  await ask(page, "What is a token?", 1);
  await page.getByLabel("Good answer").click();
  await page.waitForSelector("text=This server takes no feedback.");
  assert.equal(await page.getByLabel("Good answer").getAttribute("aria-disabled"), "true");
  assert.equal(await page.getByLabel("Good answer").getAttribute("aria-pressed"), "false");
  serving.takes_feedback = true;
  await context.close();
});

test("bad days: busy, too long, an error in the middle, a connection that ends, a server that is away", async () => {
  serving.rate = 1000;
  const { page, context } = await open_chat();
  await ask(page, "busy", 1);
  await page.waitForSelector("text=Try again in 2 seconds.");
  await ask(page, "too long", 2);
  await page.waitForSelector("text=The prompt has 2,310 tokens");
  await page.waitForSelector("text=Start a new conversation, edit an earlier message");
  await ask(page, "please fail", 3);
  await page.waitForSelector("text=The model ran out of KV pages.");
  assert.match(await page.textContent(".answer >> nth=2"), /Three things/); // what came is kept
  await ask(page, "cut it", 4);
  await page.waitForSelector("text=The connection ended in the middle");
  await context.setOffline(true);
  await ask(page, "hello", 5);
  await page.waitForSelector("text=The server cannot be reached.");
  await context.setOffline(false);
  await page.getByText("Try again", { exact: true }).last().click();
  await page.waitForSelector("text=Ask for the token view");
  await context.close();
});

test("a server without a model says how to start one", async () => {
  const kept = serving.models;
  serving.models = [];
  const { page, context } = await world.page();
  await page.goto(world.base + "/chat");
  await page.waitForSelector("text=hone up --model FILE");
  serving.models = kept;
  await page.getByText("Look again").click();
  await page.waitForSelector(field);
  await context.close();
});

test("conversations are listed, renamed, exported and deleted", async () => {
  serving.rate = 2000;
  const { page, context, trouble } = await open_chat();
  await ask(page, "First question", 1);
  await page.keyboard.press("Control+Shift+O");
  await page.waitForFunction(() => location.pathname === "/chat");
  await page.waitForFunction(() => !document.querySelector(".said"));
  await ask(page, "Second question", 1);
  await page.getByLabel("This conversation").click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByLabel("Name", { exact: true }).fill("My talk");
  await page.keyboard.press("Enter");
  await page.waitForSelector("h1 >> text=My talk");
  await page.getByLabel("This conversation").click();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Export all conversations" }).click(),
  ]);
  const lines = readFileSync(await file.path(), "utf8")
    .trimEnd()
    .split("\n")
    .map((l) => JSON.parse(l));
  assert.deepEqual(
    lines.map((l) => l.title),
    ["My talk", "First question"],
  );
  assert.deepEqual(
    lines[0].messages.map((m) => m.role),
    ["user", "assistant"],
  );
  await page.getByLabel("This conversation").click();
  await page.getByRole("menuitem", { name: "Delete", exact: true }).click();
  await page.locator("dialog").getByText("Delete", { exact: true }).click();
  await page.waitForFunction(() => !document.querySelector(".history").textContent.includes("My talk"));
  await page.getByText("First question").click();
  await page.waitForSelector(".said >> text=First question");
  await context.close();
  assert.deepEqual(trouble, []);
});

test("at 200 tokens a second: smooth, quiet for a screen reader, and still where the reader scrolled to", async () => {
  serving.rate = 200;
  const { page, context, trouble } = await open_chat();
  await page.evaluate(() => {
    window.spoken = [];
    new MutationObserver(() => window.spoken.push(1)).observe(
      document.querySelector(".chat-main > [role=status]"),
      { childList: true, characterData: true, subtree: true },
    );
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shifts += entry.value;
    }).observe({ type: "layout-shift" });
  });
  await write(page, "long 14");
  await page.waitForSelector("article[aria-busy=true] .prose");
  const frames = await page.evaluate(
    () =>
      new Promise((done) => {
        const gaps = [];
        let last = performance.now();
        const step = (now) => {
          gaps.push(now - last);
          last = now;
          if (document.querySelector("article[aria-busy=true]")) requestAnimationFrame(step);
          else done(gaps.sort((a, b) => a - b));
        };
        requestAnimationFrame(step);
      }),
  );
  const at = (share) => frames[Math.floor(frames.length * share)].toFixed(1);
  console.log(
    `frames while streaming: ${frames.length}, median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(0.9999)} ms`,
  );
  const { spoken, shifts, end } = await page.evaluate(() => {
    const thread = document.querySelector(".thread");
    return {
      spoken: window.spoken.length,
      shifts: window.shifts,
      end: thread.scrollHeight - thread.scrollTop - thread.clientHeight,
    };
  });
  assert.ok(spoken >= 1 && spoken <= 3, `spoken ${spoken} times`);
  assert.ok(end < 4, `${end} pixels from the end`);
  assert.ok(shifts < 0.1, `the layout shifted by ${shifts}`);

  await write(page, "long 30");
  await page.waitForSelector("article[aria-busy=true] .prose");
  await page.hover(".thread");
  await page.mouse.wheel(0, -500);
  await page.waitForSelector("text=Newest");
  const before = await page.evaluate(() => document.querySelector(".thread").scrollTop);
  await page.waitForTimeout(400);
  assert.equal(await page.evaluate(() => document.querySelector(".thread").scrollTop), before);
  await page.getByText("Newest", { exact: true }).click();
  await page.keyboard.press("Escape");
  await finished(page, 2);
  await context.close();
  assert.deepEqual(trouble, []);
});

for (const [width, scheme] of [
  [1440, "light"],
  [1440, "dark"],
  [390, "light"],
  [390, "dark"],
]) {
  test(`axe finds nothing in a conversation, ${scheme}, ${width} pixels`, async () => {
    serving.rate = 3000;
    const { page, context, trouble } = await open_chat({ width, height: width === 390 ? 844 : 900, scheme });
    const found = [];
    const look = async (where) => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() =>
        window.axe.run(document, {
          resultTypes: ["violations"],
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
        }),
      );
      for (const v of violations) found.push(`${where}: ${v.id}: ${v.nodes[0].html.slice(0, 160)}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 1) found.push(`${where}: ${wide} pixels wider than the screen`);
    };
    await look("empty");
    await ask(page, "code please", 1);
    await look("code");
    await ask(page, "please fail", 2);
    await look("an error");
    await ask(page, "What is a token?", 3);
    await leave_field(page);
    await page.keyboard.press("v");
    await page.focus(".token-list");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await look("tokens");
    await page.focus(".thread");
    await page.keyboard.press("p");
    await page.waitForSelector(".chat-panel");
    await look("settings");
    if (width === 390) await page.keyboard.press("Escape");
    else await page.keyboard.press("p");
    await page.waitForSelector(".chat-panel", { state: "detached" });
    await page.keyboard.press("m");
    await ask(page, "And again?", 5);
    await look("comparison");
    await page.keyboard.press("a");
    await page.waitForSelector(".response.chosen");
    await look("names");
    await context.close();
    assert.deepEqual(found, []);
    assert.deepEqual(trouble, []);
  });
}
