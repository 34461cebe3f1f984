// The page of models in the real browser: a name moves by hand, through a gate, back, by keys alone. The
// scripted part runs on the stand-in (its adapters are known to be better or worse); the last test on
// the server that is named.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { answer, ask, make_project, mine, open_stand_in, open_world, until } from "./world.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const world = await open_stand_in();
const button = (page, name) => page.getByRole("button", { name, exact: true });
const dialog = "dialog[open]";
const facts = (page, alias) => page.textContent(`#alias-${alias} .facts`);

async function open_models(options = {}) {
  const opened = await world.page(options);
  await opened.page.goto(world.base + "/models");
  await opened.page.waitForSelector("h1");
  await opened.page.waitForFunction(() => !document.querySelector(".skeleton"));
  return opened;
}
async function promote_to(page, model) {
  await page.keyboard.press("p");
  await page.waitForSelector(`${dialog} select`);
  const value = await page.getAttribute(`${dialog} option:has-text("${model} ")`, "value");
  await page.selectOption(`${dialog} select`, value);
}

test("a name is made, moved and rolled back by keys alone", async () => {
  const { page, trouble } = await open_models();
  await page.waitForSelector("text=polite-2");
  await page.keyboard.press("n");
  await page.waitForSelector(`${dialog} input`);
  await page.waitForSelector(`${dialog} input:focus`);
  await page.keyboard.type("keys-only");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`${dialog} select:focus`);
  await page.keyboard.type("smol"); // a select finds by its letters
  await button(page, "Promote").last().click();
  await page.waitForSelector(`${dialog} >> text=The name has moved.`);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#alias-keys-only");
  assert.match(await facts(page, "keys-only"), /smol/);
  await page.focus("#alias-keys-only");
  await promote_to(page, "polite-1");
  await button(page, "Promote").last().click();
  await page.waitForSelector(`${dialog} >> text=version 1 to 2`);
  await page.keyboard.press("Escape");
  await until("polite-1", async () => /polite-1/.test(await facts(page, "keys-only")));
  await page.keyboard.press("r");
  await page.waitForSelector("text=keys-only answers with version 1 again");
  await until("smol again", async () => /smol/.test(await facts(page, "keys-only")));
  await page.keyboard.press("h");
  await page.waitForSelector(`${dialog} >> text=Rolled back`);
  assert.equal(await page.locator(`${dialog} .decisions > li`).count(), 3);
  assert.match(await page.textContent(`${dialog} .versions`), /smol.*answers now/s);
  assert.deepEqual(trouble, []);
});

test("a gate promotes what is better, refuses what is worse, and says why", async () => {
  const { page, trouble } = await open_models();
  const project = world.inside.projects[0];
  project.snapshots.unshift({
    id: "snp_may",
    name: "Frozen in May",
    format: "preferences",
    state: "ready",
    rows_train: 700,
    rows_heldout: 240,
    annotations: 1100,
    digest: "5a".repeat(32),
    filter: {},
    created_at: new Date().toISOString(),
    created_by: { id: "usr_1", name: "Ada" },
  });
  await ask(page, "POST", "/aliases/assistant/promote", { model: "polite-1" });
  await page.reload();
  await page.waitForSelector("#alias-assistant");
  await page.focus("#alias-assistant");
  await page.keyboard.press("g");
  const set = page.getByLabel("Held-out set");
  await set.waitFor();
  assert.ok(await button(page, "Choose a set").isVisible());
  await set.selectOption({ index: 1 });
  // What is no number is named beside its field, and Enter goes there instead of sending it.
  await page.getByLabel("Least number of rows").fill("many");
  await page.getByLabel("Second set, with a floor").selectOption({ index: 1 });
  await page.getByLabel("Floor", { exact: true }).fill("60");
  await page.keyboard.press("Enter");
  assert.ok(await button(page, "Correct the number of rows").isVisible());
  await page.waitForSelector(`${dialog} >> text=A whole number, 0 or more`);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("name")), "items_min");
  await page.getByLabel("Least number of rows").fill("50");
  assert.ok(await button(page, "Correct the floor").isVisible());
  await page.getByLabel("Second set, with a floor").selectOption("");
  await button(page, "Save the gate").click();
  await page.waitForSelector("text=assistant has a gate");
  await until("the gate's words", async () => /accuracy.*50 items/.test(await facts(page, "assistant")));

  await page.focus("#alias-assistant");
  await promote_to(page, "rude");
  await button(page, "Measure, then decide").click();
  await page.waitForSelector(`${dialog} [role=progressbar]`);
  await page.waitForSelector(`${dialog} >> text=The candidate is worse than what answers now.`);
  assert.match(await page.textContent(dialog), /still version 1/);
  assert.match(await page.textContent(`${dialog} .evidence`), /−23\.0 %/);
  await button(page, "Done").click();
  assert.match(await facts(page, "assistant"), /polite-1/);

  await page.focus("#alias-assistant");
  await promote_to(page, "polite-2");
  await button(page, "Measure, then decide").click();
  await page.waitForSelector(`${dialog} >> text=shown to be better`);
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document.querySelector("dialog[open]")));
  assert.deepEqual(
    result.violations.map((v) => `${v.id} ${v.nodes[0].html.slice(0, 120)}`),
    [],
  );
  await button(page, "Done").click();
  await until("polite-2", async () => /polite-2/.test(await facts(page, "assistant")));

  // Past the gate only with a reason.
  await page.focus("#alias-assistant");
  await promote_to(page, "smol");
  await page.getByRole("switch", { name: "Move it past the gate" }).click();
  assert.ok(await button(page, "Say why").isVisible());
  await page.getByLabel("Reason").fill("an incident");
  await button(page, "Promote").last().click();
  await page.waitForSelector(`${dialog} >> text=An incident.`);
  await button(page, "Done").click();
  assert.deepEqual(trouble, []);
});

