// A person at a browser with script on: opens pages, types, presses, and asks axe about what is shown.
// Chromium is driven by CDP, Firefox by WebDriver BiDi.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const require = createRequire(new URL("../../client/package.json", import.meta.url));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];
// Laid out anew; a page behind others may never be drawn, so it does not wait for that for long.
const SETTLED = "new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); setTimeout(done, 500); })";
const TOLD = ["Failed to load resource", "OpenJPEG: ", "ExifReader: "]; // what a browser, and a decoder of a broken file, tell the console
const POLL = 50; // milliseconds between two looks
const SIZES = { narrow: { width: 360, height: 740 }, wide: { width: 1200, height: 900 } };
const SCHEMES = ["light", "dark"];
// Colours know no size and sizes no colour, so two of the four show every fault; a trial, and pictures, have all.
const PAIRS = [["narrow", "light"], ["wide", "dark"]];
const ALL_PAIRS = Object.keys(SIZES).flatMap((size) => SCHEMES.map((scheme) => [size, scheme]));
const FLAGS = {
  chrome: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  firefox: [],
};

/** What puppeteer turns off in the browsers that it starts, and an ordinary profile has: sessions, passwords. */
const ORDINARY = {
  chrome: ["--enable-automation", "--password-store=basic", "--disable-breakpad"],
  firefox: {
    "remote.prefs.recommended": false,
    "browser.sessionstore.resume_from_crash": true,
    "browser.sessionstore.interval": 1000, // milliseconds; sooner than usual, and no other
    "browser.sessionstore.interval.idle": 1000,
    "browser.pagethumbnails.capturing_disabled": false,
    "signon.autofillForms": true,
    "signon.rememberSignons": true,
  },
};

// Otherwise puppeteer has frames of no origin share the page's process, which Chromium by itself does not.
process.env.PUPPETEER_TEST_EXPERIMENTAL_CHROME_FEATURES = "true";

/**
 * A browser with a profile of its own; `use` is given a Walker, and what it returns is printed as JSON.
 *
 * `patience`: milliseconds after which something counts as hung.  `profile`: a folder that stays, for a profile as it is
 * when somebody uses a browser for the first time.  `endpoint`: of a browser that runs.  `isPrivate`: in a window apart, which Chromium treats as a private one.
 */
export async function withBrowser({ patience, endpoint, isPrivate, ...given }, use) {
  const folder = mkdtempSync(join(tmpdir(), "whistle-browser-"));
  const started = endpoint
    ? await puppeteer.connect({
        browserWSEndpoint: endpoint,
        protocol: given.browser === "firefox" ? "webDriverBiDi" : "cdp",
        protocolTimeout: 2 * patience,
      })
    : await launched({ patience, ...given }, folder);
  const context = isPrivate || endpoint ? await started.createBrowserContext() : started;
  try {
    const page = await context.newPage();
    await page.bringToFront(); // what is behind others may never be drawn, and a click waits for that
    page.setDefaultTimeout(patience);
    const walker = new Walker(page, patience, given);
    const told = await use(walker, folder);
    console.log(JSON.stringify({ ...told, found: walker.found }));
  } finally {
    if (endpoint) {
      await context.close();
      await started.disconnect();
    } else if (started.connected) {
      await started.close();
    }
    rmSync(folder, { recursive: true, force: true });
    process.stdin.destroy();
  }
}

/** A running browser; downloads of Firefox go to `folder`. */
export function launched({ browser, program, patience, profile, isKept, preferences = {} }, folder) {
  const isOrdinary = profile && !isKept;
  return puppeteer.launch({
    browser,
    executablePath: program,
    headless: true,
    args: FLAGS[browser],
    protocolTimeout: 2 * patience,
    userDataDir: profile ?? (browser === "chrome" ? join(folder, "profile") : undefined),
    ignoreDefaultArgs: isOrdinary && browser === "chrome" ? ORDINARY.chrome : false,
    extraPrefsFirefox: {
      "browser.download.folderList": 2,
      "browser.download.dir": folder,
      ...(isOrdinary && ORDINARY.firefox),
      ...preferences,
    },
  });
}

/** Sizes with schemes in which a page is looked at. */
function pairs(pictures) {
  return pictures || !["", "0", undefined].includes(process.env.WHISTLE_TRIAL) ? ALL_PAIRS : PAIRS;
}

