/** C2SP's vectors for age, each answered as it expects; passphrases and armour are of no use in a page. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { inflateSync } from "node:zlib";

import * as cctv from "cctv-age";

import { HybridIdentity, LowOrderError, MacError, Opener, PayloadError, X25519Identity } from "../src/protocol/age/index.js";
import { HeaderError } from "../src/protocol/age/errors.js";
import { NotForMe } from "../src/protocol/errors.js";

const PIECE = 5000; // bytes fed at a time
const EMPTY = createHash("sha256").digest("hex");

/** @type {[new (message: string) => Error, string][]} */
const ANSWERS = [
  [LowOrderError, "header failure"],
  [HeaderError, "header failure"],
  [MacError, "HMAC failure"],
  [PayloadError, "payload failure"],
  [NotForMe, "no match"],
];

/** @param {Uint8Array} data */
function read(data) {
  const end = Buffer.from(data).indexOf("\n\n");
  const lines = Buffer.from(data.subarray(0, end)).toString().split("\n");
  const fields = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
  const all = (/** @type {string} */ name) => fields.flatMap(([key, value]) => (key === name ? [value] : []));
  const file = data.subarray(end + 2);
  return {
    expect: all("expect")[0],
    payload: all("payload")[0] ?? EMPTY,
    identities: all("identity"),
    elsewhere: all("passphrase").length + all("armored").length > 0,
    file: all("compressed").length ? new Uint8Array(inflateSync(file)) : file,
  };
}

/** @param {string} text */
function identityOf(text) {
  return text.startsWith("AGE-SECRET-KEY-PQ-") ? HybridIdentity.fromText(text) : X25519Identity.fromText(text);
}

/** @param {ReturnType<typeof read>} vector */
function opened({ identities, file }) {
  const opener = new Opener(identities.map(identityOf));
  const released = createHash("sha256");
  try {
    for (let at = 0; at < file.length; at += PIECE) {
      released.update(opener.update(file.subarray(at, at + PIECE)));
    }
    released.update(opener.finish());
    return { expect: "success", payload: released.digest("hex") };
  } catch (error) {
    const answer = ANSWERS.find(([kind]) => error instanceof kind);
    assert.ok(answer, String(error));
    return { expect: answer[1], payload: released.digest("hex") };
  }
}

const vectors = Object.entries(/** @type {Record<string, Uint8Array>} */ (cctv)).map(([name, data]) => ({
  name,
  ...read(data),
}));

for (const vector of vectors.filter(({ elsewhere }) => !elsewhere)) {
  test(vector.name, () => {
    assert.deepEqual(opened(vector), { expect: vector.expect, payload: vector.payload });
  });
}

test("there are vectors of every outcome", () => {
  const outcomes = new Set(vectors.filter(({ elsewhere }) => !elsewhere).map(({ expect }) => expect));
  assert.deepEqual([...outcomes].sort(), ["HMAC failure", "header failure", "no match", "payload failure", "success"]);
});
