/** Envelopes: alike whatever they hold, readers that cannot be counted, and randomness from the system alone. */

import assert from "node:assert/strict";
import test from "node:test";

import { bytesToHex } from "@noble/hashes/utils.js";

import { HybridIdentity, parseHeader } from "../src/protocol/age/index.js";
import * as envelope from "../src/protocol/case/envelope.js";
import * as message from "../src/protocol/case/message.js";
import { derive } from "../src/protocol/code/retrieval.js";

const reporter = derive(new Uint8Array(16).fill(7));
const reader = HybridIdentity.generate();
const pool = Array.from({ length: 4 }, () => HybridIdentity.generate().recipient);
/** @type {import("../src/protocol/case/message_kinds.js").Message} */
const slip = {
  kind: "slip",
  case: bytesToHex(reporter.case),
  readers: ["ombuds"],
  without: [],
  keys: { serial: 1, hash: "00".repeat(32) },
  from: message.sender(reporter),
  sealed: "browser",
  day: "2026-11-22",
  language: "en",
  channel: "fraud",
};
const signed = message.sign(slip, reporter.signing);

test("an envelope has exactly its size and as many stanzas as slots, whoever reads it", () => {
  for (const slots of [2, 3, 8, 16]) {
    const body = envelope.seal(signed, [reader.recipient, reporter.mailbox.recipient].slice(0, slots - 1), slots, pool);
    assert.equal(body.length, slots * 4096);
    assert.equal(parseHeader(body).stanzas.length, slots);
    assert.deepEqual(envelope.open(body, [reader], slots).line, signed.line);
  }
});

test("a reader's stanza stands in any place, and throwaways are made where the pool is too small", () => {
  const places = new Set();
  for (let tries = 0; tries < 100 && places.size < 3; tries++) {
    const { stanzas } = parseHeader(envelope.seal(signed, [reader.recipient], 3, pool.slice(0, 1)));
    places.add(stanzas.findIndex((stanza) => reader.unwrap([stanza])));
  }
  assert.deepEqual([...places].sort(), [0, 1, 2]);
});

test("the same reader twice takes one slot; nobody, or more than there is room for, is a mistake", () => {
  const body = envelope.seal(signed, [reader.recipient, reader.recipient], 2, pool);
  assert.equal(parseHeader(body).stanzas.filter((stanza) => reader.unwrap([stanza])).length, 1);
  assert.throws(() => envelope.seal(signed, [], 2, pool), RangeError);
  assert.throws(() => envelope.seal(signed, pool, 3), RangeError);
  assert.throws(() => envelope.size(1), RangeError);
});

test("no randomness comes from Math.random", (context) => {
  context.mock.method(Math, "random", () => assert.fail("Math.random was asked"));
  envelope.seal(signed, [reader.recipient], 2);
});

test("without the system's randomness nothing is sealed", (context) => {
  context.mock.method(crypto, "getRandomValues", () => {
    throw new Error("no randomness");
  });
  assert.throws(() => envelope.seal(signed, [reader.recipient], 2, pool), { message: "no randomness" });
});

test("nothing is signed that could not be read", () => {
  assert.throws(() => message.sign({ ...slip, channel: "No Name" }, reporter.signing), { kind: "malformed" });
  assert.throws(() => message.sign({ ...slip, without: ["ombuds"] }, reporter.signing), { kind: "malformed" });
});