test("a split has its shares, a used model stays, another leaves", async () => {
  const { page, trouble } = await open_models();
  await ask(page, "POST", "/aliases/mixed/promote", { model: "smol" });
  await page.reload();
  await page.waitForSelector("#alias-mixed");
  await page.focus("#alias-mixed");
  await page.keyboard.press("s");
  await page.getByLabel("Weight of smol").fill("3");
  assert.ok(await button(page, "Give two models a weight").isVisible());
  await page.getByLabel("Weight of polite-2").fill("-1");
  assert.ok(await button(page, "Correct the weight").isVisible());
  await page.getByLabel("Weight of polite-2").fill("1");
  await page.waitForSelector(`${dialog} >> text=25 % of requests`);
  await button(page, "Split").last().click();
  await until("two shares", async () => /75 %.*25 %|25 %.*75 %/s.test(await facts(page, "mixed")));
  await button(page, "Remove elsewhere").click();
  await page.waitForSelector(`${dialog} >> text=Its files stay where they are.`);
  await page.locator(dialog).getByRole("button", { name: "Remove", exact: true }).click();
  await page.waitForSelector("text=elsewhere is out of the registry");
  await button(page, "Remove polite-2").click();
  await page.locator(dialog).getByRole("button", { name: "Remove", exact: true }).click();
  await page.waitForSelector("text=promote another model first");
  assert.deepEqual(trouble, []);
});

test("the server itself: an offered base gets a name and answers under an alias", async (t) => {
  const real = await open_world();
  const { page, trouble } = await real.page();
  const bases = await ask(page, "GET", "/bases");
  if (!process.env.HONE_URL || bases.items.length === 0)
    return t.skip("no real server with a model is named");
  await page.goto(real.base + "/models");
  await button(page, "Add an offered base").click();
  await page.getByLabel("Name", { exact: true }).fill("from-the-page");
  await button(page, "Add").click();
  await page.waitForSelector("td >> text=from-the-page");
  await page.waitForSelector("td >> text=Answers");
  const project = await make_project(page, "For a gate", 12);
  await page.goto(`${real.base}/projects/${project.id}/label`);
  await page.waitForSelector("[data-assignment]");
  for (let i = 0; i < 12; i++) await answer(page, "ab"[i % 2]);
  await until("twelve labels", async () => (await mine(page, project.id)).done === 12);
  await ask(page, "POST", `/projects/${project.id}/splits`, { heldout_fraction: 0.5, seed: 1 });
  await ask(page, "POST", `/projects/${project.id}/snapshots`, { name: "For a gate" });
  await page.goto(real.base + "/models");
  await page.waitForSelector("td >> text=from-the-page");
  await page.keyboard.press("n");
  await page.locator(`${dialog} input`).fill("page-alias");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`${dialog} select`);
  await page.locator(`${dialog} select`).selectOption({ index: 1 });
  await button(page, "Promote").last().click();
  await page.waitForSelector(`${dialog} >> text=The name has moved.`);
  await button(page, "Done").click();
  await page.focus("#alias-page-alias");
  await page.keyboard.press("g");
  await page.getByLabel("Held-out set").selectOption({ index: 1 });
  await button(page, "Save the gate").click();
  await page.waitForSelector("text=page-alias has a gate");
  const models = await page.evaluate(async () => (await (await fetch("/v1/models")).json()).data);
  assert.ok(models.some((m) => m.id === "page-alias" && m.alias_of === "from-the-page"));
  await ask(page, "DELETE", "/aliases/page-alias/gate");
  assert.deepEqual(trouble, []);
});

test("a key has a scope and limits, its usage is a chart", async () => {
  const { page, trouble } = await world.page();
  await page.goto(world.base + "/settings");
  await page.waitForSelector("text=Keys for programs");
  await page.getByPlaceholder("Nightly export").fill("Chat widget");
  await page.getByLabel("May").selectOption("infer");
  await page.click("summary >> text=What it may ask of models");
  await page.getByLabel("Tokens a day").fill("50000");
  await page.getByLabel("Models", { exact: true }).first().fill("assistant");
  await page.keyboard.press("Enter");
  await button(page, "Make a key").click();
  await page.waitForSelector(`${dialog} input[readonly]`);
  await page.keyboard.press("Escape");
  await page.waitForSelector("td >> text=50,000 tokens a day");
  const made = (await ask(page, "GET", "/tokens")).items.at(-1);
  assert.deepEqual(made.scope, ["infer"]);
  assert.deepEqual(made.models, ["assistant"]);
  assert.equal(made.tokens_per_day, 50_000);
  await button(page, "Limits of Chat widget").click();
  await page.locator(dialog).getByLabel("Weight").fill("0.5");
  await button(page, "Save").last().click();
  await page.waitForSelector("td >> text=Weight 0.5");
  await page.waitForSelector("figure svg");
  assert.match(await page.textContent("figure figcaption"), /requests and .* tokens in 30 days/);
  await button(page, "Remove Chat widget").click();
  await until("the key is gone", async () => !(await page.textContent("body")).includes("Chat widget"));
  assert.deepEqual(trouble, []);
});
