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
 * @param {Map<string, Uint8Array>} found
 * @param {Alters} alters
 */
export async function coloursOf(found, alters) {
  const parts = [];
  if (found.has("iCCP") && found.has("sRGB")) {
    alters("two colour spaces");
  }
  for (const name of COLOURS.filter((each) => found.has(each))) {
    const anew = await COLOURED[name](/** @type {Uint8Array} */ (found.get(name)));
    if (anew) {
      parts.push(chunk(name, anew));
    } else if (name !== "cHRM" || found.has("gAMA")) {
      alters("an unknown colour space"); // browsers differ on which chunk takes precedence
    }
  }
  return parts;
}

/** @type {Record<string, (told: Uint8Array) => ArrayLike<number> | null | Promise<ArrayLike<number> | null>>} */
const COLOURED = {
  cICP: (told) => CODES.find((code) => code.length === told.length && code.every((one, at) => told[at] === one)) ?? null,
  async iCCP(told) {
    const end = told.indexOf(0);
    const profile = end < 0 || told[end + 1] ? null : await unpacked(told.subarray(end + 2));
    const known = profile && standardProfile(profile);
    return known && [...ascii("rgb\0\0"), ...(await through(known, new CompressionStream("deflate")))];
  },
  sRGB: (told) => (told.length === 1 ? [0] : null),
  gAMA: (told) => numbersLike(told, GAMMA),
  cHRM: (told) => numbersLike(told, SRGB),
};

/**
 * The standard numbers if those of the chunk are close to them, otherwise null.
 *
 * @param {Uint8Array} told
 * @param {number[]} numbers
 */
function numbersLike(told, numbers) {
  const view = new DataView(told.buffer, told.byteOffset, told.length);
  const isLike = told.length === 4 * numbers.length && numbers.every((one, at) => Math.abs(view.getUint32(4 * at) - one) < NEAR);
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
