/** Colour space chunks of a PNG (W3C PNG, section 11.3.2), replaced by standard values. */

import { ascii, number, streamed } from "./bytes.js";
import { standardProfile } from "./colour_profiles.js";
import { Unclean } from "./errors.js";
import { chunk } from "./png_chunks.js";

/** @import { Alters } from "./errors.js" */

export const COLOURS = ["cICP", "iCCP", "sRGB", "gAMA", "cHRM"];
/** The contents of cICP for the spaces that we know: sRGB, P3. */
const CODES = [
  [1, 13, 0, 1],
  [12, 13, 0, 1],
];
const GAMMA = [45_455];
const SRGB = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];
const NEAR = 60; // of 100,000
const MAX_PROFILE = 4_194_304; // bytes

/**
 * The colour space in chunks of our own.
 *
 * @param {Map<string, Uint8Array>} chunks
 * @param {Alters} alters
 */
export async function coloursOf(chunks, alters) {
  const parts = [];
  if (chunks.has("iCCP") && chunks.has("sRGB")) {
    alters("two colour spaces");
  }
  for (const name of COLOURS.filter((each) => chunks.has(each))) {
    const anew = await COLOURED[name](/** @type {Uint8Array} */ (chunks.get(name)));
    if (anew) {
      parts.push(chunk(name, anew));
    } else if (name !== "cHRM" || chunks.has("gAMA")) {
      alters("an unknown colour space"); // browsers differ on which chunk takes precedence
    }
  }
  return parts;
}

/** @type {Record<string, (data: Uint8Array) => ArrayLike<number> | null | Promise<ArrayLike<number> | null>>} */
const COLOURED = {
  cICP: (data) => CODES.find((code) => code.length === data.length && code.every((one, at) => data[at] === one)) ?? null,
  async iCCP(data) {
    const end = data.indexOf(0);
    const profile = end < 0 || data[end + 1] ? null : await unpacked(data.subarray(end + 2));
    const standard = profile && standardProfile(profile);
    return standard && [...ascii("rgb\0\0"), ...(await through(standard, new CompressionStream("deflate")))];
  },
  sRGB: (data) => (data.length === 1 ? [0] : null),
  gAMA: (data) => numbersLike(data, GAMMA),
  cHRM: (data) => numbersLike(data, SRGB),
};

/**
 * The standard numbers if those of the chunk are close to them, otherwise null.
 *
 * @param {Uint8Array} data
 * @param {number[]} numbers
 */
function numbersLike(data, numbers) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const isLike = data.length === 4 * numbers.length && numbers.every((one, at) => Math.abs(view.getUint32(4 * at) - one) < NEAR);
  return isLike ? numbers.flatMap((one) => number(one)) : null;
}

/**
 * A profile, decompressed; null if it is damaged.  Unclean if it has more than MAX_PROFILE bytes.
 *
 * @param {Uint8Array} packed
 */
async function unpacked(packed) {
  try {
    return await through(packed, new DecompressionStream("deflate"));
  } catch {
    return null;
  }
}

/**
 * @param {ArrayLike<number>} bytes
 * @param {GenericTransformStream} change
 */
async function through(bytes, change) {
  const parts = [];
  let size = 0;
  for await (const piece of streamed(new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(change))) {
    size += piece.length;
    if (size > MAX_PROFILE) {
      throw new Unclean("too large");
    }
    parts.push(/** @type {Uint8Array<ArrayBuffer>} */ (piece));
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
