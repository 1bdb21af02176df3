/**
 * JSON with exactly one form for each value, so that a signature over bytes is a signature over meaning.
 *
 * Sorted ASCII keys, no spaces, raw UTF-8, integers below 2**53, no floats, depth at most 8 (SPEC 4.1).  Input that
 * does not encode back to the same bytes is refused.
 */

import { Malformed } from "./errors.js";

const MAX_DEPTH = 8;
export const MAX_INTEGER = Number.MAX_SAFE_INTEGER; // 2**53 - 1
const ASCII = /^[\0-\x7f]*$/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The canonical bytes of a value made of objects, arrays, strings, integers, booleans and null.
 *
 * @param {unknown} value
 */
export function dumps(value) {
  return new TextEncoder().encode(write(value, MAX_DEPTH));
}

/**
 * The value of canonical bytes; anything else raises Malformed.
 *
 * @param {Uint8Array} data
 * @returns {any}
 */
export function loads(data) {
  const text = decode(data);
  const value = parse(text);
  if (write(value, MAX_DEPTH) !== text) {
    throw new Malformed("not canonical JSON");
  }
  return value;
}

/** @param {Uint8Array} data */
function decode(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Malformed("not UTF-8");
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Malformed("not JSON");
  }
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @returns {string}
 */
function write(value, depth) {
  if (value === null || typeof value === "boolean") {
    return String(value);
  }
  if (typeof value === "string") {
    return writeText(value);
  }
  if (typeof value === "number") {
    return writeInteger(value);
  }
  if (typeof value !== "object") {
    throw new Malformed("a value has no canonical JSON");
  }
  if (!depth) {
    throw new Malformed("nested too deeply");
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => write(item, depth - 1)).join(",")}]`;
  }
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, item]) => `${writeKey(key)}:${write(item, depth - 1)}`).join(",")}}`;
}

/** @param {string} value */
function writeText(value) {
  if (LONE_SURROGATE.test(value)) {
    throw new Malformed("a text holds a lone surrogate");
  }
  return JSON.stringify(value);
}

/** @param {string} key */
function writeKey(key) {
  if (!ASCII.test(key)) {
    throw new Malformed("a key is not ASCII text");
  }
  return JSON.stringify(key);
}

/** @param {number} value */
function writeInteger(value) {
  if (!Number.isSafeInteger(value)) {
    throw new Malformed("a number is not an integer, or out of range");
  }
  return String(value);
}
