// Pictures of every screen for a pair of eyes: node dev/shoot.mjs ADDRESS FOLDER [path …]
import { mkdirSync } from "node:fs";
import { launch, open_page } from "../e2e/browser.mjs";

const [base, folder, ...wanted] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await launch();
const sizes = process.env.SIZES ? process.env.SIZES.split(",") : ["1440-light", "1440-dark", "390-light", "390-dark"];
for (const size of sizes) {
  const [width, scheme] = size.split("-");
  const { page, trouble, context } = await open_page(browser, base, { width: Number(width), height: width === "390" ? 844 : 900, scheme });
  await page.goto(base + "/sign-in#token=" + (process.env.TOKEN ?? "dev-owner"));
  await page.waitForSelector("h1");
  await page.waitForTimeout(500);
  const projects = (await page.evaluate(() => fetch("/api/v1/projects").then((r) => r.json()))).items;
  const run = (await page.evaluate((id) => fetch(`/api/v1/projects/${id}/runs`).then((r) => r.json()), projects[0].id)).items?.[0]?.id;
  for (const path of wanted) {
    const real = path.replace(/@(\d+)/, (_, n) => projects[Number(n)].id).replace("RUN", run);
    const [place, keys] = real.split("!");
    await page.goto(base + place);
    await page.waitForSelector("h1, h2");
    await page.waitForFunction(() => !document.querySelector(".skeleton"), null, { timeout: 20_000 }).catch(() => undefined);
    await page.waitForTimeout(Number(process.env.WAIT ?? 900));
    for (const key of keys ? keys.split("~") : []) {
      await page.keyboard.press(key);
      await page.waitForTimeout(500);
      await page.waitForFunction(() => !document.querySelector(".skeleton"), null, { timeout: 20_000 }).catch(() => undefined);
    }
    await page.screenshot({
      path: `${folder}/${path.replace(/[^\w]+/g, "_").replace(/^_+|_+$/g, "") || "home"}-${size}.png`,
      fullPage: process.env.FULL === "1",
    });
  }
  if (trouble.length) console.log(size, [...new Set(trouble)].slice(0, 8));
  await context.close();
}
await browser.close();
