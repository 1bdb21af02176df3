/** Ed25519 signatures, verified strictly (SPEC 1.2): keys and nonces of small order are refused. */

import { ed25519 } from "@noble/curves/ed25519.js";

import { Forged, Malformed } from "./errors.js";

export const KEY = 32; // bytes
export const SIGNATURE = 64; // bytes

/**
 * The same 32 bytes if they are a canonical point of the main subgroup; Malformed otherwise.
 *
 * @param {Uint8Array} key
 */
export function checkKey(key) {
  if (key.length !== KEY || !isSound(key)) {
    throw new Malformed("not a valid Ed25519 key");
  }
  return key;
}

/**
 * The public half of a seed of 32 bytes.
 *
 * @param {Uint8Array} seed
 * @returns {Uint8Array}
 */
export function verifyKey(seed) {
  return ed25519.getPublicKey(seed);
}

/**
 * The signature of 64 bytes.
 *
 * @param {Uint8Array} seed
 * @param {Uint8Array} message
 * @returns {Uint8Array}
 */
export function sign(seed, message) {
  return ed25519.sign(message, seed);
}

/**
 * Raise Forged unless `signature` over `message` is by `key`.
 *
 * The library uses the cofactored equation.  Since key and nonce are checked to be in the main subgroup, the result is
 * the same as in implementations that do not.
 *
 * @param {Uint8Array} key
 * @param {Uint8Array} message
 * @param {Uint8Array} signature
 */
export function verify(key, message, signature) {
  checkKey(key);
  if (signature.length !== SIGNATURE) {
    throw new Malformed("a signature has 64 bytes");
  }
  const good = isSound(signature.subarray(0, KEY)) && ed25519.verify(signature, message, key, { zip215: false });
  if (!good) {
    throw new Forged("the signature is not by this key");
  }
}

/** @param {Uint8Array} encoded */
function isSound(encoded) {
  try {
    const point = ed25519.Point.fromBytes(encoded, false);
    return !point.isSmallOrder() && point.isTorsionFree();
  } catch {
    return false;
  }
}