export class Walker {
  constructor(page, patience, { address, language, pictures, scene = "", axe: asks = true, isAttacked }) {
    this.page = page;
    this.patience = patience;
    this.address = address;
    this.language = language;
    this.pictures = pictures;
    this.asks = asks;
    this.faults = Boolean(scene); // on purpose; a browser tells its console of them
    this.found = [];
    const isElsewhere = () => page.url().startsWith("http") && !page.url().startsWith(address); // and may fail
    page.on("pageerror", (error) => isElsewhere() || isAttacked || this.found.push({ rule: "error", page: String(error) }));
    page.on("console", (said) => {
      const asked = isElsewhere() || (this.faults && TOLD.some((words) => said.text().startsWith(words)));
      if (!asked && !isAttacked) this.found.push({ rule: "console", page: page.url(), nodes: [said.text()] });
    });
    this.dialogs = 0;
    page.on("dialog", (dialog) => {
      this.dialogs++;
      dialog.accept();
    });
  }

  /** Without script, as far as pages have it. */
  async scriptOff() {
    await this.page.setJavaScriptEnabled(false);
    this.isOff = true;
  }

  async home() {
    await this.page.goto(`${this.address}/${this.language}/`);
  }

  /** Press a button that loads another page. */
  async go(step) {
    await Promise.all([this.page.waitForNavigation(), this.click(`button[value="${step}"]`)]);
  }

  /** Click, and again where the page grew at that moment and moved what was aimed at from under the pointer. */
  async click(selector) {
    if (this.isOff) return this.page.click(selector); // no page can tell whether it was hit
    for (let tries = 0; tries < 5; tries++) {
      const told = await this.page.evaluateHandle((wanted) => {
        const told = { isHit: false };
        document.querySelector(wanted).addEventListener("click", () => (told.isHit = true), { once: true });
        return told;
      }, selector);
      await this.page.click(selector);
      const isHit = await told.evaluate((told) => told.isHit).catch(() => true); // it led to another page
      if (isHit) return;
    }
    throw new Error(`no click reaches ${selector}`);
  }

  /** Send a form as its own page does. */
  async submit(selector) {
    await this.page.$eval(selector, (form) => void setTimeout(() => form.submit()));
  }

  /** Press a button of a page that the program made. */
  async press(step) {
    await this.see(`main button[value="${step}"]`);
    await this.click(`main button[value="${step}"]`);
  }

  /** Press the button that sends a form with a text. */
  async send(step) {
    await this.click(`form:has([name="step"][value="${step}"]) > button`);
  }

  async tell(text, files = []) {
    await this.home();
    await this.go("report");
    await this.page.type("#text", text);
    if (files.length) {
      await (await this.page.$("#files")).uploadFile(...files);
    }
  }

  /** Send files as they are: cleaning is on until somebody unticks it. */
  async uncleaned() {
    await this.see("#clean:checked");
    await this.click("#clean");
  }

  async comeBack(words) {
    await this.home();
    await this.go("replies");
    await this.page.type("#words", words);
    await this.press("look");
  }

  /** Select a part of the page, or all of it, and copy that. */
  async copy(selector) {
    await this.page.evaluate((wanted) => {
      document.activeElement.blur();
      getSelection().removeAllRanges();
      if (wanted) getSelection().selectAllChildren(document.querySelector(wanted));
    }, selector);
    if (!selector) await this.chord("A", "SelectAll");
    await this.chord("C", "Copy");
  }

  async paste(selector) {
    await this.page.focus(selector);
    await this.chord("V", "Paste");
  }

  /** Control and a letter; Chromium without a window must be told what that does. */
  async chord(letter, command) {
    const { keyboard } = this.page;
    await keyboard.down("Control");
    await keyboard.press(`Key${letter}`, this.page.browser().protocol === "cdp" ? { commands: [command] } : {});
    await keyboard.up("Control");
  }

  /** Press "Leave this page", with the mouse or by the keyboard; what comes of it is not waited for. */
  async leave(how) {
    const way = ".leave :is(a, button)";
    if (how === "mouse") {
      const { x, y, width, height } = await (await this.page.$(way)).boundingBox();
      this.page.mouse.click(x + width / 2, y + height / 2).catch(() => {});
    } else {
      this.page.keyboard.press("Enter").catch(() => {});
    }
  }

