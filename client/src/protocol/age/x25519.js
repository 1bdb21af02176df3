/** The recipient type X25519.  Not post-quantum: used for attachments only, whose stanza is inside a sealed message. */

import { concatBytes, randomBytes } from "@noble/hashes/utils.js";

import { encodeUnpadded } from "../base64.js";
import { Malformed } from "../errors.js";
import { hkdf } from "../hkdf.js";
import * as bech32 from "./bech32.js";
import { HeaderError, LowOrderError } from "./errors.js";
import {
  POINT,
  WRAPPED_KEY,
  ZERO_NONCE,
  decodeArgument,
  exchange,
  isLowOrder,
  open,
  pointOf,
  seal,
} from "./primitives.js";

/** @import { Stanza } from "./format.js" */

const KIND = "X25519";
const IDENTITY_PREFIX = "age-secret-key-";
const WRAP_INFO = "age-encryption.org/v1/X25519";

/**
 * A fresh stanza that holds `fileKey` (16 bytes) for the public key `raw` (32 bytes).
 *
 * @param {Uint8Array} raw
 * @param {Uint8Array} fileKey
 * @returns {Stanza}
 */
function wrap(raw, fileKey) {
  const ephemeral = randomBytes(POINT);
  const share = pointOf(ephemeral);
  const shared = exchange(ephemeral, raw);
  if (!shared) {
    throw new Malformed("nothing can be sealed to this recipient");
  }
  const body = seal(hkdf(shared, concatBytes(share, raw), WRAP_INFO), ZERO_NONCE, fileKey);
  return { args: [KIND, encodeUnpadded(share)], body };
}

/** A secret key of 32 bytes, and the recipient that belongs to it. */
export class X25519Identity {
  /** @param {Uint8Array} secret */
  constructor(secret) {
    if (secret.length !== POINT) {
      throw new Malformed("an X25519 identity has 32 bytes");
    }
    this.secret = secret;
    /** @type {Uint8Array | null} */
    this._raw = null;
  }

  /** A new one, from the operating system's randomness. */
  static generate() {
    return new X25519Identity(randomBytes(POINT));
  }

  /**
   * From `AGE-SECRET-KEY-1…`, in upper case; raises Malformed.
   *
   * @param {string} text
   */
  static fromText(text) {
    return new X25519Identity(bech32.decode(text, IDENTITY_PREFIX, bech32.upper));
  }

  /** The public key, 32 bytes. */
  get raw() {
    this._raw ??= pointOf(this.secret);
    return this._raw;
  }

  /** As `AGE-SECRET-KEY-1…`. */
  get text() {
    return bech32.encode(IDENTITY_PREFIX, this.secret).toUpperCase();
  }

  /** The public half. */
  get recipient() {
    const raw = this.raw;
    return { wrap: (/** @type {Uint8Array} */ fileKey) => wrap(raw, fileKey) };
  }

  /**
   * The file key from the first stanza that is ours, or null; HeaderError if one has the wrong form.
   *
   * LowOrderError if none is ours and a share has small order.
   *
   * @param {Stanza[]} stanzas
   * @returns {Uint8Array | null}
   */
  unwrap(stanzas) {
    const mine = stanzas.filter((stanza) => stanza.args[0] === KIND).map(parsed);
    for (const { share, body } of mine) {
      const shared = exchange(this.secret, share);
      const fileKey = shared && open(hkdf(shared, concatBytes(share, this.raw), WRAP_INFO), ZERO_NONCE, body);
      if (fileKey) {
        return fileKey;
      }
    }
    if (mine.some(({ share }) => isLowOrder(share))) {
      throw new LowOrderError("a stanza holds a share of small order");
    }
    return null;
  }
}

/**
 * Refuses, as Malformed, what is not 32 bytes or gives every sender the same shared secret, zero.
 *
 * @param {Uint8Array} raw
 */
export function checkPoint(raw) {
  if (raw.length !== POINT || isLowOrder(raw)) {
    throw new Malformed("not an X25519 public key to which anything can be sealed");
  }
}

/**
 * The ephemeral share; lengths are checked before anything is opened (partitioning oracles).
 *
 * @param {Stanza} stanza
 */
function parsed({ args, body }) {
  if (args.length !== 2 || body.length !== WRAPPED_KEY) {
    throw new HeaderError("an X25519 stanza has the wrong form");
  }
  return { share: decodeArgument(args[1], POINT), body };
}
