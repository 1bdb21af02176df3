/**
 * A JPEG as its tables, frame and scans (ITU-T T.81, Annex B), with JFIF's and Adobe's few bytes and how it is turned.
 *
 * Left out are Exif, XMP, IPTC, colour profiles, previews, comments, and all that follows the picture's end.
 */

import { Unclean, orientation, turn } from "./picture.js";

/** @import { Bytes, Kept } from "./picture.js" */

export const START = [0xff, 0xd8, 0xff];
const END = 0xd9;
const SCAN = 0xda;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP14 = 0xee;
const APP15 = 0xef;
const COMMENT = 0xfe;
// tables, frames that stand alone, restart intervals, scans; no hierarchical frames
const SHOWN = [0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc9, 0xca, 0xcb, 0xcc, 0xdb, 0xdc, 0xdd, SCAN];
const JFIF = text("JFIF\0");
const ADOBE = text("Adobe");
const EXIF = text("Exif\0\0");
const JFIF_SIZE = 12; // bytes of it without the counts of a preview
const ADOBE_SIZE = 12; // bytes

/**
 * Keep what shows the picture; Unclean where it is damaged.
 *
 * @param {Bytes} bytes
 * @param {Kept} kept
 */
export async function read(bytes, kept) {
  kept.range(0, 2);
  let isShown = false;
  let isExifSeen = false;
  for (let at = 2; ; ) {
    const { marker, start, end } = await segment(bytes, at);
    if (marker === END) {
      if (!isShown) {
        throw new Unclean("no picture");
      }
      kept.bytes([0xff, END]);
      return;
    }
    at = marker === SCAN ? await scanEnd(bytes, end) : end;
    if (SHOWN.includes(marker)) {
      kept.range(start - 4, at);
      isShown ||= marker === SCAN;
    } else if (marker === APP1 && !isExifSeen) {
      isExifSeen = await keepTurn(bytes, kept, start, end);
    } else if (marker === APP0 || marker === APP14) {
      await keepForm(bytes, kept, marker, start, end);
    } else if (!(marker > APP0 && marker <= APP15) && marker !== COMMENT) {
      throw new Unclean("an unknown part");
    }
  }
}

/**
 * The next marker, and where what belongs to it starts and ends.
 *
 * @param {Bytes} bytes
 * @param {number} at
 */
async function segment(bytes, at) {
  let [fill, marker] = await bytes.get(at, 2);
  while (fill === 0xff && marker === 0xff) {
    [fill, marker] = await bytes.get(++at, 2);
  }
  if (fill !== 0xff) {
    throw new Unclean("no marker");
  }
  const start = at + 4;
  if (marker === END) {
    return { marker, start, end: start };
  }
  const [high, low] = await bytes.get(at + 2, 2);
  const end = at + 2 + high * 256 + low;
  if (end < start || (end > start && !(await bytes.from(end - 1)).length)) {
    throw new Unclean("cut off");
  }
  return { marker, start, end };
}

/**
 * Where a scan's data ends: at the first marker that is no restart.
 *
 * @param {Bytes} bytes
 * @param {number} at
 */
async function scanEnd(bytes, at) {
  for (;;) {
    const found = await bytes.from(at, 2);
    if (found.length < 2) {
      throw new Unclean("cut off");
    }
    const place = found.indexOf(0xff);
    const next = found[place + 1];
    if (place < 0) {
      at += found.length;
    } else if (next === undefined) {
      at += place;
    } else if (next === 0 || (next >= 0xd0 && next <= 0xd7)) {
      at += place + 2;
    } else {
      return at + place;
    }
  }
}

/**
 * Exif becomes what says how the picture is turned, if it is; whether this was Exif.
 *
 * @param {Bytes} bytes
 * @param {Kept} kept
 * @param {number} start
 * @param {number} end
 */
async function keepTurn(bytes, kept, start, end) {
  const exif = await bytes.get(start, end - start);
  if (!EXIF.every((byte, place) => exif[place] === byte)) {
    return false;
  }
  const turned = orientation(exif.subarray(EXIF.length));
  if (turned > 1) {
    put(kept, APP1, [...EXIF, ...turn(turned)]);
  }
  return true;
}

/**
 * JFIF's without its preview, and Adobe's, which says how colours are told.
 *
 * @param {Bytes} bytes
 * @param {Kept} kept
 * @param {number} marker
 * @param {number} start
 * @param {number} end
 */
async function keepForm(bytes, kept, marker, start, end) {
  const [name, size, after] = marker === APP0 ? [JFIF, JFIF_SIZE, [0, 0]] : [ADOBE, ADOBE_SIZE, []];
  if (end - start >= size && (await bytes.startsWith(start, name))) {
    put(kept, marker, [...(await bytes.get(start, size)), ...after]);
  }
}

/**
 * @param {Kept} kept
 * @param {number} marker
 * @param {number[]} content
 */
function put(kept, marker, content) {
  kept.bytes([0xff, marker, 0, content.length + 2, ...content]);
}

/** @param {string} ascii */
function text(ascii) {
  return Array.from(ascii, (character) => character.charCodeAt(0));
}
