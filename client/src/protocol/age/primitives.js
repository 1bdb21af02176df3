/** The primitives of age v1: ChaCha20-Poly1305, X25519 and unpadded base64. */

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { bytesToHex } from "@noble/hashes/utils.js";

import { decodeUnpadded } from "../base64.js";
import { HeaderError } from "./errors.js";

export const FILE_KEY = 16; // bytes
export const TAG = 16; // bytes that ChaCha20-Poly1305 adds
export const WRAPPED_KEY = FILE_KEY + TAG;
export const POINT = 32; // bytes of an X25519 scalar, point or shared secret

/** The u coordinates of small order, RFC 7748 section 6.1; FIELD and FIELD + 1 are other encodings of the first two. */
const FIELD = 2n ** 255n - 19n;
const LOW_ORDER = new Set([
  ...[0n, 1n, FIELD - 1n, FIELD, FIELD + 1n],
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);

/** Safe because every wrap key is used only once. */
export const ZERO_NONCE = new Uint8Array(12);

/**
 * ChaCha20-Poly1305 (RFC 8439) without additional data: `plaintext` and 16 bytes more.
 *
 * @param {Uint8Array} key
 * @param {Uint8Array} nonce
 * @param {Uint8Array} plaintext
 * @returns {Uint8Array}
 */
export function seal(key, nonce, plaintext) {
  return chacha20poly1305(key, nonce).encrypt(plaintext);
}

/**
 * The plaintext, or null when `ciphertext` was not sealed so.
 *
 * @param {Uint8Array} key
 * @param {Uint8Array} nonce
 * @param {Uint8Array} ciphertext
 * @returns {Uint8Array | null}
 */
export function open(key, nonce, ciphertext) {
  try {
    return chacha20poly1305(key, nonce).decrypt(ciphertext);
  } catch {
    return null;
  }
}

/**
 * X25519 (RFC 7748) of two times 32 bytes; null where the shared secret would be all zeros.
 *
 * @param {Uint8Array} scalar
 * @param {Uint8Array} point
 * @returns {Uint8Array | null}
 */
export function exchange(scalar, point) {
  if (scalar.length !== POINT || point.length !== POINT) {
    throw new RangeError("X25519 takes 32 bytes and 32 bytes");
  }
  try {
    return x25519.scalarMult(scalar, point);
  } catch {
    return null;
  }
}

/**
 * Whether an X25519 share of 32 bytes gives every scalar the same shared secret, zero.
 *
 * @param {Uint8Array} point
 */
export function isLowOrder(point) {
  return LOW_ORDER.has(BigInt(`0x${bytesToHex(point.slice().reverse())}`) & (2n ** 255n - 1n));
}

/**
 * The public point of a scalar of 32 bytes.
 *
 * @param {Uint8Array} scalar
 * @returns {Uint8Array}
 */
export function pointOf(scalar) {
  return x25519.getPublicKey(scalar);
}

/**
 * Decode canonical unpadded base64; HeaderError for any other encoding.
 *
 * @param {string} text
 */
export function decodeBase64(text) {
  const data = decodeUnpadded(text);
  if (!data) {
    throw new HeaderError("the header holds something that is not canonical base64");
  }
  return data;
}

/**
 * The `size` bytes that a stanza's argument stands for; HeaderError when they are more or fewer.
 *
 * @param {string} text
 * @param {number} size
 */
export function decodeArgument(text, size) {
  const data = decodeBase64(text);
  if (data.length !== size) {
    throw new HeaderError("a stanza's argument has the wrong length");
  }
  return data;
}
