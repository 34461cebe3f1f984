// From use to labels, against the real program with its real model: thumbs and votes of the chat page
// arrive with and without consent, a rule makes a task of a report, and live labelling from the first
// letter to the judgement. Skipped aloud where the server answers from no model.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { ask, make_project, mine, open_world, until } from "./world.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const world = await open_world();
const models = process.env.HONE_URL
  ? await (async () => {
      const { page, context } = await world.page();
      const list = await page.evaluate(async () => {
        const session = await (await fetch("/api/v1/session")).json();
        const response = await fetch("/v1/models", { headers: { "X-CSRF-Token": session.csrf_token } });
        return response.ok ? (await response.json()).data : [];
      });
      await context.close();
      return list;
    })()
  : [];
const skip = models.length === 0 ? "this server answers from no model (HONE_MODEL names one)" : false;

const field = ".composer textarea";
async function chat(page, text) {
  await page.goto(world.base + "/chat");
  await page.waitForSelector(field);
  await page.keyboard.press("Escape");
  if (!(await page.getByLabel("Most tokens").isVisible())) await page.keyboard.press("p");
  await page.getByLabel("Most tokens").fill("16");
  await page.focus(field);
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
  await page.waitForSelector("article[aria-busy=false] .answer-text", { timeout: 120_000 });
}
const said = async (page) => (await ask(page, "GET", "/feedback?limit=50")).items;

test(
  "a thumb on the chat page arrives: without consent no text, with consent the conversation",
  { skip },
  async () => {
    const { page, context, trouble } = await world.page();
    await chat(page, "Say hello to the harbour.");
    await page.getByLabel("Good answer").click();
    const silent = await until("the thumb", async () =>
      (await said(page)).find((f) => f.kind === "thumbs" && f.verdict === "up"),
    );
    assert.equal(silent.consent, false);
    assert.equal(silent.excerpt, "");
    assert.deepEqual(silent.models, []);
    const consent = page.getByLabel("Keep the texts I judge");
    if (!(await consent.isVisible())) await page.keyboard.press("p");
    await consent.check({ force: true });
    await page.getByLabel("Bad answer").click();
    const open = await until("the other thumb", async () =>
      (await said(page)).find((f) => f.kind === "thumbs" && f.verdict === "down"),
    );
    assert.equal(open.excerpt, "Say hello to the harbour.");
    assert.equal(
      (await said(page)).some((f) => f.id === silent.id),
      false,
    ); // replaced
    const detail = await ask(page, "GET", `/feedback/${open.id}`);
    const shown = await page.textContent(".answer-text");
    assert.equal(detail.answers[0].text.trim().slice(0, 20), shown.trim().slice(0, 20));
    assert.equal(detail.answers[0].token_ids.length, detail.answers[0].log_probs.length);
    assert.match(detail.answers[0].system_fingerprint, /^[0-9a-f]{64}$/);
    await context.close();
    assert.deepEqual(trouble, []);
  },
);

test("a report becomes a task of the project that a rule names", { skip }, async () => {
  const { page, context, trouble } = await world.page();
  const project = await make_project(page, "Reported answers", 0, { task_type: "text" }).catch(async () =>
    ask(page, "POST", "/projects", { name: "Reported answers", task_type: "text" }),
  );
  const rule = await ask(page, "POST", "/sampling-rules", {
    name: "reports",
    source: "reported",
    project_id: project.id,
  });
  await chat(page, "Tell me about lighthouses.");
  const consent = page.getByLabel("Keep the texts I judge");
  if (!(await consent.isVisible())) await page.keyboard.press("p");
  await consent.check({ force: true });
  await page.getByLabel("Report a problem").click();
  await page.waitForSelector("dialog[open]");
  await page.getByText("It is wrong").click();
  await page.getByText("Send the report").click();
  await until(
    "the task",
    async () => (await ask(page, "GET", `/projects/${project.id}/tasks`)).items.length === 1,
  );
  const [rule_now] = (await ask(page, "GET", "/sampling-rules")).items.filter((r) => r.id === rule.id);
  assert.equal(rule_now.taken, 1);
  await page.goto(`${world.base}/projects/${project.id}/label`);
  await page.waitForSelector("text=Tell me about lighthouses.");
  assert.equal((await page.textContent("body")).includes(models[0].id), false);
  await context.close();
  assert.deepEqual(trouble, []);
});

test("live: ask by keys, two answers come without names, judge, ask again", { skip }, async () => {
  const { page, context, trouble } = await world.page();
  const project = await ask(page, "POST", "/projects", { name: "Live answers", task_type: "pairwise" });
  // Its lead switches it on: one model against itself at two temperatures.
  await page.goto(`${world.base}/projects/${project.id}/settings`);
  await page.getByLabel("People write, two models answer").check({ force: true });
  for (const input of await page.getByLabel("Most tokens").all()) await input.fill("24");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await until("the setting", async () => (await ask(page, "GET", `/projects/${project.id}/live`)).sides);
  const bodies = [];
  page.on("response", (response) => {
    if (response.url().includes("/live/answers")) bodies.push(response.text().catch(() => ""));
  });
  await page.goto(`${world.base}/projects/${project.id}/label`);
  await page.waitForSelector("#live-prompt:focus");
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document.body, { runOnly: ["wcag2a", "wcag2aa"] }));
  assert.deepEqual(
    found.violations.map((v) => v.id),
    [],
  );
  for (const [n, key] of [
    [1, "a"],
    [2, "b"],
  ]) {
    await page.keyboard.type(`Question ${n}: name a colour.`);
    await page.keyboard.press("Enter");
    await page.waitForSelector("[data-assignment]", { timeout: 120_000 });
    assert.equal(await page.locator(".response").count(), 2);
    const text = await page.textContent("body");
    for (const model of models) assert.equal(text.includes(model.id), false);
    await page.keyboard.press(key);
    await page.waitForSelector("#live-prompt:focus");
    await until("the label", async () => (await mine(page, project.id)).done === n);
  }
  // Nothing that was sent names a model, a temperature or a completion.
  for (const body of await Promise.all(bodies)) {
    for (const model of models) assert.equal(body.includes(model.id), false);
    for (const word of ["temperature", "chatcmpl", '"model"', "fingerprint"])
      assert.equal(body.includes(word), false, word);
  }
  const tasks = (await ask(page, "GET", `/projects/${project.id}/tasks`)).items;
  assert.equal(tasks.length, 2);
  const task = await ask(page, "GET", `/tasks/${tasks[0].id}`);
  assert.equal(task.body.meta.answers.length, 2);
  assert.notEqual(
    task.body.meta.answers[0].settings.temperature,
    task.body.meta.answers[1].settings.temperature,
  );
  await context.close();
  assert.deepEqual(trouble, []);
});
