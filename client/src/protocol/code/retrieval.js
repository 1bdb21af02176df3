/**
 * Everything derived from a retrieval code: keys, tokens, ids, the name of the case (SPEC 2).
 *
 * The ids of a reporter's own envelopes are hashes of tokens: reading takes an id, withdrawing takes the token.
 * Reply places have ids and no tokens, so nobody but a courier can write there.
 */

import { blake2b } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { shake256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { HybridIdentity } from "../age/index.js";
import { hkdf } from "../hkdf.js";
import * as signing from "../signing.js";

export const CODE = 16; // bytes
const TOKEN = 16; // bytes
export const ID = 16; // bytes
export const ATTEMPT = 32; // bytes
export const ONCE = 8; // bytes
export const PLACES = 64; // reply places in a lane
const SALT = utf8ToBytes("whistle/v1");
const LABEL_MESSAGE = utf8ToBytes("whistle/v1 message");
const LABEL_SLIP = utf8ToBytes("whistle/v1 slip");
const LABEL_CASE = utf8ToBytes("whistle/v1 case");
const LABEL_LANES = utf8ToBytes("whistle/v1 replies");
const REFERENCE_BITS = 39n;
const REFERENCE_DIGITS = 12;

/**
 * The server's id, 16 bytes, of the report or follow-up with a token of 16 bytes.
 *
 * @param {Uint8Array} token
 * @returns {Uint8Array}
 */
export function messageId(token) {
  return blake2b(concatBytes(LABEL_MESSAGE, sized(token, TOKEN)), { dkLen: ID });
}

/**
 * The server's id, 16 bytes, of the slip of the report with a token of 16 bytes.
 *
 * @param {Uint8Array} token
 * @returns {Uint8Array}
 */
export function slipId(token) {
  return blake2b(concatBytes(LABEL_SLIP, sized(token, TOKEN)), { dkLen: ID });
}

/**
 * The name of a case, 32 bytes, from its verify key, mailbox recipient (raw) and replies key.
 *
 * @param {Uint8Array} verifyKey
 * @param {Uint8Array} mailbox
 * @param {Uint8Array} replies
 * @returns {Uint8Array}
 */
export function caseOf(verifyKey, mailbox, replies) {
  const parts = [LABEL_CASE, sized(verifyKey, 32), sized(mailbox, 1216), sized(replies, 32)];
  return blake2b(concatBytes(...parts), { dkLen: 32 });
}

/**
 * The case reference that people may quote: twelve digits in three groups.  It opens nothing.
 *
 * @param {Uint8Array} name of the case
 */
export function reference(name) {
  const value = new DataView(name.slice(0, 8).buffer).getBigUint64(0) >> (64n - REFERENCE_BITS);
  const digits = String(value).padStart(REFERENCE_DIGITS, "0");
  return [digits.slice(0, 4), digits.slice(4, 8), digits.slice(8)].join("-");
}

/**
 * The server's ids of the 64 reply places of a lane, 0 to 255.
 *
 * @param {Uint8Array} replies
 * @param {number} lane
 */
export function placeIds(replies, lane) {
  const stream = shake256(concatBytes(LABEL_LANES, replies, Uint8Array.of(lane)), { dkLen: PLACES * ID });
  return Array.from({ length: PLACES }, (_, place) => stream.slice(place * ID, (place + 1) * ID));
}

/** What only the holder of the words can compute; `derive` makes it. */
export class Reporter {
  /** @param {Uint8Array} code */
  constructor(code) {
    this.code = sized(code, CODE);
    /** The seed of the signing key. */
    this.signing = hkdf(code, SALT, "sign");
    this.mailbox = new HybridIdentity(hkdf(code, SALT, "mailbox"));
    this.replies = hkdf(code, SALT, "replies");
    this.verifyKey = signing.verifyKey(this.signing);
    /** The name of the case, 32 bytes. */
    this.case = caseOf(this.verifyKey, this.mailbox.recipient.raw, this.replies);
    this.sent = hkdf(code, SALT, "sent");
  }

  /** The token of the report. */
  get reportToken() {
    return this._sent(utf8ToBytes("report"));
  }

  /** The server's id of the report. */
  get reportId() {
    return messageId(this.reportToken);
  }

  /** The server's id of the report's slip. */
  get slipId() {
    return slipId(this.reportToken);
  }

  /**
   * The token of the follow-up that a form's attempt and digest stand for.
   *
   * @param {Uint8Array} attempt
   * @param {Uint8Array} digest
   */
  followUpToken(attempt, digest) {
    return this._sent(concatBytes(attempt, digest));
  }

  /**
   * What tells the follow-up with an attempt from another of the same words (SPEC 4.4).
   *
   * @param {Uint8Array} attempt
   */
  once(attempt) {
    return bytesToHex(this._sent(concatBytes(utf8ToBytes("once"), attempt)).slice(0, ONCE));
  }

  /**
   * All ids that a lookup asks for, sorted: the report's, the slip's and every reply place of 2 × slots lanes.
   *
   * @param {number} slots
   */
  lookupIds(slots) {
    const ids = [this.reportId, this.slipId];
    for (let lane = 0; lane < 2 * slots; lane++) {
      ids.push(...placeIds(this.replies, lane));
    }
    return ids.sort(byBytes);
  }

  /** @param {Uint8Array} what */
  _sent(what) {
    return hmac(sha256, this.sent, what).slice(0, TOKEN);
  }
}

/**
 * The reporter behind a code of 16 bytes.
 *
 * @param {Uint8Array} code
 */
export function derive(code) {
  return new Reporter(code);
}

/**
 * SHA-256 over a form in its order: each field, then each file (SPEC 2.4).
 *
 * `attempt` and `words` are not part of it.  RangeError for a field after the first file.
 */
export class FormDigest {
  constructor() {
    this._hash = sha256.create();
    this._files = false;
  }

  /**
   * Add a field with its value as it came.
   *
   * @param {string} name
   * @param {Uint8Array} value
   */
  field(name, value) {
    if (this._files) {
      throw new RangeError("a field after the first file");
    }
    if (name !== "attempt" && name !== "words") {
      this._add(name, value);
    }
  }

  /**
   * Add a file by its name and the SHA-256 of its content.
   *
   * @param {string} filename
   * @param {Uint8Array} hash
   */
  file(filename, hash) {
    this._files = true;
    this._add(filename, hash);
  }

  /** The 32 bytes. */
  digest() {
    return this._hash.clone().digest();
  }

  /**
   * @param {string} name
   * @param {Uint8Array} value
   */
  _add(name, value) {
    const encoded = utf8ToBytes(name);
    const lengths = new DataView(new ArrayBuffer(12));
    lengths.setUint32(0, encoded.length);
    lengths.setBigUint64(4, BigInt(value.length));
    this._hash.update(new Uint8Array(lengths.buffer, 0, 4)).update(encoded);
    this._hash.update(new Uint8Array(lengths.buffer, 4)).update(value);
  }
}

/**
 * Compare byte strings of the same length.
 *
 * @param {Uint8Array} one
 * @param {Uint8Array} other of the same length
 */
function byBytes(one, other) {
  const at = one.findIndex((byte, place) => byte !== other[place]);
  return at < 0 ? 0 : one[at] - other[at];
}

/**
 * @param {Uint8Array} data
 * @param {number} size
 */
function sized(data, size) {
  if (data.length !== size) {
    throw new RangeError(`${size} bytes`);
  }
  return data;
}
