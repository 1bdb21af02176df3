/** HKDF with SHA-256 (RFC 5869), for keys of 32 bytes. */

import { hkdf as noble } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";

const LENGTH = 32; // bytes

/**
 * Extract with `salt`, expand with the label `info`: 32 bytes.
 *
 * @param {Uint8Array} secret
 * @param {Uint8Array} salt
 * @param {string} info
 * @returns {Uint8Array}
 */
export function hkdf(secret, salt, info) {
  return noble(sha256, secret, salt, utf8ToBytes(info), LENGTH);
}
