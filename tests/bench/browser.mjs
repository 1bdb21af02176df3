// Sealing a file in a page of Chromium, beside the package age-encryption in the same page; and what a long file adds
// to the memory in use.  node browser.mjs JSON, with `program`, `mib`, `rounds`, and for the memory `files`, by size.

import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLIENT = new URL("../../client/", import.meta.url);
const require = createRequire(new URL("package.json", CLIENT));
const puppeteer = require("puppeteer-core");
const esbuild = require("esbuild");

const given = JSON.parse(process.argv[2]);
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
const PATIENCE = 600_000; // milliseconds

/** What the page can do: seal a file as the program does, and as the package does. */
const PAGE = `
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { seal } from "./src/protocol/case/attachment.js";
import { Hashing } from "./src/worker/hashing.js";
import { readChunks } from "./src/worker/file_stream.js";

async function ours(file) {
  const hashing = new Hashing(() => new Worker("worker.js"));
  const sealing = seal(readChunks(file), "film.mp4", "video/mp4", hashing.begin(file.size));
  let size = 0;
  for (let step = await sealing.next(); !step.done; step = await sealing.next()) size += step.value.body.length;
  hashing.close();
  return size;
}

async function bare(file) {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(await generateX25519Identity()));
  const reader = (await encrypter.encrypt(file.stream())).getReader();
  let size = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) size += step.value.length;
  return size;
}

async function rate(work, file) {
  const begun = performance.now();
  const size = await work(file);
  if (size < file.size) throw new Error("it was not sealed whole");
  return file.size / (performance.now() - begun) / 1048.576;
}

function made(mib) {
  const piece = new Uint8Array(1 << 20);
  for (let at = 0; at < piece.length; at += 65_536) crypto.getRandomValues(piece.subarray(at, at + 65_536));
  return new File(Array(mib).fill(piece), "film.mp4");
}

window.bench = {
  async round(mib, first) {
    const file = made(mib);
    const rates = {};
    for (const name of first ? ["ours", "bare"] : ["bare", "ours"]) rates[name] = await rate({ ours, bare }[name], file);
    return [rates.ours, rates.bare];
  },
  chosen: () => ours(document.querySelector("input").files[0]),
};
`;

/** What hashes beside it. */
const WORKER = `
import { hasher } from "./src/worker/hashing.js";
const hash = hasher((told) => self.postMessage(told));
self.onmessage = ({ data }) => hash(data);
`;

async function bundled(contents) {
  const { outputFiles } = await esbuild.build({
    bundle: true,
    format: "iife",
    minify: true,
    stdin: { contents, resolveDir: fileURLToPath(CLIENT), loader: "js" },
    target: "es2020",
    tsconfigRaw: {},
    write: false,
  });
  return outputFiles[0].text;
}

/** A page of its own browser that holds the bench. */
async function withPage(use) {
  const profile = await mkdtemp(join(tmpdir(), "whistle-bench-browser-"));
  const html = "<!doctype html><meta charset=utf-8><input type=file><script src=bench.js></script>";
  const server = createServer((request, answer) => {
    const script = scripts[request.url];
    answer.setHeader("Content-Type", script ? "text/javascript; charset=utf-8" : "text/html; charset=utf-8");
    answer.end(script ?? html);
  }).listen(0, "127.0.0.1");
  const browser = await puppeteer.launch({
    executablePath: given.program, headless: true, args: FLAGS, userDataDir: profile, protocolTimeout: PATIENCE,
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await use(page);
  } finally {
    await browser.close();
    server.close();
    await rm(profile, { recursive: true, force: true });
  }
}

/** The largest number of KiB that the page's process has held. */
async function peak(page) {
  const session = await page.browser().target().createCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const peaks = processInfo
    .filter(({ type }) => type === "renderer")
    .map(({ id }) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))[1]));
  return Math.max(...peaks);
}

async function memory(path) {
  return withPage(async (page) => {
    await (await page.$("input")).uploadFile(path);
    await page.evaluate("bench.chosen()");
    return peak(page);
  });
}

const scripts = { "/bench.js": await bundled(PAGE), "/worker.js": await bundled(WORKER) };
const pairs = await withPage(async (page) => {
  await page.evaluate("bench.round(8, true)");
  const found = [];
  for (let round = 0; round < given.rounds; round++) {
    found.push(await page.evaluate(`bench.round(${given.mib}, ${round % 2 === 0})`));
  }
  return found;
});
const peaks = [];
for (const path of given.files) peaks.push(await memory(path));
console.log(JSON.stringify({ pairs, peaks }));