  /** Tab to the way out, from the top of the page or back from a field. */
  async tabToLeave() {
    const { keyboard } = this.page;
    if (!(await this.page.evaluate("document.activeElement === document.body"))) await keyboard.down("Shift");
    for (let tries = 0; !(await this.page.evaluate("document.activeElement.matches('.leave *')")); tries++) {
      if (tries > 100) throw new Error("no way out by keyboard");
      await keyboard.press("Tab");
    }
    await keyboard.up("Shift");
  }

  /** Be at another address, at last. */
  async at(isThere) {
    for (let tries = 0; !isThere(this.page.url()); tries++) {
      if (tries > this.patience / 100) throw new Error(`still at ${this.page.url()}`);
      await pause(100);
    }
  }

  /** Go back; that a browser has nothing to show there is no fault. */
  async back() {
    const left = this.page.url();
    this.page.goBack().catch(() => {});
    await this.at((url) => url !== left);
  }

  /** Wait until something is in sight. */
  see(selector) {
    if (selector.startsWith("aria/")) return this.page.waitForSelector(selector, { visible: true });
    return this.until((wanted) => {
      const found = document.querySelector(wanted);
      const { width, height } = found?.getBoundingClientRect() ?? {};
      return width > 0 && height > 0 && getComputedStyle(found).visibility === "visible";
    }, selector);
  }

  /** Wait until code in the page gives something: it is asked by a clock, since a page that is not drawn has no frames. */
  until(code, ...given) {
    return this.page.waitForFunction(code, { polling: POLL }, ...given);
  }

  async words() {
    await this.see(".code");
    return this.page.$$eval(".code strong", (all) => all.map((each) => each.textContent).join(" "));
  }

  text(selector = "main") {
    return this.page.$eval(selector, (each) => each.innerText.replace(/\s+/g, " ").trim());
  }

  /** The frame in which a file is looked at. */
  frame() {
    return this.page.frames()[1];
  }

  /** Ask axe about what is in the frame, which it does not see from the page. */
  async lookInFrame(name) {
    await this.frame().evaluate(axe);
    const isFrame = `rules: { "page-has-heading-one": { enabled: false } }`; // the page has it
    const asked = `axe.run({ ${isFrame}, runOnly: { type: "tag", values: ${JSON.stringify(TAGS)} } })`;
    const result = await this.frame().evaluate(`${asked}.then(({ violations, passes }) => ({
      passed: passes.length, found: violations.map(({ id, nodes }) => ({ rule: id, nodes: nodes.map((node) => node.html) })) }))`);
    if (result.passed < 6) this.found.push({ page: name, rule: "axe saw no frame" });
    this.found.push(...result.found.map((each) => ({ page: name, ...each })));
  }

  /** Ask axe, and take pictures, of every size and scheme. */
  async look(name) {
    const marks = await this.page.evaluate(
      "[document.body.innerHTML, ...[...document.querySelectorAll('textarea')].map((box) => box.value)].join().match(/⟦\\w+⟧/g)",
    );
    if (marks) this.found.push({ page: name, rule: "a mark was not filled in", nodes: marks });
    for (const [size, scheme] of this.asks ? pairs(this.pictures) : []) {
      await this.page.setViewport(SIZES[size]);
      if (this.page.browser().protocol === "cdp") {
        await this.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      } else if (scheme === "dark") {
        continue;
      }
      await this.page.evaluate(SETTLED);
      const where = `${this.language}-script-${name}-${size}-${scheme}`;
      if (await this.page.evaluate("document.documentElement.scrollWidth > innerWidth")) {
        this.found.push({ page: where, rule: "overflow" });
      }
      if (!(await this.page.evaluate("Boolean(window.axe)"))) await this.page.evaluate(axe);
      const result = await this.page.evaluate(`axe.run({ iframes: false, resultTypes: ["violations"], runOnly: { type: "tag", values: ${JSON.stringify(TAGS)} } })`);
      if (result.passes.length < 8) this.found.push({ page: where, rule: "axe saw no page" });
      for (const each of result.violations) {
        this.found.push({ page: where, rule: each.id, nodes: each.nodes.map((node) => node.html) });
      }
      if (this.pictures) await this.page.screenshot({ path: join(this.pictures, `${where}.png`), fullPage: true });
    }
  }
}
