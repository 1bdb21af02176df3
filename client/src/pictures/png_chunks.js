/** Chunks of a PNG (W3C PNG, section 5): read with their check, and written with it. */

import { Unclean, ascii, number } from "./picture.js";

/** @import { Bytes } from "./picture.js" */

const AROUND = 12; // bytes of a chunk beside its data: length, type, check
const MOST = 4_194_304; // bytes of a chunk other than the data

/**
 * The name of a chunk, how long its content is, and where it ends.
 *
 * @param {Bytes} bytes
 * @param {number} at
 */
export async function head(bytes, at) {
  const found = (await bytes.get(at, 8)).slice();
  const length = new DataView(found.buffer).getUint32(0);
  const end = at + AROUND + length;
  if (length > 0x7fffffff || !(await bytes.from(end - 1)).length) {
    throw new Unclean("cut off");
  }
  return { name: String.fromCharCode(...found.subarray(4)), length, end };
}

/**
 * The content of a chunk whose check is right: browsers leave out others, or stop.
 *
 * @param {Bytes} bytes
 * @param {number} at
 * @param {number} length
 */
export async function content(bytes, at, length) {
  if (length > MOST) {
    throw new Unclean("too large");
  }
  const whole = (await bytes.get(at + 4, length + 8)).slice();
  if (new DataView(whole.buffer).getUint32(length + 4) !== checkOf(whole.subarray(0, length + 4))) {
    throw new Unclean("damaged");
  }
  return whole.subarray(4, length + 4);
}

/**
 * A chunk with its check.
 *
 * @param {string} name
 * @param {ArrayLike<number>} content
 */
export function chunk(name, content) {
  const whole = new Uint8Array(content.length + AROUND);
  whole.set(number(content.length));
  whole.set(ascii(name), 4);
  whole.set(content, 8);
  whole.set(number(checkOf(whole.subarray(4, content.length + 8))), content.length + 8);
  return whole;
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) {
    sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return sum;
});

/**
 * CRC-32 so far, and with these bytes (W3C PNG, annex D).
 *
 * @param {number} sum
 * @param {Uint8Array} bytes
 */
export function add(sum, bytes) {
  for (const byte of bytes) {
    sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 255];
  }
  return sum;
}

/** @param {Uint8Array} bytes */
function checkOf(bytes) {
  return ~add(-1, bytes) >>> 0;
}
