// The page of feedback: what was said, narrowed, opened, taken back; and the sampling rules by their
// keys. Once with weeks of feedback on the stand-in, once on the server itself, and with what a real
// model said where there is one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { demo_feedback } from "../dev/routes_feedback.mjs";
import { ask, open_stand_in, open_world, until } from "./world.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const stand_in = await open_stand_in(),
  real = await open_world();
const dialog = "dialog[open]";
const button = (page, name) => page.getByRole("button", { name, exact: true });
const rows = (page) => page.locator("button.said-row").count();

async function clean(page, where) {
  await page.evaluate(axe);
  const result = await page.evaluate(() =>
    window.axe.run(document.querySelector("dialog[open]") ?? document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    }),
  );
  assert.deepEqual(
    result.violations.map((v) => `${where} ${v.id} ${v.nodes[0].html.slice(0, 160)}`),
    [],
  );
  assert.ok(
    await page.evaluate(() => document.documentElement.scrollWidth - innerWidth <= 1),
    where + " is wider than the screen",
  );
}

test("nobody has said anything: the page says where it comes from", async () => {
  const world = stand_in;
  world.inside.said = [];
  const { page, trouble } = await world.page();
  await page.goto(world.base + "/feedback");
  await page.waitForSelector("text=Nobody has said anything yet");
  await clean(page, "empty");
  await page.getByRole("link", { name: "Open the chat" }).click();
  await page.waitForURL(/\/chat/);
  assert.deepEqual(trouble, []);
});

test("weeks of feedback: charts, filters, rows by keys, both answers and what was corrected", async () => {
  const world = stand_in;
  world.inside.said = [];
  demo_feedback(world.inside, Date.now());
  for (const [width, scheme] of [
    [1440, "light"],
    [1440, "dark"],
    [390, "light"],
    [390, "dark"],
  ]) {
    const { page, context, trouble } = await world.page({ width, height: 860, scheme });
    await page.goto(world.base + "/feedback");
    await page.waitForSelector("button.said-row");
    await page.waitForSelector(".recharts-bar-rectangle:visible");
    await clean(page, `${scheme} ${width}`);
    await context.close();
    assert.deepEqual(trouble, []);
  }
  const { page, trouble } = await world.page();
  await page.goto(world.base + "/feedback");
  await page.waitForSelector("button.said-row");
  const first = world.inside.said.length;
  // The sentence of the chart is the sum of what the server counted.
  const up = world.inside.said.filter((s) => s.item.verdict === "up").length;
  await page.waitForSelector(`figcaption >> text=${up} thumbs up and`);
  assert.equal(await rows(page), 50);
  await page.getByRole("button", { name: "Show more" }).click();
  await until("a hundred rows", async () => (await rows(page)) === 100);

  // By key to the filters, and by them to the corrections of one model.
  await page.keyboard.press("f");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Kind");
  await page.getByLabel("Kind").selectOption("edit");
  await page.getByLabel("Texts").selectOption("true");
  const edits = (model) =>
    world.inside.said.filter(
      (s) => s.item.kind === "edit" && s.item.consent && (!model || s.item.models.includes(model)),
    ).length;
  assert.ok(edits() > 0 && edits() < 50);
  await until("corrections alone", async () => (await rows(page)) === edits());
  await page.getByLabel("Model", { exact: true }).selectOption("helpful-v3");
  await until("of one model", async () => (await rows(page)) === edits("helpful-v3"));
  assert.match(page.url(), /kind=edit/);
  await page.reload();
  await until("after a reload too", async () => (await rows(page)) === edits("helpful-v3"));

  // A row by keys: before and after, with the words marked that changed.
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`${dialog} >> text=As it should be`);
  const marks = await page.locator(`${dialog} .said-pair mark`).allTextContents();
  assert.ok(marks.length >= 2, "the difference is marked");
  await clean(page, "a correction");
  const place = () => page.textContent(`${dialog} header`);
  assert.match(await place(), /1 of/);
  await page.keyboard.press("j");
  await until("the next one", async () => /2 of/.test(await place()));
  await page.keyboard.press("Escape");
  await button(page, "Clear the filters").click();

  // A vote: two answers, the better one named.
  await page.getByLabel("Kind").selectOption("comparison");
  await page.getByLabel("Texts").selectOption("true");
  await page.waitForSelector("button.said-row >> text=left is better");
  await page.locator("button.said-row", { hasText: "left is better" }).first().click();
  await page.waitForSelector(`${dialog} .answer-box.won`);
  await clean(page, "a vote");
  await page.keyboard.press("Escape");

  // Without consent there is no text, and nothing that looks like one.
  await page.getByLabel("Texts").selectOption("false");
  await page.waitForSelector("button.said-row >> text=Texts not kept");
  await page.locator("button.said-row").first().click();
  await page.waitForSelector(`${dialog} >> text=did not agree`);
  assert.equal(await page.locator(`${dialog} .answer-box`).count(), 0);
  await button(page, "Take it back").first().click();
  await page.waitForSelector(`${dialog} >> text=cannot be undone`);
  await button(page, "Take it back").last().click();
  await page.waitForSelector("text=its texts are erased");
  assert.equal(world.inside.said.length, first - 1);

  // A day on which nothing was said.
  await page.getByLabel("From day").fill("2020-01-01");
  await page.getByLabel("To day").fill("2020-01-02");
  await page.waitForSelector("text=Nothing fits");
  assert.deepEqual(trouble, []);
});

