/** The post-quantum recipient type `mlkem768x25519`: HPKE (RFC 9180) over the KEM MLKEM768-X25519. */

import { expand, extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { sha3_256, shake256 } from "@noble/hashes/sha3.js";
import { concatBytes, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";

import { encodeUnpadded } from "../base64.js";
import { Malformed } from "../errors.js";
import * as bech32 from "./bech32.js";
import { HeaderError, LowOrderError } from "./errors.js";
import {
  FILE_KEY,
  POINT,
  WRAPPED_KEY,
  decodeArgument,
  exchange,
  isLowOrder,
  open,
  pointOf,
  seal,
} from "./primitives.js";
import { checkPoint } from "./x25519.js";

/** @import { Stanza } from "./format.js" */

export const KIND = "mlkem768x25519";
const RECIPIENT_PREFIX = "age1pq";
const IDENTITY_PREFIX = "age-secret-key-pq-";
const INFO = utf8ToBytes("age-encryption.org/mlkem768x25519");
const SEED = 32; // bytes
const MLKEM_SEED = 64;
export const MLKEM_PUBLIC = 1184;
const MLKEM_CIPHERTEXT = 1088;
const MLKEM_ENCODED = 1152; // bytes of a public key that hold numbers of 12 bits
const MLKEM_Q = 3329;
const PUBLIC = MLKEM_PUBLIC + POINT; // 1,216
export const ENCAPSULATED = MLKEM_CIPHERTEXT + POINT; // 1,120
const KEM_LABEL = utf8ToBytes("\\.//^\\"); // of MLKEM768-X25519, draft-ietf-hpke-pq
const SUITE = concatBytes(utf8ToBytes("HPKE"), Uint8Array.of(0x64, 0x7a, 0, 1, 0, 3)); // HKDF-SHA256, ChaCha20
const HPKE = utf8ToBytes("HPKE-v1");
const NOTHING = new Uint8Array(0);

/** A public key of 1,216 bytes, ML-KEM-768's and then X25519's; one that no identity can have is Malformed. */
export class HybridRecipient {
  /** @param {Uint8Array} raw */
  constructor(raw) {
    if (raw.length !== PUBLIC) {
      throw new Malformed("a post-quantum recipient has 1,216 bytes");
    }
    checkPoint(raw.subarray(MLKEM_PUBLIC));
    checkModulus(raw);
    this.raw = raw;
  }

  /**
   * From `age1pq1…`, in lower case; raises Malformed.
   *
   * @param {string} text
   */
  static fromText(text) {
    return new HybridRecipient(bech32.decode(text, RECIPIENT_PREFIX, bech32.lower));
  }

  /** As `age1pq1…`, 1,959 characters. */
  get text() {
    return bech32.encode(RECIPIENT_PREFIX, this.raw);
  }

  /**
   * A fresh stanza that holds `fileKey` (16 bytes) for this recipient.
   *
   * @param {Uint8Array} fileKey
   * @returns {Stanza}
   */
  wrap(fileKey) {
    const point = this.raw.subarray(MLKEM_PUBLIC);
    const first = ml_kem768.encapsulate(this.raw.subarray(0, MLKEM_PUBLIC), randomBytes(32));
    const ephemeral = randomBytes(POINT);
    const share = pointOf(ephemeral);
    const second = exchange(ephemeral, point);
    if (!second) {
      throw new Malformed("nothing can be sealed to this recipient");
    }
    const { key, nonce } = schedule(combine(first.sharedSecret, second, share, point));
    const encapsulated = concatBytes(first.cipherText, share);
    return { args: [KIND, encodeUnpadded(encapsulated)], body: seal(key, nonce, fileKey) };
  }
}

/** A secret seed of 32 bytes, from which both keys come by SHAKE256. */
export class HybridIdentity {
  /** @param {Uint8Array} seed */
  constructor(seed) {
    if (seed.length !== SEED) {
      throw new Malformed("a post-quantum identity has 32 bytes");
    }
    const expanded = shake256(seed, { dkLen: MLKEM_SEED + POINT });
    const { publicKey, secretKey } = ml_kem768.keygen(expanded.subarray(0, MLKEM_SEED));
    this.seed = seed;
    this._mlkem = secretKey;
    this._scalar = expanded.slice(MLKEM_SEED);
    this._point = pointOf(this._scalar);
    /** The public half. */
    this.recipient = new HybridRecipient(concatBytes(publicKey, this._point));
  }

  /** A new one, from the operating system's randomness. */
  static generate() {
    return new HybridIdentity(randomBytes(SEED));
  }

  /**
   * From `AGE-SECRET-KEY-PQ-1…`, in upper case; raises Malformed.
   *
   * @param {string} text
   */
  static fromText(text) {
    return new HybridIdentity(bech32.decode(text, IDENTITY_PREFIX, bech32.upper));
  }

  /** As `AGE-SECRET-KEY-PQ-1…`. */
  get text() {
    return bech32.encode(IDENTITY_PREFIX, this.seed).toUpperCase();
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
    for (const { encapsulated, body } of mine) {
      const fileKey = this._open(encapsulated, body);
      if (fileKey?.length === FILE_KEY) {
        return fileKey;
      }
    }
    if (mine.some(({ encapsulated }) => isLowOrder(encapsulated.subarray(MLKEM_CIPHERTEXT)))) {
      throw new LowOrderError("a stanza holds a share of small order");
    }
    return null;
  }

  /**
   * @param {Uint8Array} encapsulated
   * @param {Uint8Array} body
   */
  _open(encapsulated, body) {
    const share = encapsulated.subarray(MLKEM_CIPHERTEXT);
    const second = exchange(this._scalar, share);
    if (!second) {
      return null;
    }
    const first = ml_kem768.decapsulate(encapsulated.subarray(0, MLKEM_CIPHERTEXT), this._mlkem);
    const { key, nonce } = schedule(combine(first, second, share, this._point));
    return open(key, nonce, body);
  }
}

/**
 * The encapsulated key; lengths are checked before anything is opened (partitioning oracles).
 *
 * @param {Stanza} stanza
 */
function parsed({ args, body }) {
  if (args.length !== 2 || body.length !== WRAPPED_KEY) {
    throw new HeaderError("a post-quantum stanza has the wrong form");
  }
  return { encapsulated: decodeArgument(args[1], ENCAPSULATED), body };
}

/**
 * FIPS 203, 7.2: every number of the public key is below the modulus.
 *
 * @param {Uint8Array} raw
 */
function checkModulus(raw) {
  for (let at = 0; at < MLKEM_ENCODED; at += 3) {
    const low = raw[at] | ((raw[at + 1] & 15) << 8);
    const high = (raw[at + 1] >> 4) | (raw[at + 2] << 4);
    if (low >= MLKEM_Q || high >= MLKEM_Q) {
      throw new Malformed("not a public key of ML-KEM-768");
    }
  }
}

/**
 * The KEM's shared secret from those of its two halves.
 *
 * @param {Uint8Array} first
 * @param {Uint8Array} second
 * @param {Uint8Array} share
 * @param {Uint8Array} point
 */
function combine(first, second, share, point) {
  return sha3_256(concatBytes(first, second, share, point, KEM_LABEL));
}

/**
 * HPKE's key schedule in its base mode, RFC 9180, 5.1.
 *
 * @param {Uint8Array} shared
 */
function schedule(shared) {
  const context = concatBytes(
    Uint8Array.of(0),
    labeledExtract(NOTHING, "psk_id_hash", NOTHING),
    labeledExtract(NOTHING, "info_hash", INFO),
  );
  const secret = labeledExtract(shared, "secret", NOTHING);
  return { key: labeledExpand(secret, "key", context, 32), nonce: labeledExpand(secret, "base_nonce", context, 12) };
}

/**
 * @param {Uint8Array} salt
 * @param {string} label
 * @param {Uint8Array} material
 */
function labeledExtract(salt, label, material) {
  return extract(sha256, concatBytes(HPKE, SUITE, utf8ToBytes(label), material), salt);
}

/**
 * @param {Uint8Array} secret
 * @param {string} label
 * @param {Uint8Array} info
 * @param {number} length bytes, below 256
 */
function labeledExpand(secret, label, info, length) {
  return expand(sha256, secret, concatBytes(Uint8Array.of(0, length), HPKE, SUITE, utf8ToBytes(label), info), length);
}
