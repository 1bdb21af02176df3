// The whole story with script on: tell with a file, keep the words, come back, open a reply's file, add, withdraw.
// node story.mjs JSON; waits for a line on standard input between parts, so that the other side can answer.

import { createInterface } from "node:readline";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

import { withBrowser } from "./walker.mjs";

const given = JSON.parse(process.argv[2]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Tell the other side something, and wait until it has done its part. */
async function turn(told) {
  console.log(JSON.stringify(told));
  await lines.next();
}

/** Firefox was told where to save when it was started. */
async function downloads(walker, folder) {
  if (walker.page.browser().protocol !== "cdp") return;
  const session = await walker.page.createCDPSession();
  await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
}

/** Firefox holds the name with an empty file until the content, beside it, is whole. */
function isSaved(folder, name) {
  const held = readdirSync(folder);
  return held.includes(name) && !held.some((other) => other.endsWith(".part")) && statSync(join(folder, name)).size > 0;
}

async function download(walker, folder, name) {
  await downloads(walker, folder);
  await walker.press("download");
  await walker.see("article [role=status]");
  const end = Date.now() + given.patience;
  while (!isSaved(folder, name) && Date.now() < end) await pause(100);
  return createHash("sha256").update(readFileSync(join(folder, name))).digest("hex");
}

await withBrowser(given, async (walker, folder) => {
  const { page } = walker;
  await walker.tell(given.text, [given.file]);
  await walker.see("main .sealing .hint b");
  await walker.look("1-tell");
  await walker.uncleaned();
  const sealing = await walker.text(".sealing");
  await walker.click("#without");
  await walker.click("#without-2");
  await walker.send("send");
  await walker.see(".summary");
  await walker.look("1-tell-nobody");
  const nobody = await walker.text(".summary");
  await walker.click("#without-2");
  await walker.send("send");
  const words = await walker.words();
  await walker.look("2-words");
  await page.select("#list", "fr");
  await walker.press("words");
  await walker.see('.code ol[lang="fr"]');
  await walker.press("keep");
  await walker.see(".field.short");
  await walker.look("3-keep");
  await page.type(".field.short input", "abandon");
  await walker.press("kept");
  await walker.see(".code");
  await walker.look("3-keep-wrong");
  const french = (await walker.words()).split(" ");
  await walker.press("keep");
  await walker.see(".field.short");
  for (const input of await page.$$(".field.short input")) {
    const place = await input.evaluate((each) => Number(each.name.split("-")[1]));
    await input.type(french[place - 1]);
  }
  await walker.press("kept");
  await walker.until("!document.querySelector('.field.short')");
  await walker.look("4-done");
  await turn({ words, sealing, nobody });
  await walker.comeBack("one two three");
  await walker.see(".summary");
  await walker.look("5-replies-wrong");
  await page.$eval("#words", (box) => { box.value = ""; });
  await page.type("#words", words);
  await walker.press("look");
  await walker.see("article");
  await walker.look("6-case");
  const told = await walker.text();
  const hash = await download(walker, folder, given.answered);
  await walker.look("6-case-file");
  await page.type("#text", given.more);
  await walker.send("follow-up");
  await walker.until("!document.querySelector('article')");
  await walker.look("7-sent");
  await walker.press("look");
  await walker.see("article");
  await walker.press("exposed");
  await walker.see("blockquote");
  await walker.look("8-exposed");
  await walker.send("renew");
  const renewed = await walker.words();
  await walker.press("leave");
  await walker.comeBack(renewed);
  await walker.see("#text");
  await walker.press("withdraw");
  await walker.press("withdraw-now");
  await walker.until("!document.querySelector('main button')");
  await walker.look("9-withdrawn");
  await walker.comeBack(words);
  await turn({ told, hash, renewed });
  await page.goto("about:blank");
  return {};
});
