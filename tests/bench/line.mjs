// A report over a slow line on a slow device: 50 KB/s, 2 s from a request to the first byte of its answer, a processor
// slowed six times.  node line.mjs JSON, with `program`, `address`, `script`, `file` (or none) and `patience`
// (milliseconds).
//
// Prints as JSON seconds from the first address, typing not counted, and what was asked for: how many requests, how
// many bytes came, and of how many requests each had to wait for the one before.

import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const require = createRequire(new URL("../../client/package.json", import.meta.url));
const puppeteer = require("puppeteer-core");

const given = JSON.parse(process.argv[2]);
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
const RATE = 50_000; // bytes a second, each way
const LATENCY = 2000; // milliseconds
const SLOWER = 6; // times
const LINE = { offline: false, latency: LATENCY, downloadThroughput: RATE, uploadThroughput: RATE };
const TEXT = "Money for the school was taken.";
const POLL = 20; // milliseconds

/** What is asked for and what comes, by all of a page. */
class Traffic {
  constructor() {
    this.begin();
    this._open = new Map();
  }

  /** Count anew. */
  begin() {
    [this.requests, this.bytes, this.chain, this._ended] = [0, 0, 0, []];
  }

  /** @param {import("puppeteer-core").CDPSession} session */
  watch(session) {
    session.on("Network.requestWillBeSent", ({ requestId, timestamp, request }) => {
      if (!request.url.startsWith("http")) return;
      const behind = Math.max(0, ...this._ended.filter(({ at }) => at <= timestamp).map(({ depth }) => depth));
      this.requests++;
      this.chain = Math.max(this.chain, behind + 1);
      this._open.set(requestId, behind + 1);
    });
    session.on("Network.responseReceived", ({ requestId, timestamp }) => {
      if (this._open.has(requestId)) this._ended.push({ at: timestamp, depth: this._open.get(requestId) });
    });
    session.on("Network.loadingFinished", ({ encodedDataLength }) => (this.bytes += encodedDataLength));
  }

  get told() {
    return { requests: this.requests, bytes: this.bytes, chain: this.chain };
  }
}

/** Slow a page down and follow what it asks for, its workers too. */
async function slowDown(session, traffic) {
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  await follow(session, traffic);
  await session.send("Network.emulateNetworkConditions", LINE); // of its workers too
}

async function follow(session, traffic) {
  traffic.watch(session);
  session.on("sessionattached", async (worker) => {
    await follow(worker, traffic);
    await worker.send("Runtime.runIfWaitingForDebugger");
  });
  await session.send("Network.enable");
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true });
}

/** One visit: what is clicked is clicked as soon as it is there. */
class Visit {
  constructor(page) {
    this.page = page;
    this._away = 0; // milliseconds that were spent typing
    this._begun = performance.now();
  }

  get seconds() {
    return (performance.now() - this._begun - this._away) / 1000;
  }

  /** Wait for something to be seen, over any change of pages. */
  async see(selector, holds = "true") {
    const isSeen = `(() => { const it = document.querySelector(${JSON.stringify(selector)});
      return Boolean(it && it.getClientRects().length && ${holds}); })()`;
    const end = performance.now() + given.patience;
    for (;;) {
      if (await this.page.evaluate(isSeen).catch(() => false)) return this.seconds;
      if (performance.now() > end) throw new Error(`${selector} does not come`);
      await pause(POLL);
    }
  }

  async click(selector) {
    await this.see(selector);
    // at once: with script off no page's timers run; what it leads to may end this call
    await this.page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`).catch(() => {});
  }

  /** Type, and wait until it stands there; the time is not counted. */
  async type(selector, text) {
    const begun = performance.now();
    await this.page.type(selector, text);
    this._away += performance.now() - begun;
  }
}

const SEND = 'form:has([name="step"][value="send"]) > button';
const IN_CHARGE = ".sealing b"; // the digits are shown once the program has tested itself

async function visit(page, traffic) {
  const told = {};
  const way = new Visit(page);
  page.goto(given.address).catch(() => {});
  await way.click('[name="step"][value="report"]');
  told.usable = await way.see("textarea#text");
  await way.type("#text", TEXT);
  if (given.file) await (await page.waitForSelector("#files")).uploadFile(given.file);
  if (given.script) told.inCharge = await way.see(IN_CHARGE);
  else await way.see(SEND);
  if (given.file && given.script) await way.click("#clean:checked");
  told.form = traffic.told;
  traffic.begin();
  const begun = way.seconds;
  await way.click(SEND);
  told.words = await way.see(".code li:nth-child(12)");
  told.sending = told.words - begun;
  told.sent = traffic.told;
  return told;
}

/** Seconds that the line itself takes for the bytes of a file, from a bare page to the answer. */
async function bare(page) {
  const size = statSync(given.file).size;
  const server = createServer((request, answer) => request.resume().on("end", () => answer.end()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const seconds = await page.evaluate(`(async () => {
    const begun = performance.now();
    await fetch("/", { method: "POST", body: new Uint8Array(${size}) });
    return (performance.now() - begun) / 1000;
  })()`);
  server.close();
  return seconds;
}

const profile = await mkdtemp(join(tmpdir(), "whistle-bench-line-"));
const browser = await puppeteer.launch({
  executablePath: given.program, headless: true, args: FLAGS, userDataDir: profile, protocolTimeout: given.patience,
});
try {
  const [page] = await browser.pages();
  await page.setJavaScriptEnabled(given.script);
  await page.setViewport({ width: 360, height: 740 });
  const [session, traffic] = [await page.createCDPSession(), new Traffic()];
  await slowDown(session, traffic);
  await page.goto(given.address, { waitUntil: "networkidle0" });
  const first = traffic.told;
  const own = given.file ? await bare(page) : 0;
  traffic.begin();
  console.log(JSON.stringify({ own, first, ...(await visit(page, traffic)) }));
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
