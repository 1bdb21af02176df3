/** Bech32 (BIP173) without its limit on the length, as age writes keys.  Mixed case is refused. */

import { bech32 } from "@scure/base";

import { Malformed } from "../errors.js";

/**
 * `data` under the lower-case human-readable `prefix`, in lower case.
 *
 * @param {string} prefix
 * @param {Uint8Array} data
 */
export function encode(prefix, data) {
  return bech32.encode(prefix, bech32.toWords(data), false);
}

/**
 * The data of `text`, which must be what `encode` gives for this prefix, as a whole in the case that `form` makes.
 *
 * Raises Malformed.
 *
 * @param {string} text
 * @param {string} prefix in lower case
 * @param {(text: string) => string} form
 * @returns {Uint8Array}
 */
export function decode(text, prefix, form) {
  const data = readable(text);
  if (!data || form(encode(prefix, data)) !== text) {
    throw new Malformed("a key is mistyped, damaged or of another kind");
  }
  return data;
}

/** @param {string} text */
export const lower = (text) => text;

/** @param {string} text */
export const upper = (text) => text.toUpperCase();

/**
 * @param {string} text
 * @returns {Uint8Array | null}
 */
function readable(text) {
  try {
    return bech32.fromWords(bech32.decode(/** @type {`${string}1${string}`} */ (text), false).words);
  } catch {
    return null;
  }
}
