/** Hashing in a worker beside: the same hash as here, never far behind, and no answer where the worker has ended. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import { seal } from "../src/protocol/case/attachment.js";
import { Hashing, hasher } from "../src/worker/hashing.js";

/** @import { Hash, HashRequest, HashReply } from "../src/worker/hashing.js" */

const PIECE = 100_000;
const LARGE = 2_000_000; // bytes, enough for a worker

/** A worker in this thread, which answers a moment later and counts what waits for it. */
class Beside {
  constructor({ ends = Infinity } = {}) {
    this.under = 0;
    this.most = 0;
    this.pieces = 0;
    this.isOver = false;
    /** @type {any} */
    this.onmessage = null;
    /** @type {any} */
    this.onerror = null;
    this._ends = ends;
    this._hash = hasher((told) => setTimeout(() => this._answer(told)));
  }

  /** @param {HashRequest} step */
  postMessage(step) {
    this.under++;
    this.pieces++;
    this.most = Math.max(this.most, this.under);
    if (this.pieces > this._ends) {
      setTimeout(() => this.onerror(new Error("ended")));
    } else {
      this._hash(structuredClone(step));
    }
  }

  /** @param {HashReply} told */
  _answer(told) {
    this.under--;
    this.onmessage({ data: told });
  }

  terminate() {
    this.isOver = true;
  }
}

/** @param {Buffer} content */
function* piecesOf(content) {
  for (let at = 0; at < content.length; at += PIECE) yield new Uint8Array(content.subarray(at, at + PIECE));
}

/**
 * @param {Buffer} content
 * @param {Hash} hash
 */
async function sealed(content, hash) {
  const blocks = seal(piecesOf(content), "film.mp4", "video/mp4", hash);
  for (;;) {
    const step = await blocks.next();
    if (step.done) return step.value;
  }
}

test("several contents at one worker have the hashes that they have here", async () => {
  const worker = new Beside();
  const hashing = new Hashing(() => worker);
  for (const size of [LARGE, LARGE + 1, 3 * LARGE]) {
    const content = randomBytes(size);
    const record = await sealed(content, hashing.begin(size));
    assert.equal(record.sha256, createHash("sha256").update(content).digest("hex"));
  }
  assert.ok(worker.pieces > 50);
  assert.ok(worker.most <= 5, `${worker.most} at a time`);
  hashing.close();
  assert.ok(worker.isOver);
});

test("little is hashed here, and everything where there is no worker", async () => {
  /** @type {number[]} */
  const started = [];
  const start = () => {
    started.push(1);
    throw new Error("no workers here");
  };
  for (const [size, starts] of [[0, 0], [1000, 0], [LARGE, 1]]) {
    const content = randomBytes(size);
    const hashing = new Hashing(start);
    const record = await sealed(content, hashing.begin(size));
    hashing.close();
    assert.equal(record.sha256, createHash("sha256").update(content).digest("hex"));
    assert.equal(started.length, starts);
  }
});

for (const ends of [0, 3, LARGE / PIECE]) {
  test(`a worker that ends after ${ends} pieces gives no record`, async () => {
    const hashing = new Hashing(() => new Beside({ ends }));
    await assert.rejects(sealed(randomBytes(LARGE), hashing.begin(LARGE)), /has ended/);
  });
}
