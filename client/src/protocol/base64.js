/** Strict base64: only the canonical encoding of each value is accepted. */

import { base64, base64nopad } from "@scure/base";

/**
 * Standard padded base64.
 *
 * @param {Uint8Array} data
 */
export function encode(data) {
  return base64.encode(data);
}

/**
 * Standard base64 without padding, as age writes it.
 *
 * @param {Uint8Array} data
 */
export function encodeUnpadded(data) {
  return base64nopad.encode(data);
}

/**
 * The bytes of padded base64; null for any spelling but the canonical one.
 *
 * @param {string} text
 */
export function decode(text) {
  return strict(base64, text);
}

/**
 * The bytes of unpadded base64; null for any spelling but the canonical one.
 *
 * @param {string} text
 */
export function decodeUnpadded(text) {
  return strict(base64nopad, text);
}

/**
 * @param {{ encode: (data: Uint8Array) => string, decode: (text: string) => Uint8Array }} coder
 * @param {string} text
 * @returns {Uint8Array | null}
 */
function strict(coder, text) {
  try {
    const data = coder.decode(text);
    return coder.encode(data) === text ? data : null;
  } catch {
    return null;
  }
}
