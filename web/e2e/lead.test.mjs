// What a lead does, through the screens: a project, an import with a look at the columns, people, the
// held-out split, a snapshot, an export, a key, the audit chain; and what somebody who only labels sees.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { answer, ask, make_project, mine, open_world, pairs, until } from "./world.mjs";

const world = await open_world();
const button = (page, name) => page.getByRole("button", { name, exact: true });

test("a project is made, filled from a file and labelled, by its screens", async () => {
  const { page, trouble } = await world.page();
  const file = join(mkdtempSync(join(tmpdir(), "hone-e2e-")), "pairs.csv");
  const quote = (text) => '"' + text.replace(/"/g, '""').replace(/\n/g, " ") + '"';
  writeFileSync(
    file,
    "question,chosen,rejected\n" +
      pairs(6)
        .map((p) =>
          [p.prompt.replace(/,/g, ""), "yes " + p.prompt, "no " + p.prompt]
            .map((x) => quote(x).replace(/,/g, ""))
            .join(","),
        )
        .join("\n") +
      "\n",
  );
  await page.goto(world.base + "/projects/new");
  await page.waitForSelector("#project-name");
  assert.ok(await button(page, "Give it a name").isVisible());
  await page.fill("#project-name", "By the screens");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".drop");
  await page.setInputFiles("input[type=file]", file);
  await page.waitForSelector(".preview-table");
  const role = (column) => page.getByLabel(`What ${column} is`);
  await role("question").selectOption("prompt");
  await role("chosen").selectOption("left");
  await role("rejected").selectOption("right");
  await button(page, "Import").click();
  await page.waitForSelector("text=6 tasks imported");
  await page.getByRole("link", { name: "Start labelling" }).click();
  await page.waitForSelector("[data-assignment]");
  await answer(page, "a");
  await page.goBack();
  const id = /projects\/([^/]+)/.exec(page.url())[1];
  await until("the label", async () => (await mine(page, id)).done === 1);
  await page.goto(`${world.base}/projects/${id}/tasks`);
  await page.click(".grid-row >> nth=0");
  await page.waitForSelector("dialog[open] >> text=What people said");
  assert.deepEqual(trouble, []);
});

test("splits are frozen, a snapshot made, labels exported", async () => {
  const { page, trouble } = await world.page();
  const project = await make_project(page, "Frozen", 20);
  await page.goto(`${world.base}/projects/${project.id}/label`);
  await page.waitForSelector("[data-assignment]");
  for (const key of ["a", "b", "a", "b", "a"]) await answer(page, key);
  await until("five labels", async () => (await mine(page, project.id)).done === 5);
  await page.goto(`${world.base}/projects/${project.id}/settings`);
  await page.getByRole("button", { name: /Freeze with/ }).click();
  await page.waitForSelector("text=tasks to train on");
  await page.goto(`${world.base}/projects/${project.id}/snapshots`);
  await page.getByPlaceholder("Before the guideline change").fill("First");
  await button(page, "Make the snapshot").click();
  await page.waitForSelector("td >> text=First");
  const rows = await page.evaluate(
    async (id) =>
      (await (await fetch(`/api/v1/projects/${id}/export?format=preferences`)).text()).trim().split("\n")
        .length,
    project.id,
  );
  assert.ok(rows >= 5, `only ${rows} rows exported`);
  assert.deepEqual(trouble, []);
});

test("the first run holds a quarter out by itself; without labels it is refused", async (t) => {
  const { page } = await world.page();
  const models = await ask(page, "GET", "/bases");
  if (models.items.length === 0) return t.skip("this server offers no model to train (HONE_MODEL)");
  const project = await make_project(page, "First run", 24);
  const wish = { method: "dpo", model: models.items[0].name };
  await assert.rejects(ask(page, "POST", `/projects/${project.id}/runs`, wish), /409.*no labels/);
  assert.equal((await ask(page, "GET", `/projects/${project.id}`)).split_state, "none");
  await page.goto(`${world.base}/projects/${project.id}/label`);
  await page.waitForSelector("[data-assignment]");
  for (let i = 0; i < 20; i++) await answer(page, "ab"[i % 2]);
  await until("twenty labels", async () => (await mine(page, project.id)).done === 20);
  await page.goto(`${world.base}/projects/${project.id}/runs/new`);
  await button(page, "Start the run").click();
  await page.waitForURL(/runs\/run_/);
  const id = page.url().split("/").pop();
  const run = await ask(page, "GET", `/runs/${id}`);
  const snapshot = await ask(page, "GET", `/snapshots/${run.snapshot_id}`);
  assert.ok(snapshot.rows_heldout > 0 && snapshot.rows_train > snapshot.rows_heldout, "no held-out rows");
  await ask(page, "POST", `/runs/${id}/cancel`, {});
});

