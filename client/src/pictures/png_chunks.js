/** Chunks of a PNG (W3C PNG, section 5), read and written with their CRC. */

import { ascii, number } from "./bytes.js";
import { Unclean } from "./errors.js";

/** @import { Bytes } from "./bytes.js" */

const OVERHEAD = 12; // bytes of a chunk besides its data: length, name, CRC
const MAX_SIZE = 4_194_304; // bytes of a chunk other than IDAT

/**
 * The name of a chunk, the length of its data, and where it ends.
 *
 * @param {Bytes} bytes
 * @param {number} at
 */
export async function chunkHead(bytes, at) {
  const head = (await bytes.get(at, 8)).slice();
  const length = new DataView(head.buffer).getUint32(0);
  const end = at + OVERHEAD + length;
  if (length > 0x7fffffff || !(await bytes.from(end - 1)).length) {
    throw new Unclean("cut off");
  }
  return { name: String.fromCharCode(...head.subarray(4)), length, end };
}

/**
 * The data of a chunk.  Unclean if its CRC is wrong: browsers skip such chunks, or stop.
 *
 * @param {Bytes} bytes
 * @param {number} at
 * @param {number} length
 */
export async function chunkData(bytes, at, length) {
  if (length > MAX_SIZE) {
    throw new Unclean("too large");
  }
  const whole = (await bytes.get(at + 4, length + 8)).slice();
  if (new DataView(whole.buffer).getUint32(length + 4) !== crcOf(whole.subarray(0, length + 4))) {
    throw new Unclean("damaged");
  }
  return whole.subarray(4, length + 4);
}

/**
 * A chunk with its length and CRC.
 *
 * @param {string} name
 * @param {ArrayLike<number>} content
 */
export function chunk(name, content) {
  const whole = new Uint8Array(content.length + OVERHEAD);
  whole.set(number(content.length));
  whole.set(ascii(name), 4);
  whole.set(content, 8);
  whole.set(number(crcOf(whole.subarray(4, content.length + 8))), content.length + 8);
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
 * Update a CRC-32 with more bytes (W3C PNG, annex D).
 *
 * @param {number} sum
 * @param {Uint8Array} bytes
 */
export function updateCrc(sum, bytes) {
  for (const byte of bytes) {
    sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 255];
  }
  return sum;
}

/** @param {Uint8Array} bytes */
function crcOf(bytes) {
  return ~updateCrc(-1, bytes) >>> 0;
}
