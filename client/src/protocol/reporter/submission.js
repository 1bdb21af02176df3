/**
 * What a reporter hands to the server: sealed envelopes, the tokens to keep them under, and their blocks (SPEC 9).
 *
 * Nothing in it can be opened by whoever carries or keeps it.
 */

import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";

import * as canonical from "../canonical.js";
import { solid, without } from "../invisible_text.js";

/** @import { Block } from "../case/attachment.js" */

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

const LABEL = "WHISTLESEALEDREPORT"; // without its spaces, which an editor may have made line ends
const FRAGMENT = 1024; // characters of base64 in a text that may be a part of a sealed report
const BETWEEN = /[>|\x00-\x20\x7f-\xa0\u3000]+/; // words
const CODED = /^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9+/]{32,}={0,2}$/;
const DASH = "[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"; // what editors make of a hyphen
const NAMED = new RegExp(`${LABEL}|(?:begin|end)${DASH}*${LABEL.toLowerCase()}`);
const WHOLE = new RegExp(`^${DASH}+BEGIN${LABEL}${DASH}+[A-Za-z0-9+/]*={0,2}${DASH}+END${LABEL}${DASH}+$`);

/**
 * Whether a text is meant to be a sealed report or a part of one, whatever editors and mailers made of it (SPEC 9.6).
 *
 * It names the label, or holds much base64 that stands under no other label.
 *
 * @param {string} text
 */
export function isArmored(text) {
  const flat = flatten(text);
  return NAMED.test(flat) || NAMED.test(flat.toLowerCase()) || fragment(text) >= FRAGMENT;
}

/**
 * Whether a text is a sealed report from its first line to its last and nothing else, so that it may be told to anybody.
 *
 * @param {string} text
 */
export function isWhole(text) {
  return WHOLE.test(flatten(text));
}

/** @param {string} text */
function flatten(text) {
  return solid(text).replace(/[>|]/g, "");
}

/**
 * How many characters of base64 a text holds that stand in armour of no other label.
 *
 * @param {string} text
 */
function fragment(text) {
  let count = 0;
  let other = "";
  for (const line of without(text).split(/[\r\n]/)) {
    const words = line.split(BETWEEN).filter(Boolean);
    const said = words.join(" ");
    if (said.startsWith("-----BEGIN ") && !other) {
      other = said.replace("BEGIN", "END");
    } else if (said === other) {
      other = "";
    } else if (!other) {
      count += words.filter((word) => CODED.test(word)).reduce((sum, { length }) => sum + length, 0);
    }
  }
  return count;
}
