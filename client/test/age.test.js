/** age: what this program seals and opens, against the npm package of age's author; and what is not released. */

import assert from "node:assert/strict";
import test from "node:test";

import { Decrypter, Encrypter } from "age-encryption";
import { concatBytes } from "@noble/hashes/utils.js";

import { HybridIdentity, Opener, Sealer, X25519Identity, decrypt, encrypt } from "../src/protocol/age/index.js";
import * as bech32 from "../src/protocol/age/bech32.js";
import { PayloadError } from "../src/protocol/age/errors.js";
import { CHUNK, SEALED_CHUNK } from "../src/protocol/age/stream.js";
import { NotForMe } from "../src/protocol/errors.js";

const KINDS = [
  { name: "post-quantum", identity: HybridIdentity.generate(), stranger: HybridIdentity.generate() },
  { name: "X25519", identity: X25519Identity.generate(), stranger: X25519Identity.generate() },
];
/** @param {number} size */
const some = (size) => Uint8Array.from({ length: size }, (_, place) => (place * place) >> 7);

const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7];

/** @param {HybridIdentity | X25519Identity} identity */
function recipientText(identity) {
  return identity instanceof HybridIdentity ? identity.recipient.text : bech32.encode("age", identity.raw);
}

for (const { name, identity, stranger } of KINDS) {
  for (const size of SIZES) {
    const content = some(size);

    test(`${name}: the other program opens ${size} bytes that this one sealed`, async () => {
      const other = new Decrypter();
      other.addIdentity(identity.text);
      const opened = await other.decrypt(encrypt([stranger.recipient, identity.recipient], content));
      assert.deepEqual(new Uint8Array(opened), content);
    });

    test(`${name}: this program opens ${size} bytes that the other sealed`, async () => {
      const other = new Encrypter();
      other.addRecipient(recipientText(stranger));
      other.addRecipient(recipientText(identity));
      assert.deepEqual(decrypt([identity], await other.encrypt(content)), content);
    });
  }

  test(`${name}: a stranger's identity opens nothing, and that is no damage`, () => {
    assert.throws(() => decrypt([stranger], encrypt([identity.recipient], some(9))), NotForMe);
  });
}

test("pieces of any size give the same file as the whole", () => {
  const [{ identity }] = KINDS;
  const content = some(3 * CHUNK + 5);
  for (const step of [1_000, CHUNK - 1, CHUNK, CHUNK + 1, 200_000]) {
    const sealer = new Sealer([identity.recipient]);
    const sealed = [sealer.header];
    for (let at = 0; at < content.length; at += step) {
      sealed.push(sealer.update(content.subarray(at, at + step)));
    }
    const file = concatBytes(...sealed, sealer.finish());
    const opener = new Opener([identity]);
    const opened = [];
    for (let at = 0; at < file.length; at += step) {
      opened.push(opener.update(file.subarray(at, at + step)));
    }
    assert.deepEqual(concatBytes(...opened, opener.finish()), content);
  }
});

test("what is cut off at any chunk, altered or longer is not released as a whole", () => {
  const [, { identity }] = KINDS;
  const sealer = new Sealer([identity.recipient]);
  const payload = concatBytes(sealer.update(some(3 * CHUNK)), sealer.finish());
  const cuts = [0, 15, 16, SEALED_CHUNK - 1, SEALED_CHUNK, 2 * SEALED_CHUNK, payload.length - 1];
  const wrong = cuts.map((cut) => payload.subarray(0, cut));
  const flipped = payload.slice();
  flipped[SEALED_CHUNK + 5] ^= 1;
  wrong.push(flipped, concatBytes(payload, Uint8Array.of(0)), payload.subarray(SEALED_CHUNK));
  for (const bytes of wrong) {
    assert.throws(() => decrypt([identity], concatBytes(sealer.header, bytes)), PayloadError);
  }
});

test("an opener that met an error meets it again", () => {
  const [, { identity }] = KINDS;
  const opener = new Opener([identity]);
  assert.throws(() => opener.update(new Uint8Array(10)), { message: "not an age file, or of another version" });
  assert.throws(() => opener.finish(), { message: "not an age file, or of another version" });
});
