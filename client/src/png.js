/**
 * A PNG as the chunks that show it (W3C PNG, sections 5 and 11) and how it is turned.
 *
 * Left out are texts, times, Exif, colour profiles, whatever is unknown, and all that follows the picture's end.
 */

import { Unclean, orientation, turn } from "./picture.js";

/** @import { Bytes, Kept } from "./picture.js" */

export const START = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const AROUND = 12; // bytes of a chunk beside its data: length, type, check
const CRITICAL = ["IHDR", "PLTE", "IDAT", "IEND"];
/** What else changes how it is shown, and its most bytes: none has room for more than numbers. */
const SHOWN = new Map([
  ["tRNS", 256],
  ["gAMA", 4],
  ["sRGB", 1],
]);
const ANIMATION = "acTL";
const EXIF = "eXIf";
const MOST_EXIF = 65_536; // bytes
const SMALL = 0x20; // the bit of a chunk's first letter that says that one can do without it

/**
 * Keep what shows the picture; Unclean where it is damaged or moves.
 *
 * @param {Bytes} bytes
 * @param {Kept} kept
 */
export async function read(bytes, kept) {
  kept.range(0, START.length);
  const seen = new Set();
  for (let at = START.length; !seen.has("IEND"); ) {
    const { name, length, end } = await chunk(bytes, at);
    if (!seen.size !== (name === "IHDR")) {
      throw new Unclean("no header");
    }
    if (CRITICAL.includes(name) || length <= (SHOWN.get(name) ?? -1)) {
      kept.range(at, end);
    } else if (name === EXIF && length <= MOST_EXIF && !seen.has(EXIF)) {
      keepTurn(kept, orientation(await bytes.get(at + 8, length)));
    } else if (name === ANIMATION || !(name.charCodeAt(0) & SMALL)) {
      throw new Unclean("an animation, or an unknown part");
    }
    seen.add(name);
    at = end;
  }
  if (!seen.has("IDAT")) {
    throw new Unclean("no picture");
  }
}

/**
 * The chunk at a place.
 *
 * @param {Bytes} bytes
 * @param {number} at
 */
async function chunk(bytes, at) {
  const head = (await bytes.get(at, 8)).slice();
  const length = new DataView(head.buffer).getUint32(0);
  const name = String.fromCharCode(...head.subarray(4));
  const end = at + AROUND + length;
  const isFixed = { IHDR: 13, IEND: 0 }[name] ?? length;
  if (length > 0x7fffffff || length !== isFixed || !(await bytes.from(end - 1)).length) {
    throw new Unclean("cut off");
  }
  return { name, length, end };
}

/**
 * @param {Kept} kept
 * @param {number} turned
 */
function keepTurn(kept, turned) {
  if (turned > 1) {
    const content = turn(turned);
    const typed = [...Array.from(EXIF, (letter) => letter.charCodeAt(0)), ...content];
    kept.bytes([...number(content.length), ...typed, ...number(check(typed))]);
  }
}

/** @param {number} value of four bytes */
function number(value) {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

/**
 * CRC-32 of a chunk's type and data (W3C PNG, annex D).
 *
 * @param {number[]} bytes
 */
function check(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    }
  }
  return ~sum >>> 0;
}
