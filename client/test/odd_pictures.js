/** Pictures that browsers could show otherwise once they are cleaned: odd in how they are turned, sized or coloured. */

import { readFileSync, readdirSync } from "node:fs";
import { deflateSync } from "node:zlib";

import { chunk, profile, segment } from "./pictures.js";

const FOLDER = new URL("pictures/", import.meta.url);
const [ORIENTATION, MAKER] = [0x0112, 0x010f];
const [BYTE, SHORT, LONG, RATIONAL] = [1, 3, 4, 5];
const NAME = Buffer.from("Exif\0\0");
const DIRECTORY = 8; // bytes before the first

/** What libjpeg and libpng wrote, by name. */
export const PLAIN = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(new URL(name, FOLDER))]));

/**
 * A TIFF of entries of tag, type, count and value.
 *
 * @param {number[][]} entries
 * @param {{ little?: boolean, next?: number, behind?: Uint8Array }} [how]
 */
export function tiff(entries, { little = false, next = 0, behind = Buffer.alloc(0) } = {}) {
  const whole = Buffer.alloc(DIRECTORY + 2 + 12 * entries.length + 4);
  const view = new DataView(whole.buffer, whole.byteOffset);
  whole.write(little ? "II" : "MM");
  view.setUint16(2, 42, little);
  view.setUint32(4, DIRECTORY, little);
  view.setUint16(DIRECTORY, entries.length, little);
  entries.forEach(([tag, type, count, value], place) => {
    const at = DIRECTORY + 2 + 12 * place;
    view.setUint16(at, tag, little);
    view.setUint16(at + 2, type, little);
    view.setUint32(at + 4, count, little);
    if (type === SHORT && count < 3) {
      view.setUint16(at + 8, value, little);
    } else {
      type === BYTE ? view.setUint8(at + 8, value) : view.setUint32(at + 8, value, little);
    }
  });
  view.setUint32(whole.length - 4, next, little);
  return Buffer.concat([whole, behind]);
}

/**
 * Put parts in behind the first two bytes.
 *
 * @param {Uint8Array} plain
 * @param {...Uint8Array} parts
 */
export function within(plain, ...parts) {
  return Buffer.concat([plain.subarray(0, 2), ...parts, plain.subarray(2)]);
}

/** @param {Uint8Array} found */
const exif = (found) => segment(0xe1, NAME, found);

/**
 * Exif that gives the picture a size of its own: dots per inch, the unit, and so many pixels.
 *
 * @param {number} dots
 * @param {number} unit
 * @param {number[]} pixels
 */
function sized(dots, unit, [wide, high]) {
  const [ratio, details] = [Buffer.alloc(8), tiff([[0xa002, LONG, 1, wide], [0xa003, LONG, 1, high]]).subarray(DIRECTORY)];
  ratio.writeUInt32BE(dots);
  ratio.writeUInt32BE(1, 4);
  const at = DIRECTORY + 2 + 12 * 4 + 4;
  const entries = [[0x011a, RATIONAL, 1, at], [0x011b, RATIONAL, 1, at], [0x0128, SHORT, 1, unit], [0x8769, LONG, 1, at + 8]];
  return tiff(entries, { behind: Buffer.concat([ratio, details]) });
}

const six = [ORIENTATION, SHORT, 1, 6];
const one = [ORIENTATION, SHORT, 1, 1];

/**
 * Exif by what is odd about it, and the turn that a cleaned picture keeps; null where it is not cleaned.
 *
 * @type {[string, Uint8Array, number | null][]}
 */
export const TURNS = [false, true].flatMap((little) => {
  const end = little ? "little" : "big";
  const short = tiff([six], { little });
  const later = tiff([six], { little }).subarray(DIRECTORY);
  const many = tiff([six], { little });
  new DataView(many.buffer, many.byteOffset).setUint16(DIRECTORY, 500, little);
  /** @type {[string, Uint8Array, number | null][]} */
  const found = [
    ["once", short, 6],
    ["not first", tiff([[MAKER, SHORT, 1, 7], six], { little }), 6],
    ["first", tiff([six, [MAKER, SHORT, 1, 7]], { little }), 6],
    ["upright", tiff([one], { little }), 1],
    ["unknown", tiff([[ORIENTATION, SHORT, 1, 0]], { little }), 1],
    ["not told", tiff([[MAKER, SHORT, 1, 7]], { little }), 1],
    ["in the preview's directory", tiff([[MAKER, SHORT, 1, 7]], { little, next: 26, behind: later }), 1],
    ["without a next directory", short.subarray(0, -4), 6],
    ["count of two", tiff([[ORIENTATION, SHORT, 2, 6]], { little }), null],
    ["count of none", tiff([[ORIENTATION, SHORT, 0, 6]], { little }), null],
    ["a long", tiff([[ORIENTATION, LONG, 1, 6]], { little }), null],
    ["a byte", tiff([[ORIENTATION, BYTE, 1, 6]], { little }), null],
    ["nine", tiff([[ORIENTATION, SHORT, 1, 9]], { little }), null],
    ["twice, upright first", tiff([one, six], { little }), null],
    ["twice, turned first", tiff([six, one], { little }), null],
    ["more entries than there are", many, null],
    ["cut off", short.subarray(0, -6), null],
    ["elsewhere", Buffer.concat([short.subarray(0, 4), Buffer.alloc(4, 0xff), short.subarray(8)]), null],
    ["another number than 42", Buffer.concat([short.subarray(0, 2), Buffer.alloc(2, 43), short.subarray(4)]), null],
  ];
  return found.map(([name, bytes, turned]) => [`${name}, ${end} end first`, bytes, turned]);
});

