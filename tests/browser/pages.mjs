// Walks through the reporter's pages in Chromium with script off, as somebody would, and asks axe about each.
// node pages.mjs ADDRESS CHROMIUM CASE-WORDS WHOLE [FOLDER-FOR-PICTURES]; prints what axe finds as JSON.
// WHOLE, yes or no: with every rule in every language, size and scheme, which takes minutes.

import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(new URL("../../client/package.json", import.meta.url));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [address, chromium, words, whole, pictures] = process.argv.slice(2);
const isWhole = whole === "yes";
const SIZES = { narrow: { width: 320, height: 740 }, wide: { width: 1200, height: 900 } };
const SOME = isWhole ? SIZES : { narrow: SIZES.narrow };
const RULES = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] };
const OF_COLOURS = { type: "rule", values: ["color-contrast", "link-in-text-block"] }; // all that a scheme can change
const PATIENCE = 600_000; // milliseconds
const found = [];

async function look(page, name, sizes) {
  await page.setJavaScriptEnabled(true); // axe's own timers; the page has no script that could run
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const scheme of size === "narrow" || isWhole ? ["light", "dark"] : ["light"]) {
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      const overflow = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
      if (overflow) found.push({ page: `${name}-${size}`, rule: "overflow", nodes: [] });
      const way = "scrollTo(0, 1e6); const { top, bottom } = document.querySelector('.leave button').getBoundingClientRect();";
      const inSight = await page.evaluate(`(() => { ${way} scrollTo(0, 0); return top >= 0 && bottom <= innerHeight; })()`);
      if (!inSight) found.push({ page: `${name}-${size}`, rule: "the way out scrolls away", nodes: [] });
      if (!(await page.evaluate("Boolean(window.axe)"))) await page.evaluate(axe);
      const runOnly = scheme === "light" || isWhole ? RULES : OF_COLOURS;
      const result = await page.evaluate((runOnly) => axe.run({ runOnly }), runOnly);
      if (result.passes.length < (runOnly === RULES ? 10 : 1)) found.push({ page: name, rule: "axe saw no page", nodes: [] });
      for (const each of result.violations) {
        found.push({ page: `${name}-${size}-${scheme}`, rule: each.id, nodes: each.nodes.map((node) => node.html) });
      }
      if (pictures) await page.screenshot({ path: join(pictures, `${name}-${size}-${scheme}.png`), fullPage: true });
    }
  }
  await page.setJavaScriptEnabled(false);
}

async function press(page, step) {
  await Promise.all([page.waitForNavigation(), page.click(`button[value="${step}"]`)]);
}

async function send(page, field) {
  const button = `form:has([name="step"][value="${field}"]) > button`;
  await Promise.all([page.waitForNavigation(), page.click(button)]);
}

async function walk(page, language, file, sizes) {
  const see = (name) => look(page, `${language}-${name}`, sizes);
  await page.goto(`${address}/${language}/`);
  await see("1-land");
  await page.$eval("[name=channel]", (chosen) => (chosen.value = "gone")); // then the page of channels comes
  await press(page, "report");
  await see("2-channel");
  await press(page, "tell");
  await see("2-channel-error");
  await page.click("#channel");
  await press(page, "tell");
  await see("3-tell");
  await page.click("#without");
  await page.click("#without-2");
  await page.type("#text", language === "ar" ? "أُخذ مال المدرسة." : "Money for the school was taken.");
  await send(page, "send");
  await see("3-tell-error");
  await page.click("#without-2");
  await (await page.$("#files")).uploadFile(file);
  await send(page, "send");
  await see("4-words");
  const shown = await page.$eval(".code", (code) => code.innerText);
  await page.reload(); // as the page on a fault of ours advises
  const again = await page.$eval(".code", (code) => code.innerText);
  if (again !== shown) found.push({ page: page.url(), rule: "other words after a reload", nodes: [] });
  await press(page, "keep");
  await see("5-keep");
  await press(page, "kept");
  await see("5-keep-wrong");
  await press(page, "leave");
  await see("6-done");
  await page.goto(`${address}/${language}/`);
  await press(page, "replies");
  await see("7-replies");
  await page.type("#words", "one two three");
  await press(page, "look");
  await see("7-replies-error");
  await page.$eval("#words", (box, value) => { box.value = value; }, words);
  await press(page, "look");
  await see("8-case");
  await send(page, "follow-up");
  await see("8-case-error");
  await press(page, "exposed");
  await see("9-exposed");
  await press(page, "look");
  await press(page, "withdraw");
  await see("9-withdraw");
  await page.goto(`${address}/${language}/`);
  await press(page, "guidance");
  await see("10-guidance");
  await page.goto(`${address}/${language}/`);
  await press(page, "places");
  await see("10-places");
}

const folder = mkdtempSync(join(tmpdir(), "whistle-browser-"));
const browser = await puppeteer.launch({
  executablePath: chromium,
  userDataDir: join(folder, "profile"),
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
try {
  const file = join(folder, "evidence.txt");
  writeFileSync(file, "a small piece of evidence");
  for (const language of ["en", "ar", "es", "fr", "ru", "zh"]) {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.setJavaScriptEnabled(false);
    page.on("console", (said) => {
      const refused = said.text().endsWith("status of 422 (UNPROCESSABLE ENTITY)"); // what a page with an error is sent with
      if (!refused) found.push({ page: page.url(), rule: "console", nodes: [said.text()] });
    });
    await walk(page, language, file, ["en", "ar"].includes(language) ? SIZES : SOME);
    await page.close();
  }
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
