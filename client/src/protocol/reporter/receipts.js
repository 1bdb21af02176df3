/**
 * Receipts: a reviewer's statement that a report was received, which names no content (SPEC 4.12).
 *
 * It is signed in minisign's form, so that stock tools check it with a key from the manifest.
 */

import { hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { ProtocolError } from "../errors.js";
import { reference } from "../code/retrieval.js";

/** @import { PublicKey } from "../trust/minisign.js" */

const COMMENT = "whistle receipt"; // what minisign shows as trusted comment

/**
 * What is stated of a case, by its hash in hex.
 *
 * @param {string} name
 * @param {string} received
 */
export function text(name, received) {
  return `Whistle receipt\nreference: ${reference(hexToBytes(name))}\nreceived: ${received}\n`;
}

/**
 * The statement with the `.minisig` beside it, if one of these keys of the reply's author has signed it.
 *
 * @param {{ received: string, signature: string } | null | undefined} receipt
 * @param {string} name
 * @param {PublicKey[]} keys
 */
export function checked(receipt, name, keys) {
  if (!receipt) {
    return null;
  }
  const stated = text(name, receipt.received);
  const isBy = (/** @type {PublicKey} */ key) => {
    try {
      return key.verify(utf8ToBytes(stated), utf8ToBytes(receipt.signature)) === COMMENT;
    } catch (error) {
      if (error instanceof ProtocolError) {
        return false;
      }
      throw error;
    }
  };
  return keys.some(isBy) ? { text: stated, signature: receipt.signature } : null;
}
