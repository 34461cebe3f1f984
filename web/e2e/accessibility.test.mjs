// Every screen, light and dark, wide and narrow: axe finds nothing, nothing scrolls sideways, no error.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { answer, ask, make_project, open_world, until } from "./world.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const world = await open_world();
const first = await world.page();
const project = await make_project(first.page, "Every screen", 12, {
  guideline: "# Guideline\n\nRead **both**.",
});
await first.page.goto(`${world.base}/projects/${project.id}/label`);
await first.page.waitForSelector("[data-assignment]");
for (const key of ["a", "b", "t"]) await answer(first.page, key);
await until(
  "three labels",
  async () => (await ask(first.page, "GET", `/projects/${project.id}/mine`)).done === 3,
);
const types = {};
for (const [type, row] of [
  ["rating", { prompt: "p", responses: ["one", "two"] }],
  ["ranking", { prompt: "p", responses: ["one", "two", "three"] }],
  [
    "conversation",
    {
      messages: [
        { role: "user", content: "q" },
        { role: "assistant", content: "a" },
      ],
    },
  ],
]) {
  types[type] = await ask(first.page, "POST", "/projects", { name: "Type " + type, task_type: type });
  await ask(
    first.page,
    "POST",
    `/projects/${types[type].id}/import?format=jsonl&name=x.jsonl`,
    JSON.stringify(row) + "\n",
    "application/octet-stream",
  );
}
await first.context.close();

const here = `/projects/${project.id}`;
const screens = [
  "/",
  "/projects/new",
  here,
  here + "/label",
  `/projects/${types.rating.id}/label`,
  `/projects/${types.ranking.id}/label`,
  `/projects/${types.conversation.id}/label`,
  here + "/guideline",
  here + "/schema",
  here + "/import",
  here + "/settings",
  here + "/tasks",
  here + "/quality",
  here + "/snapshots",
  here + "/runs",
  here + "/runs/new",
  here + "/runs/compare",
  "/chat",
  "/models",
  "/feedback",
  "/feedback/rules",
  "/people",
  "/audit",
  "/settings",
  "/nowhere",
];

for (const [width, scheme] of [
  [1440, "light"],
  [1440, "dark"],
  [390, "light"],
  [390, "dark"],
]) {
  test(`every screen, ${scheme}, ${width} pixels`, async () => {
    const { page, context, trouble } = await world.page({ width, height: width === 390 ? 844 : 900, scheme });
    const found = [];
    for (const path of screens) {
      await page.goto(world.base + path);
      await page.waitForSelector("h1, h2");
      await page
        .waitForFunction(() => !document.querySelector(".skeleton"), null, { timeout: 10_000 })
        .catch(() => found.push(path + ": still loading after ten seconds"));
      await page.evaluate(axe);
      const result = await page.evaluate(() =>
        window.axe.run(document, {
          resultTypes: ["violations"],
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
        }),
      );
      for (const v of result.violations)
        found.push(
          `${path}: ${v.id}: ${v.nodes
            .slice(0, 2)
            .map((n) => n.html.slice(0, 140))
            .join(" | ")}`,
        );
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 1) found.push(`${path}: ${wide} pixels wider than the screen`);
    }
    await context.close();
    assert.deepEqual(found, []);
    assert.deepEqual(trouble, []);
  });
}

test("the sign-in and invitation pages", async () => {
  for (const scheme of ["light", "dark"]) {
    const context = await world.browser.newContext({
      viewport: { width: 1280, height: 800 },
      colorScheme: scheme,
    });
    const page = await context.newPage();
    for (const path of ["/sign-in", "/sign-in#token=wrong", "/invitation#token=wrong"]) {
      await page.goto("about:blank");
      await page.goto(world.base + path);
      await page.waitForSelector("h1");
      await page.waitForFunction(() => !document.querySelector(".skeleton"));
      await page.evaluate(axe);
      const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      assert.deepEqual(
        result.violations.map((v) => `${path} ${v.id} ${v.nodes[0].html.slice(0, 120)}`),
        [],
      );
    }
    await context.close();
  }
});
