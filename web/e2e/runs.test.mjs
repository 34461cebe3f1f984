// A run's page: curves that are chosen, what it said and what it earned by keys, whose labels it saw, and
// runs beside each other. The runs are the stand-in's, since hours of learning make no test.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { ask, open_stand_in, until } from "./world.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const world = await open_stand_in();
const button = (page, name) => page.getByRole("button", { name, exact: true });
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
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 1, `${where} is ${wide} pixels too wide`);
}
async function runs_of(page) {
  const project = (await ask(page, "GET", "/projects")).items[0];
  const runs = (await ask(page, "GET", `/projects/${project.id}/runs`)).items;
  return {
    here: `${world.base}/projects/${project.id}/runs`,
    grpo: runs.find((r) => r.method === "grpo"),
    dpo: runs.filter((r) => r.method === "dpo"),
  };
}

test("curves of any number, smoothed or not, on a log axis too", async () => {
  const { page, trouble } = await world.page();
  const { here, grpo } = await runs_of(page);
  await page.goto(`${here}/${grpo.id}`);
  for (const title of ["Loss", "Reward", "KL to the reference", "Entropy"])
    await page.waitForSelector(`.figure h2 >> text=${title}`);
  await clean(page, "a run");
  await button(page, "Choose curves 4").click();
  await page.getByLabel("Find a number").fill("format");
  await page.getByLabel("rewards/format/mean").check();
  await clean(page, "the chooser");
  await page.keyboard.press("Escape");
  await page.waitForSelector(".figure h2 >> text=rewards/format/mean");
  const smoothed = await page
    .locator(".figure", { hasText: "Loss" })
    .first()
    .locator("figcaption")
    .textContent();
  await page.getByLabel("Smoothing").fill("0");
  await until("the last step itself", async () => {
    const now = await page
      .locator(".figure", { hasText: "Loss" })
      .first()
      .locator("figcaption")
      .textContent();
    return now !== smoothed;
  });
  await button(page, "Log axis").click();
  await page.waitForSelector("text=cannot stand on a log axis");
  assert.deepEqual(trouble, []);
});

test("what it said: by keys, by reward, by step, on a wide screen and a phone", async () => {
  for (const [width, scheme] of [
    [1440, "light"],
    [1440, "dark"],
    [390, "light"],
  ]) {
    const { page, context, trouble } = await world.page({ width, height: 860, scheme });
    const { here, grpo, dpo } = await runs_of(page);
    await page.goto(`${here}/${grpo.id}/completions`);
    await page.waitForSelector(".completion-row");
    await clean(page, `completions ${scheme} ${width}`);
    if (width === 1440 && scheme === "light") {
      const place = () => page.textContent(".completion header");
      assert.match(await place(), /1 of 480/);
      await page.keyboard.press("j");
      await page.keyboard.press("j");
      await until("the third", async () => /3 of 480/.test(await place()));
      await page.keyboard.press("k");
      await until("the second", async () => /2 of 480/.test(await place()));
      await page.getByLabel("Order").selectOption("reward desc");
      await until("the best first", async () =>
        /1\.50/.test(await page.locator(".completion-row").first().textContent()),
      );
      await page.locator(".completion-filters select").nth(1).selectOption("numeric");
      await page.getByLabel("Reward at most").fill("0");
      await page.getByLabel("From step").fill("5");
      await page.getByLabel("To step").fill("6");
      await until("the wrong ones of two steps", async () => {
        const rows = await page.locator(".completion-row").allTextContents();
        return rows.length > 0 && rows.length < 17 && rows.every((r) => /step [56]/.test(r));
      });
      await page.getByLabel("To step").fill("4");
      await page.waitForSelector("text=No answer fits");
      await button(page, "Clear the filters").click();
      await page.waitForSelector("text=480 answers");
      // A run of pairs says why there is nothing.
      await page.goto(`${here}/${dpo[0].id}/completions`);
      await page.waitForSelector("text=keeps no answers of its own");
      await clean(page, "no completions");
    }
    await page.goto(`${here}/${dpo[1].id}/labels`);
    await page.waitForSelector("td >> text=ann_");
    assert.equal((await page.textContent("main")).includes("Ada"), false);
    await clean(page, `labels ${scheme} ${width}`);
    await context.close();
    assert.deepEqual(trouble, []);
  }
});

test("two runs are chosen in the list and lie beside each other", async () => {
  const { page, trouble } = await world.page();
  const { here, dpo } = await runs_of(page);
  await page.goto(here);
  await page.waitForSelector("table");
  assert.equal(await button(page, "Choose runs to compare").getAttribute("aria-disabled"), "true");
  for (const run of dpo) await page.getByLabel(`Choose ${run.name} for a comparison`).check();
  await clean(page, "the list");
  await button(page, "Compare 2 runs").click();
  await page.waitForSelector(".compared");
  const table = () => page.textContent(".compared");
  assert.match(await table(), /Learning rate/);
  assert.doesNotMatch(await table(), /LoRA rank/); // the same in both
  await button(page, "Differences only").click();
  await until("all settings", async () => /LoRA rank/.test(await table()));
  await page.waitForSelector(`figcaption >> text=${dpo[1].name}:`);
  await clean(page, "the comparison");
  await page.goto(`${here}/compare?runs=${dpo[0].id}`);
  await page.waitForSelector("text=Choose two runs or more");
  assert.deepEqual(trouble, []);
});
