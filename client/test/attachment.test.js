/** Attachments as streams: a few blocks in memory whatever the size, and nothing but what was sealed. */

import assert from "node:assert/strict";
import test from "node:test";

import { bytesToHex } from "@noble/hashes/utils.js";

import * as attachment from "../src/protocol/case/attachment.js";

const PIECE = new Uint8Array(1_000_003).fill(5);

/**
 * A content that is made while it is read.
 *
 * @param {number} pieces
 */
async function* made(pieces) {
  for (let piece = 0; piece < pieces; piece++) {
    yield PIECE;
  }
}

/**
 * All that a generator gives, and what it returns.
 *
 * @param {ReturnType<typeof attachment.seal>} stream
 */
async function collected(stream) {
  const blocks = [];
  for (;;) {
    const step = await stream.next();
    if (step.done) {
      return { blocks, record: step.value };
    }
    blocks.push(step.value);
  }
}

test("a stream becomes blocks and a record, and comes back as it was", async () => {
  const { blocks, record } = await collected(attachment.seal(made(2), "a.bin", "x/y"));
  assert.deepEqual(
    blocks.map(({ id }) => bytesToHex(id)),
    attachment.blockIds(record).map(bytesToHex),
  );
  assert.ok(blocks.every(({ body }) => body.length === attachment.BLOCK));
  let size = 0;
  for await (const content of attachment.open(record, blocks.map(({ body }) => body))) {
    assert.ok(content.every((byte) => byte === 5));
    size += content.length;
  }
  assert.equal(size, 2 * PIECE.length);
});

test("200 MB stream through a few megabytes", { skip: process.env.WHISTLE_TRIAL !== "1" }, async () => {
  globalThis.gc?.();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for await (const { body } of attachment.seal(made(200), "a.bin", "x/y")) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    assert.equal(body.length, attachment.BLOCK);
  }
  assert.ok(most < 64_000_000, `${most} bytes`);
});

test("two blocks are never alike, though all their content is", async () => {
  const { blocks } = await collected(attachment.seal(made(2), "a.bin", "x/y"));
  const starts = blocks.map(({ body }) => bytesToHex(body.subarray(0, 32)));
  assert.equal(new Set(starts).size, starts.length);
});

test("a content that breaks off gives no record", async () => {
  async function* broken() {
    yield PIECE;
    throw new Error("the file went away");
  }
  await assert.rejects(collected(attachment.seal(broken(), "a", "b")), { message: "the file went away" });
});
