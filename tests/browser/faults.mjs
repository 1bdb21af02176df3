// What goes wrong with script on, and what a keyboard alone can do.  node faults.mjs JSON; `scene` names a walk.

import { withBrowser } from "./walker.mjs";

const given = JSON.parse(process.argv[2]);

/** Tab on until something of that kind has the focus. */
async function tabTo(page, selector) {
  for (let tries = 0; tries < 60; tries++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  throw new Error(`no way to ${selector} by keyboard`);
}

/** Whether the text is still there, and the form in sight. */
async function kept(walker) {
  await walker.see("#text");
  return walker.page.$eval("#text", (box) => box.value);
}

/** What the page says of a message on its way, once it does. */
function whatIsSaid() {
  const section = document.querySelector("progress")?.closest("section");
  const spoken = section?.querySelector("[role=status]")?.innerText;
  return spoken && { label: section.getAttribute("aria-labelledby"), spoken };
}

const SCENES = {
  /** A file arrives whatever breaks. */
  async upload(walker) {
    await walker.tell(given.text, [given.file]);
    await walker.uncleaned();
    await walker.send("send");
    const seen = await walker.until(whatIsSaid); // at once: soon it is all sent
    const { label, spoken } = await seen.jsonValue();
    await walker.look("sending");
    return { label, spoken, words: await walker.words() };
  },

  /** The server answers wrongly: the wait is told, the plain way offered, and who stops keeps the text. */
  async stop(walker) {
    await walker.tell(given.text, given.file ? [given.file] : []);
    if (given.file) await walker.uncleaned();
    await walker.send("send");
    await walker.see("[data-do=plain]");
    const waiting = await walker.text("main section[aria-labelledby=sending]");
    await walker.look("waiting");
    await walker.click("[data-do=cancel]");
    await walker.see("[data-said]");
    const stopped = await walker.text("[data-said]");
    const text = await kept(walker);
    await walker.look("stopped");
    await walker.send("send");
    return { waiting, stopped, text, words: await walker.words() };
  },

  /** What cannot be trusted is said; only who chooses it goes the plain way. */
  async plain(walker) {
    await walker.tell(given.text);
    await walker.send("send");
    await walker.see("main .summary");
    const told = await walker.text(".summary");
    const text = await kept(walker);
    await walker.look("failed");
    const sealing = await walker.text(".sealing");
    await Promise.all([walker.page.waitForNavigation(), walker.click("main .summary button:last-of-type")]);
    return { told, text, sealing, words: await walker.words() };
  },

  /** What is to be cleaned is held back from the plain way until somebody unticks it. */
  async held(walker) {
    await walker.tell(given.text, [given.file]);
    const { page } = walker;
    const choosePlain = async () => {
      await walker.send("send");
      await walker.see("main .summary");
      await walker.click("main .summary button:last-of-type");
    };
    await walker.see("#clean:checked");
    await choosePlain();
    await walker.see("#files-error");
    const told = await walker.text(".summary");
    await walker.look("held");
    await walker.click("#clean");
    await Promise.all([page.waitForNavigation(), choosePlain()]);
    return { told, words: await walker.words() };
  },

  /** A report that was sealed elsewhere goes as it is. */
  async pasted(walker) {
    await walker.tell("");
    await walker.page.$eval("#text", (box, text) => (box.value = text), given.text);
    await Promise.all([walker.page.waitForNavigation(), walker.send("send")]);
    await walker.look("pasted");
    return { told: await walker.text("main") };
  },

  /** What looks like a part of a sealed report, or has something beside it, goes nowhere. */
  async halfSealed(walker) {
    await walker.tell("");
    await walker.page.$eval("#text", (box, text) => (box.value = text), given.text);
    if (given.beside) {
      await walker.page.$eval("[name^=answer-]", (box, text) => (box.value = text), given.beside);
    }
    await walker.send("send");
    await walker.see("main .summary");
    await walker.look("half-sealed");
    return { told: await walker.text(".summary"), text: await walker.page.$eval("#text", (box) => box.value) };
  },

  /** Words that find nothing that can be read stay in their box. */
  async look(walker) {
    await walker.comeBack(given.words);
    await walker.see("main .summary");
    await walker.look("failed-look");
    return { told: await walker.text(".summary"), text: await walker.page.$eval("#words", (box) => box.value) };
  },

  /** From the first page to the words and on, without a mouse. */
  async keyboard(walker) {
    const { page } = walker;
    await walker.home();
    await tabTo(page, "[value=report]");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    await tabTo(page, "#text");
    await page.keyboard.type(given.text);
    await tabTo(page, "form > button");
    await page.keyboard.press("Enter");
    const words = await walker.words();
    await tabTo(page, "[value=keep]");
    await page.keyboard.press("Enter");
    await walker.see(".field.short");
    for (let left = 3; left; left--) {
      await tabTo(page, ".field.short input");
      const place = await page.evaluate("Number(document.activeElement.name.split('-')[1])");
      await page.keyboard.type(words.split(" ")[place - 1]);
    }
    await page.keyboard.press("Enter");
    await walker.until("!document.querySelector('.field.short') && !document.querySelector('.code')");
    return { words };
  },
};

await withBrowser(given, async (walker) => {
  const told = await SCENES[given.scene](walker);
  await walker.page.goto("about:blank");
  return told;
});
