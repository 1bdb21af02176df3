/** Uploads: a few at a time, retried while the connection or the load is at fault, and ended by any other error. */

import assert from "node:assert/strict";
import test from "node:test";

import { Api, ApiError } from "../src/worker/server_api.js";
import { retry, upload } from "../src/worker/upload.js";

/** @typedef {import("../src/protocol/case/attachment.js").Block} Block */

/**
 * Blocks with their number as id.
 *
 * @param {number} count
 * @returns {AsyncGenerator<Block, string, void>}
 */
async function* blocks(count) {
  for (let number = 0; number < count; number++) {
    yield { id: Uint8Array.of(number), body: new Uint8Array(0) };
  }
  return "record";
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 1));

test("every block is put, at most three at once, and the stream's own outcome comes back", async () => {
  /** @type {number[]} */
  const put = [];
  let under = 0;
  let most = 0;
  const outcome = await upload(blocks(20), async ({ id }) => {
    under++;
    most = Math.max(most, under);
    await soon();
    put.push(id[0]);
    under--;
  });
  assert.equal(outcome, "record");
  assert.equal(most, 3);
  assert.deepEqual(put.sort((one, other) => one - other), [...Array(20).keys()]);
});

for (const bad of [0, 5, 19]) {
  test(`a fault at block ${bad} of 20 ends the upload`, async () => {
    let put = 0;
    const going = upload(blocks(20), async ({ id }) => {
      await soon();
      put++;
      if (id[0] === bad) {
        throw new ApiError("full");
      }
    });
    await assert.rejects(going, { kind: "full" });
    assert.ok(put <= bad + 3);
  });
}

test("what only the connection is at fault for is tried again, with longer and longer waits", async () => {
  /** @type {number[]} */
  const waits = [];
  let left = 8;
  const answer = await retry(
    async () => {
      if (left--) {
        throw new ApiError(left % 2 ? "offline" : "busy", left === 3 ? 60 : 0);
      }
      return "done";
    },
    { onWait: (seconds) => waits.push(seconds), sleep: async () => {} },
  );
  assert.equal(answer, "done");
  assert.deepEqual(waits, [1, 2, 4, 8, 60, 30, 30, 30]);
});

for (const kind of /** @type {const} */ (["taken", "full", "missing", "refused", "cancelled"])) {
  test(`${kind} is not tried again`, async () => {
    const going = retry(() => Promise.reject(new ApiError(kind)), { sleep: () => assert.fail("a wait") });
    await assert.rejects(going, { kind });
  });
}

test("a wait ends at once when nobody waits any more", async (context) => {
  const ending = new AbortController();
  context.mock.method(globalThis, "fetch", async () => {
    throw new TypeError("no connection");
  });
  const api = new Api("https://whistle.test", ending.signal);
  const going = retry(() => api.get("/manifest.json"), {
    signal: ending.signal,
    onWait: () => setTimeout(() => ending.abort(), 5),
  });
  const before = performance.now();
  await assert.rejects(going, { kind: "cancelled" });
  assert.ok(performance.now() - before < 900);
});

test("a rate limit is retried a few times, and a long wait is left to the person", async () => {
  /** @type {[number, string][]} */
  const waits = [];
  const options = {
    onWait: (/** @type {number} */ seconds, /** @type {string} */ why) => void waits.push([seconds, why]),
    sleep: async () => {},
  };
  const after = (/** @type {number} */ wait) => retry(() => Promise.reject(new ApiError("limited", wait)), options);
  await assert.rejects(after(40), { kind: "limited", wait: 40 });
  assert.deepEqual(waits, Array(5).fill([40, "limited"]));
  await assert.rejects(after(301), { kind: "limited", wait: 301 });
  assert.equal(waits.length, 5);
});

test("a connection on which nothing moves counts as none", async (context) => {
  context.mock.method(globalThis, "fetch", (/** @type {string} */ _, /** @type {RequestInit} */ { signal }) => {
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  });
  await assert.rejects(new Api("https://whistle.test", undefined, 5).get("/manifest.json"), { kind: "offline" });
});

const BAD_LOOKUPS = {
  "not filled up": new Uint8Array(100),
  empty: new Uint8Array(0),
  "more than is there": filled([0, 0, 0, 2]),
  "more and no entry": filled([0, 0, 0, 0, 1]),
  "an unknown state": filled([0, 0, 0, 1, 0, ...Array(16).fill(1), 9, 0, 0, 0, 1, 0, 0, 0, 0]),
  "a body beyond the end": filled([0, 0, 0, 1, 0, ...Array(16).fill(1), 0, 0, 0, 0, 1, 0, 4, 0, 0]),
};

/** @param {number[]} start */
function filled(start) {
  const answer = new Uint8Array(262_144).fill(255);
  answer.set(start);
  return answer;
}

for (const [name, answer] of Object.entries(BAD_LOOKUPS)) {
  test(`an answer to a lookup that is ${name} is refused`, async (context) => {
    context.mock.method(globalThis, "fetch", async () => new Response(answer));
    await assert.rejects(new Api("https://whistle.test").lookup([]), { kind: "refused" });
  });
}

test("an answer to a lookup is read", async (context) => {
  const answer = new Uint8Array(262_144);
  answer.set([0, 0, 0, 1, 1, ...Array(16).fill(7), 1, 0, 0, 0x51, 0x2b, 0, 0, 0, 2, 8, 9]);
  context.mock.method(globalThis, "fetch", async () => new Response(answer));
  const found = await new Api("https://whistle.test").lookup([]);
  const expected = { id: new Uint8Array(16).fill(7), state: "collected", day: "2026-11-22", body: Uint8Array.of(8, 9) };
  assert.deepEqual(found, { entries: [expected], more: true });
});

test("blocks that are not of their size are refused", async (context) => {
  context.mock.method(globalThis, "fetch", async () => new Response(Uint8Array.of(0, 1, 5)));
  await assert.rejects(new Api("https://whistle.test").blocks([new Uint8Array(16), new Uint8Array(16)]), {
    kind: "refused",
  });
});
