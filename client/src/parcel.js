/**
 * What a reporter hands to the server: sealed envelopes, the tokens to keep them under, and their blocks (SPEC 9).
 *
 * Nothing in it can be opened by whoever carries or keeps it.
 */

import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";

import * as canonical from "./canonical.js";

/** @import { Block } from "./attachment.js" */

/**
 * A report and its slip, or a follow-up alone, in that order; `blocks` are those that were made with them.
 *
 * @typedef {{ tokens: Uint8Array[], envelopes: Uint8Array[], blocks: Block[] }} Parcel
 */

const LF = 10;

/**
 * The body of a request to store envelopes under their tokens; `blocks` are ids.
 *
 * @param {Uint8Array[]} tokens
 * @param {Uint8Array[]} envelopes
 * @param {Uint8Array[]} blocks
 */
export function request(tokens, envelopes, blocks) {
  const head = canonical.dumps({ tokens: tokens.map(bytesToHex), blocks: blocks.map(bytesToHex) });
  return concatBytes(head, Uint8Array.of(LF), ...envelopes);
}