test("the server itself: a rule is made, changed, paused and deleted by keys", async () => {
  const world = real;
  const { page, trouble } = await world.page();
  const project = await ask(page, "POST", "/projects", { name: "What is wrong", task_type: "text" });
  const pairs = await ask(page, "POST", "/projects", { name: "Which is better", task_type: "pairwise" });
  for (const rule of (await ask(page, "GET", "/sampling-rules")).items)
    await ask(page, "DELETE", `/sampling-rules/${rule.id}`);
  await page.goto(world.base + "/feedback");
  await page.waitForSelector("h1 >> text=Feedback");
  await page.keyboard.press("2");
  await page.waitForSelector("text=No rule yet");
  await clean(page, "no rule");
  await page.keyboard.press("n");
  await page.waitForSelector(dialog);
  assert.ok(await button(page, "Give it a name").isVisible());
  await page.keyboard.type("Reports to safety");
  await page.getByLabel("To the project").selectOption(pairs.id);
  // A project that asks about two answers takes no reports.
  await until(
    "another source",
    async () => (await page.getByLabel("Which answers").inputValue()) === "compared",
  );
  await page.getByLabel("To the project").selectOption(project.id);
  await page.getByLabel("Which answers").selectOption("reported");
  await page.getByLabel("Share (%)").fill("0");
  assert.ok(await button(page, "Correct the share").isVisible());
  await page.getByLabel("Share (%)").fill("12.5");
  await page.getByLabel("At most a day").fill("50");
  await clean(page, "a new rule");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Reports to safety takes answers from now on");
  const made = async () => (await ask(page, "GET", "/sampling-rules")).items;
  const [rule] = await made();
  assert.deepEqual(
    [rule.source, rule.share, rule.daily_cap, rule.project_id, rule.on],
    ["reported", 0.125, 50, project.id, true],
  );
  await page.waitForSelector(".rule >> text=12.5 % of reports");
  await clean(page, "one rule");

  await page.keyboard.press("j");
  await page.keyboard.press("p");
  await until("paused", async () => !(await made())[0].on);
  await page.waitForSelector(".rule .badge >> text=Paused");
  await page.keyboard.press("p");
  await until("on again", async () => (await made())[0].on);
  await page.keyboard.press("e");
  await page.getByLabel("At most a day").fill("5");
  await button(page, "Save the rule").click();
  await until("the new cap", async () => (await made())[0].daily_cap === 5);
  await page.waitForSelector(".rule >> text=0 of 5 today");
  await page.keyboard.press("d");
  await page.waitForSelector(`${dialog} >> text=The tasks that it made stay`);
  await button(page, "Delete").last().click();
  await page.waitForSelector("text=No rule yet");
  assert.equal((await made()).length, 0);
  assert.deepEqual(trouble, []);
});

test("the server itself, with its model: an answer is corrected and stands on the page", async (t) => {
  const world = real;
  const { page, trouble } = await world.page();
  const models = process.env.HONE_URL
    ? await page.evaluate(async () => {
        const response = await fetch("/v1/models");
        return response.ok ? (await response.json()).data : [];
      })
    : [];
  if (models.length === 0) return t.skip("this server answers from no model (HONE_MODEL names one)");
  const said = await page.evaluate(async (model) => {
    const session = await (await fetch("/api/v1/session")).json();
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": session.csrf_token },
      body: JSON.stringify({
        model,
        messages: [{ role: "user", content: "Name the capital of the lighthouse keepers." }],
        max_tokens: 12,
        seed: 1,
      }),
    });
    return response.json();
  }, models[0].id);
  const text = said.choices[0].message.content;
  await ask(page, "POST", "/feedback", {
    kind: "edit",
    completion: said.id,
    text: text + " ZEBRAWORD",
    consent: true,
  });
  await page.goto(world.base + "/feedback?kind=edit");
  await page.locator("button.said-row", { hasText: "lighthouse keepers" }).first().click();
  await page.waitForSelector(`${dialog} mark >> text=ZEBRAWORD`);
  assert.match(await page.textContent(dialog), /As it was/);
  await page.click(`${dialog} summary`);
  assert.ok((await page.textContent(dialog)).includes(said.id));
  await page.keyboard.press("Escape");
  await page.getByLabel("Model", { exact: true }).selectOption(said.model);
  await page.waitForSelector("button.said-row >> text=lighthouse keepers");
  await page.locator("button.said-row", { hasText: "lighthouse keepers" }).first().click();
  await button(page, "Take it back").first().click();
  await button(page, "Take it back").last().click();
  await page.waitForSelector("text=its texts are erased");
  assert.equal(
    (await ask(page, "GET", "/feedback?kind=edit")).items.some((f) => f.completion === said.id),
    false,
  );
  assert.deepEqual(trouble, []);
});