/** Sizes by what is odd, and whether browsers follow them. @type {[string, Uint8Array, boolean][]} */
export const SIZES = [
  ["half", sized(144, 2, [21, 14]), true],
  ["double", sized(36, 2, [82, 54]), true],
  ["the same", sized(144, 2, [41, 27]), false],
  ["as it was before it was cut", sized(72, 2, [400, 300]), false],
  ["in no unit", sized(144, 1, [21, 14]), false],
];

/** @param {number[]} values */
const numbers = (values) => Buffer.concat(values.map((value) => Buffer.from([24, 16, 8, 0].map((shift) => (value >> shift) & 255))));
const WIDE = numbers([31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000]);
const NARROW = numbers([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]);

/** Colours of a PNG: chunks, and whether they are told anew. @type {[string, Uint8Array[], boolean][]} */
export const COLOURS = [
  ["sRGB", [chunk("sRGB", Buffer.from([1]))], true],
  ["sRGB by numbers", [chunk("gAMA", numbers([45_455])), chunk("cHRM", NARROW)], true],
  ["P3 by a code", [chunk("cICP", Buffer.from([12, 13, 0, 1]))], true],
  ["a gamma of one", [chunk("gAMA", numbers([100_000]))], false],
  ["sRGB with another gamma", [chunk("sRGB", Buffer.from([0])), chunk("gAMA", numbers([100_000]))], false],
  ["sRGB told three times", [chunk("sRGB", Buffer.from([0])), chunk("gAMA", numbers([45_455])), chunk("cHRM", NARROW)], true],
  ["wide", [chunk("gAMA", numbers([45_455])), chunk("cHRM", WIDE)], false],
  ["wide, without a gamma", [chunk("cHRM", WIDE)], true],
  ["of high range", [chunk("cICP", Buffer.from([9, 16, 0, 1]))], false],
  ["the profile of sRGB", [packed(profile("sRGB"))], true],
  ["the profile of P3", [packed(profile("P3"))], true],
  ["the profile of a screen", [packed(profile("screen"))], false],
  ["a damaged profile", [chunk("iCCP", Buffer.from("x\0\0damaged"))], false],
];

/** @param {Uint8Array} found */
function packed(found) {
  return chunk("iCCP", Buffer.concat([Buffer.from("x\0\0"), deflateSync(found)]));
}

/**
 * All of it as pictures, by name; `alters`: whether they would look different once cleaned, or are refused for it.
 *
 * @returns {Map<string, { bytes: Buffer, alters: boolean }>}
 */
export function oddities() {
  const found = new Map();
  const jpeg = /** @type {Buffer} */ (PLAIN.get("baseline.jpg"));
  const png = /** @type {Buffer} */ (PLAIN.get("true.png"));
  const put = (/** @type {Uint8Array[]} */ parts) => Buffer.concat([png.subarray(0, 33), ...parts, png.subarray(33)]);
  for (const [name, bytes] of PLAIN) {
    found.set(name, { bytes, alters: false });
  }
  for (const [name, bytes, turned] of TURNS) {
    found.set(`jpeg turned ${name}`, { bytes: within(jpeg, exif(bytes)), alters: turned === null });
    found.set(`png turned ${name}`, { bytes: put([chunk("eXIf", bytes)]), alters: turned === null });
  }
  for (const [name, bytes, alters] of SIZES) {
    found.set(`jpeg sized ${name}`, { bytes: within(jpeg, exif(bytes)), alters });
  }
  for (const [name, chunks, isKnown] of COLOURS) {
    found.set(`png coloured ${name}`, { bytes: put(chunks), alters: !isKnown });
  }
  for (const name of ["sRGB", "P3", "A98", "screen", "tables", "headless"]) {
    const icc = segment(0xe2, Buffer.from("ICC_PROFILE\0\x01\x01"), profile(name));
    found.set(`jpeg coloured ${name}`, { bytes: within(jpeg, icc), alters: !["sRGB", "P3", "A98"].includes(name) });
  }
  const [turned, upright, other] = [exif(tiff([six])), exif(tiff([one])), segment(0xe1, Buffer.from("http://ns.adobe.com/xap/1.0/\0<x/>"))];
  const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]));
  const late = (/** @type {number} */ at, /** @type {Uint8Array} */ part) => Buffer.concat([jpeg.subarray(0, at), part, jpeg.subarray(at)]);
  for (const [name, bytes, alters] of /** @type {[string, Buffer, boolean][]} */ ([
    ["Exif twice", within(jpeg, upright, turned), true],
    ["Exif twice, turned first", within(jpeg, turned, upright), true],
    ["Exif behind XMP", within(jpeg, other, turned), true],
    ["upright Exif behind XMP", within(jpeg, other, upright), false],
    ["Exif before the scan", late(scan, turned), false],
    ["Exif behind the scan", late(jpeg.length - 2, turned), false],
    ["Exif without its second zero", within(jpeg, segment(0xe1, Buffer.from("Exif\0\xff", "latin1"), tiff([six]))), true],
    ["density of JFIF", Buffer.concat([jpeg.subarray(0, 13), Buffer.from([1, 0, 10, 1, 44]), jpeg.subarray(18)]), false],
    ["bytes before the end", late(jpeg.length - 2, Buffer.from("hello")), false],
    ["another number of lines", late(jpeg.length - 2, segment(0xdc, Buffer.from([0, 9]))), false],
  ])) {
    found.set(`jpeg ${name}`, { bytes, alters });
  }
  return found;
}
