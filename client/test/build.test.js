/** The files that pages load: made again they are the same bytes, small, hold nothing forbidden, and work. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import vm from "node:vm";

import { files, sizes } from "../build.mjs";
import "../src/protocol/code/word_lists.js";
import { encode } from "../src/protocol/code/words.js";

const WHISTLE = new URL("../../whistle/", import.meta.url);
const SERVER = "server/reporter/static/";
const WORKSTATION = "workstation/app/static/";
const LIMITS = { "whistle.js": 65_000, "pictures.js": 11_000 }; // bytes, compressed by gzip
const VIEWERS = { "look.js": 6000, "viewer.js": 700_000, "viewer_pdf.js": 1_800_000 }; // bytes
const FORBIDDEN = ["eval(", "Function(", "WebAssembly", "import(", "importScripts", "://", "innerHTML", "localStorage"];

const built = await files();
const program = new TextDecoder().decode(built.get(`${SERVER}whistle.js`));

for (const [name, content] of built) {
  test(`${name} is what the sources make`, () => {
    assert.ok(Buffer.from(content).equals(readFileSync(new URL(name, WHISTLE))), "build it again: make client");
  });
}

for (const [name, limit] of Object.entries(LIMITS)) {
  test(`${name} is small`, () => {
    const { gzip } = sizes(/** @type {Uint8Array} */ (built.get(SERVER + name)));
    assert.ok(gzip < limit, `${gzip} bytes`);
  });

  test(`${name} holds nothing that a page must not hold`, () => {
    const whole = new TextDecoder().decode(built.get(SERVER + name));
    assert.deepEqual(FORBIDDEN.filter((word) => whole.includes(word)), []);
  });
}

for (const [name, limit] of Object.entries(VIEWERS)) {
  const content = new TextDecoder().decode(built.get(WORKSTATION + name));

  test(`${name} is no larger than it was`, () => {
    assert.ok(content.length < limit, `${content.length} characters`);
  });

  test(`${name} can stand inside a page, which no part of it ends`, () => {
    assert.equal(content.search(/<\/?script/i), -1);
  });
}

test("what is not ours says whose it is and how it is licensed", () => {
  for (const [name, owners] of Object.entries({
    "viewer.js": ["Mozilla Foundation", "Apache License 2.0", "Mattias Wallander", "Mozilla Public License 2.0"],
    "viewer_pdf.js": ["Mozilla Foundation", "Apache License 2.0", "OpenJPEG, BSD 2-Clause"],
  })) {
    const start = new TextDecoder().decode(built.get(WORKSTATION + name)).slice(0, 600);
    assert.deepEqual(owners.filter((owner) => !start.includes(owner)), []);
  }
  const whole = new TextDecoder().decode(built.get(`${WORKSTATION}viewer.licences.txt`));
  const parts = ["Denis Pushkarev", "Apache License", "Universite catholique de Louvain", "Mozilla Public License Version 2.0"];
  assert.deepEqual(parts.filter((part) => !whole.includes(part)), []);
});

test("the page that holds the viewer parses nothing and makes no markup", () => {
  const look = new TextDecoder().decode(built.get(`${WORKSTATION}look.js`));
  const parsers = ["innerHTML", "DOMParser", "createImageBitmap", "Image(", "drawImage", "TextDecoder", "eval(", "Function("];
  assert.deepEqual(parsers.filter((word) => look.includes(word)), []);
});

test("the program that cleans pictures asks for nothing", () => {
  const whole = new TextDecoder().decode(built.get(`${SERVER}pictures.js`));
  assert.deepEqual(["fetch(", "XMLHttpRequest", "WebSocket", "crypto"].filter((word) => whole.includes(word)), []);
});

test("as a worker without WebAssembly it answers, and takes lists of words only from its folder", async () => {
  const code = new Uint8Array(16).fill(3);
  /** @type {string[]} */
  const asked = [];
  const answered = new Promise((resolve) => {
    const scope = {
      TextDecoder,
      TextEncoder,
      AbortController,
      clearTimeout,
      setTimeout,
      crypto,
      fetch: async (/** @type {string} */ address) => {
        asked.push(address);
        return new Response(Buffer.from(/** @type {Uint8Array} */ (built.get(SERVER + (address.split("/").pop() ?? "")))));
      },
      postMessage: resolve,
      WebAssembly: undefined,
      /** @type {any} */ self: null,
      /** @type {any} */ onmessage: null,
    };
    scope.self = scope;
    vm.runInNewContext(program, scope);
    const environment = { origin: "https://whistle.test", folder: "/static/", roots: [], day: "2026-11-22" };
    const question = { environment, typed: encode(code, "fr").join(" "), language: "es" };
    scope.onmessage({ data: { number: 1, ask: "words", question } });
  });
  const { answer } = JSON.parse(JSON.stringify(await answered));
  assert.deepEqual(answer.words, encode(code, "es"));
  assert.deepEqual(asked, ["https://whistle.test/static/words.js"]);
});