test("a guideline gets versions, a schema is checked, settings are kept", async () => {
  const { page, trouble } = await world.page();
  const project = await make_project(page, "Settings", 3);
  const base = `${world.base}/projects/${project.id}`;
  await page.goto(base + "/guideline");
  await page.fill("#guideline-text", "# New rules\n\nBe **fair**.");
  await page.getByRole("button", { name: /Save as version/ }).click();
  await page.waitForSelector("text=is what people see from now on");
  await page.goto(base + "/schema");
  await page.getByRole("switch", { name: "Ask how much better" }).click();
  await page.getByRole("button", { name: /Save as version/ }).click();
  await page.waitForSelector("text=is in use");
  await page.goto(base + "/settings");
  await page.getByRole("switch", { name: "Ask more people when unsure" }).click();
  await page.getByRole("button", { name: /Save \d change/ }).click();
  await page.waitForSelector("text=Saved");
  assert.ok((await ask(page, "GET", `/projects/${project.id}`)).adaptive);
  await page.goto(base + "/label");
  await page.waitForSelector("text=By how much?");
  await page.keyboard.press("b");
  await page.keyboard.press("3");
  await page.keyboard.press("Enter");
  await until("the label with its strength", async () => (await mine(page, project.id)).done === 1);
  assert.equal((await mine(page, project.id)).recent[0].answer.winner_strength, 3);
  assert.deepEqual(trouble, []);
});

test("a person is added, signs in by the link once, and sees no results", async () => {
  const { page, trouble } = await world.page();
  const project = await make_project(page, "For Zoe", 5);
  await page.goto(world.base + "/people");
  await button(page, "Add a person").click();
  await page.locator("dialog[open] input").first().fill("Zoe Adams");
  await page.keyboard.press("Enter");
  const field = page.locator("dialog[open] input[readonly]");
  await field.waitFor();
  const link = await field.inputValue();
  const other = await world.browser.newContext({ viewport: { width: 390, height: 844 } });
  const zoe = await other.newPage();
  await zoe.goto(link);
  await zoe.waitForSelector("text=Hello, Zoe");
  assert.equal(new URL(zoe.url()).hash, "");
  await zoe.goto(`${world.base}/projects/${project.id}`);
  await zoe.waitForSelector("text=Waiting for you");
  assert.equal(await zoe.getByRole("link", { name: "Quality", exact: true }).count(), 0);
  await zoe.goto(`${world.base}/projects/${project.id}/label`);
  await zoe.waitForSelector("[data-assignment]");
  await zoe.getByRole("button", { name: "A is better" }).click();
  await until("Zoe's label", async () => (await mine(zoe, project.id)).done === 1);
  const again = await world.browser.newContext();
  const thief = await again.newPage();
  await thief.goto(link);
  if (process.env.HONE_URL) await thief.waitForSelector("text=This link does not open");
  await other.close();
  await again.close();
  assert.deepEqual(trouble, []);
});

test("a key is shown once, the audit chain is whole, the palette finds things", async () => {
  const { page, trouble } = await world.page();
  await page.goto(world.base + "/settings");
  await page.getByPlaceholder("Nightly export").fill("e2e");
  await button(page, "Make a key").click();
  await page.waitForSelector("dialog[open] >> text=Copy it now");
  assert.match(await page.locator("dialog[open] input[readonly]").inputValue(), /^hone_/);
  await page.keyboard.press("Escape");
  await page.goto(world.base + "/audit");
  await button(page, "Check the chain").click();
  await page.waitForSelector("text=is whole");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("people");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/people");
  await page.goto(world.base + "/settings");
  await page.getByText("Dark", { exact: true }).click();
  assert.equal(await page.getAttribute("html", "data-mantine-color-scheme"), "dark");
  await page.reload();
  assert.equal(await page.getAttribute("html", "data-mantine-color-scheme"), "dark");
  assert.deepEqual(trouble, []);
});
