/**
 * What a reporter submits to the server: sealed envelopes, the token to store them under, and their blocks (SPEC 9).
 *
 * Neither the server nor a courier can open any of it.
 */

import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";

import * as canonical from "../canonical.js";
import { stripBlank, stripInvisible } from "../invisible_text.js";

/** @import { Block } from "../case/attachment.js" */

/**
 * A report and its slip, or a follow-up alone, in that order; `blocks` are those of their `rest`.
 *
 * @typedef {{ token: Uint8Array, envelopes: Uint8Array[], blocks: Block[] }} Submission
 */

const LF = 10;

/**
 * The body of a request to store envelopes under a token; `blocks` are ids.
 *
 * @param {Uint8Array} token
 * @param {Uint8Array[]} envelopes
 * @param {Uint8Array[]} blocks
 */
export function encode(token, envelopes, blocks) {
  const head = canonical.dumps({ token: bytesToHex(token), blocks: blocks.map(bytesToHex) });
  return concatBytes(head, Uint8Array.of(LF), ...envelopes);
}

const LABEL = "WHISTLESEALEDREPORT"; // without spaces, since editors may turn them into line ends
const FRAGMENT = 1024; // characters of base64 from which a text counts as part of a sealed report
const SEPARATOR = /[>|\x00-\x20\x7f-\xa0\u3000]+/; // between words
const CODED = /^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9+/]{32,}={0,2}$/;
const DASH = "[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"; // hyphens, and what editors replace them with
const NAMED = new RegExp(`${LABEL}|(?:begin|end)${DASH}*${LABEL.toLowerCase()}`);
const WHOLE = new RegExp(`^${DASH}+BEGIN${LABEL}${DASH}+[A-Za-z0-9+/]*={0,2}${DASH}+END${LABEL}${DASH}+$`);

/**
 * Whether a text looks like a sealed report or a part of one, even after changes by editors and mailers (SPEC 9.6).
 *
 * It does if it contains the label, or much base64 outside armour with another label.
 *
 * @param {string} text
 */
export function isArmored(text) {
  const flat = flatten(text);
  return NAMED.test(flat) || NAMED.test(flat.toLowerCase()) || fragment(text) >= FRAGMENT;
}

/**
 * Whether a text is exactly one sealed report, so that it may be sent in the clear.
 *
 * @param {string} text
 */
export function isWhole(text) {
  return WHOLE.test(flatten(text));
}

/** @param {string} text */
function flatten(text) {
  return stripBlank(text).replace(/[>|]/g, "");
}

/**
 * The number of base64 characters in a text, outside armour with another label.
 *
 * @param {string} text
 */
function fragment(text) {
  let count = 0;
  let other = "";
  for (const line of stripInvisible(text).split(/[\r\n]/)) {
    const words = line.split(SEPARATOR).filter(Boolean);
    const label = words.join(" ");
    if (label.startsWith("-----BEGIN ") && !other) {
      other = label.replace("BEGIN", "END");
    } else if (label === other) {
      other = "";
    } else if (!other) {
      count += words.filter((word) => CODED.test(word)).reduce((sum, { length }) => sum + length, 0);
    }
  }
  return count;
}
