// A browser that does what it is told, a line of JSON at a time, and answers each with a line of JSON.
// node remote.mjs JSON; ends when its standard input does, and then tells what axe and the console said.

import { createInterface } from "node:readline";

import { isBlank } from "./png.mjs";
import { withBrowser } from "./walker.mjs";

const given = JSON.parse(process.argv[2]);

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
  leads: (walker, selector, how = "click") =>
    Promise.all([walker.page.waitForNavigation(), how === "click" ? walker.click(selector) : walker.submit(selector)]),
  type: (walker, selector, text) => walker.page.type(selector, text),
  pick: (walker, selector, ...files) => walker.page.$(selector).then((input) => input.uploadFile(...files)),
  uncleaned: (walker) => walker.uncleaned(),
  see: (walker, selector) => walker.see(selector),
  gone: (walker, selector) => walker.page.waitForFunction((wanted) => !document.querySelector(wanted), {}, selector),
  select: (walker, selector, value) => walker.page.select(selector, value),
  copy: (walker, selector) => walker.copy(selector),
  paste: (walker, selector) => walker.paste(selector),
  look: (walker, name) => walker.look(name),
  text: (walker, selector) => walker.text(selector),
  value: (walker, selector) => walker.page.$eval(selector, (box) => box.value),
  told: (walker, code) => walker.page.evaluate(code),
  tabToLeave: (walker) => walker.tabToLeave(),
  leave: (walker, how) => walker.leave(how),
  isBlank: async (walker) => isBlank(await walker.page.screenshot()),
  dialogs: (walker) => walker.dialogs,
  at: (walker, address) => walker.at((url) => url === address),
  back: (walker) => walker.back(),
};
const TELLING = ["text", "value", "told", "isBlank", "dialogs"];

await withBrowser({ ...given, scene: "remote" }, async (walker) => {
  for await (const line of createInterface({ input: process.stdin })) {
    const [step, ...more] = JSON.parse(line);
    const found = await STEPS[step](walker, ...more);
    console.log(JSON.stringify(TELLING.includes(step) ? found : null));
  }
  await walker.page.goto("about:blank");
  return {};
});
