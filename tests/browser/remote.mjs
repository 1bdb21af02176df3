// A browser that does what it is told, a line of JSON at a time, and answers each with a line of JSON.
// node remote.mjs JSON; ends when its standard input does, and then tells what axe and the console said.

import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import { isBlank } from "./png.mjs";
import { withBrowser } from "./walker.mjs";

const given = JSON.parse(process.argv[2]);

const LEADING = {
  click: (walker, selector) => walker.click(selector),
  keyboard: (walker, selector) => walker.page.focus(selector).then(() => walker.page.keyboard.press("Enter")),
  enter: (walker) => walker.page.keyboard.press("Enter"),
  submit: (walker, selector) => walker.submit(selector),
};

const STEPS = {
  goto: (walker, address) => walker.page.goto(address),
  reload: (walker) => walker.page.reload(),
  home: (walker) => walker.home(),
  comeBack: (walker, words) => walker.comeBack(words),
  tell: (walker, text, files) => walker.tell(text, files),
  send: (walker, step) => walker.send(step),
  press: (walker, step) => walker.press(step),
  go: (walker, step) => walker.go(step),
  click: (walker, selector) => walker.click(selector),
  /** Press what brings another page: by a click, by keyboard, by Enter where the focus is, or by sending the form. */
  leads: async (walker, selector, how = "click") => {
    const { page } = walker;
    await page.evaluate("document.wasHere = true");
    await LEADING[how](walker, selector);
    const isOld = "document.wasHere || document.readyState !== 'complete'";
    for (const end = Date.now() + walker.patience; await page.evaluate(isOld).catch(() => true); await pause(50)) {
      if (Date.now() > end) throw new Error(`nothing comes of ${selector}`);
    }
  },
  type: (walker, selector, text) => walker.page.type(selector, text),
  pick: (walker, selector, ...files) => walker.page.$(selector).then((input) => input.uploadFile(...files)),
  uncleaned: (walker) => walker.uncleaned(),
  see: (walker, selector) => walker.see(selector),
  /** Wait for words, through pages that load themselves again. */
  says: (walker, words) => walker.until((words) => document.body?.innerText.includes(words), words),
  gone: (walker, selector) => walker.until((wanted) => !document.querySelector(wanted), selector),
  select: (walker, selector, value) => walker.page.select(selector, value),
  copy: (walker, selector) => walker.copy(selector),
  paste: (walker, selector) => walker.paste(selector),
  look: (walker, name) => walker.look(name),
  text: (walker, selector) => walker.text(selector),
  value: (walker, selector) => walker.page.$eval(selector, (box) => box.value),
  scriptOff: (walker) => walker.scriptOff(),
  downloads: (walker, folder) => downloads(walker.page, folder),
  /** Another tab, with a form that keeps nothing out of a profile: sent once, then filled in once more. */
  control: async (walker, address, sent, typed) => {
    const page = await walker.page.browser().newPage();
    page.setDefaultTimeout(0);
    await page.goto(address);
    await page.type("textarea", sent);
    await Promise.all([page.waitForNavigation(), page.click("button")]);
    await page.type("textarea", typed);
  },
  front: (walker) => walker.page.bringToFront(),
  kill: async (walker) => {
    const browser = walker.page.browser();
    const ended = new Promise((resolve) => browser.once("disconnected", resolve));
    process.kill(-browser.process().pid, "SIGKILL"); // all of its processes
    await ended;
  },
  told: (walker, code) => walker.page.evaluate(code),
  tabToLeave: (walker) => walker.tabToLeave(),
  leave: (walker, how) => walker.leave(how),
  isBlank: async (walker) => isBlank(await walker.page.screenshot()),
  dialogs: (walker) => walker.dialogs,
  /** What code gives that runs in the frame on the page, whose origin is nobody's. */
  inFrame: (walker, code) => walker.frame().evaluate(code),
  seeInFrame: (walker, selector) => walker.frame().waitForSelector(selector, { visible: true }),
  /** Clocks of pages that beat so many times as often. */
  hurry: (walker, times) =>
    walker.page.evaluateOnNewDocument((times) => {
      const beat = window.setInterval;
      window.setInterval = (act, pause) => beat(act, pause / times);
    }, times),
  /** What code in the frame on the page does that never ends. */
  startInFrame: async (walker, code) => void walker.frame().evaluate(code).catch(() => {}),
  keys: async (walker, ...keys) => {
    for (const key of keys) await walker.page.keyboard.press(key);
  },
  lookInFrame: (walker, name) => walker.lookInFrame(name),
  at: (walker, address) => walker.at((url) => url === address),
  back: (walker) => walker.back(),
};
/** Firefox was told where to save when it was started. */
async function downloads(page, folder) {
  if (page.browser().protocol !== "cdp") return;
  const session = await page.createCDPSession();
  const browserContextId = page.browserContext().id; // none of an ordinary window
  await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder, browserContextId });
}

const TELLING = ["inFrame", "text", "value", "told", "isBlank", "dialogs"];

await withBrowser({ ...given, scene: "remote" }, async (walker) => {
  for await (const line of createInterface({ input: process.stdin })) {
    const [step, ...more] = JSON.parse(line);
    const found = await STEPS[step](walker, ...more);
    console.log(JSON.stringify(TELLING.includes(step) ? (found ?? null) : null));
    if (step === "kill") return {};
  }
  await walker.page.goto("about:blank");
  return {};
});
