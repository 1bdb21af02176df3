/** The files that pages load: made again they are the same, small, hold nothing forbidden, and work. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import vm from "node:vm";

import { files, sizes } from "../build.mjs";
import "../src/protocol/code/word_lists.js";
import { encode } from "../src/protocol/code/words.js";

const STATIC = new URL("../../whistle/server/reporter/static/", import.meta.url);
const LIMITS = { "whistle.js": 65_000, "pictures.js": 11_000 }; // bytes, compressed by gzip
const FORBIDDEN = ["eval(", "Function(", "WebAssembly", "import(", "importScripts", "://", "innerHTML", "localStorage"];

const built = await files();
const program = new TextDecoder().decode(built.get("whistle.js"));

for (const [name, content] of built) {
  test(`${name} is what the sources make`, () => {
    assert.ok(Buffer.from(content).equals(readFileSync(new URL(name, STATIC))), "build it again: make client");
  });
}

test("two builds give the same bytes", async () => {
  assert.deepEqual(await files(), built);
});

for (const [name, limit] of Object.entries(LIMITS)) {
  test(`${name} is small`, () => {
    const { gzip } = sizes(/** @type {Uint8Array} */ (built.get(name)));
    assert.ok(gzip < limit, `${gzip} bytes`);
  });

  test(`${name} holds nothing that a page must not hold`, () => {
    const whole = new TextDecoder().decode(built.get(name));
    assert.deepEqual(FORBIDDEN.filter((word) => whole.includes(word)), []);
  });
}

test("the program that cleans pictures asks for nothing", () => {
  const whole = new TextDecoder().decode(built.get("pictures.js"));
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
        return new Response(Buffer.from(/** @type {Uint8Array} */ (built.get(address.split("/").pop() ?? ""))));
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
  assert.deepEqual(
    asked,
    ["en", "es", "fr", "zh"].map((language) => `https://whistle.test/static/words.${language}.txt`),
  );
});
