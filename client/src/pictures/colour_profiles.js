/**
 * Colour profiles (ICC.1:2022): a profile of a common colour space is replaced by one of our own.
 *
 * A profile can identify a screen or a scanner and when it was measured, so none is copied.
 */

import { ascii, number } from "./bytes.js";

/**
 * @typedef {(shade: number) => number} Curve from a stored value to light, both 0 to 1
 * @typedef {{ name: string, light: number[][], curve: number[] }} Space
 *   `light`: red, green and blue in XYZ; `curve`: the parameters of the parametric curve
 */

const SRGB_CURVE = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045];
/** @type {Space[]} */
const SPACES = [
  {
    name: "sRGB",
    light: [[0.436, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]],
    curve: SRGB_CURVE,
  },
  {
    name: "P3",
    light: [[0.5151, 0.2412, -0.0011], [0.292, 0.6922, 0.0419], [0.1571, 0.0666, 0.7841]],
    curve: SRGB_CURVE,
  },
  {
    name: "A98",
    light: [[0.6097, 0.3111, 0.0195], [0.2053, 0.6257, 0.0609], [0.1492, 0.0632, 0.7446]],
    curve: [563 / 256],
  },
];
const NEAR = 0.001; // of white: less than one visible step of eight bits
const SAMPLES = 32;
const COLOURS = ["rXYZ", "gXYZ", "bXYZ"];
const CURVES = ["rTRC", "gTRC", "bTRC"];
const HEADER = 128; // bytes
const INTENTS = 4;
const MOST_TAGS = 100;
const WHITE = [0.9642, 1, 0.8249]; // D50

/**
 * Our own profile of the colour space that a profile describes, or null for an unknown one.
 *
 * @param {Uint8Array} profile
 */
export function standardProfile(profile) {
  try {
    const space = spaceOf(profile);
    return space ? encodeProfile(space) : null;
  } catch (error) {
    if (error instanceof RangeError) {
      return null; // cut off
    }
    throw error;
  }
}

/** @param {Uint8Array} profile */
function spaceOf(profile) {
  const { buffer } = new Uint8Array(profile); // a copy, so that reads past its end raise
  const view = new DataView(buffer);
  const text = (/** @type {number} */ at) => String.fromCharCode(...profile.subarray(at, at + 4));
  if (!isAccepted(view, text)) {
    return null;
  }
  /** @type {Map<string, DataView>} */
  const tags = new Map();
  for (let left = Math.min(view.getUint32(HEADER), MOST_TAGS), at = HEADER + 4; left; left--, at += 12) {
    tags.set(text(at), new DataView(buffer, view.getUint32(at + 4), view.getUint32(at + 8)));
  }
  const isTable = [...tags.keys()].some((name) => /^(A2B|D2B|cicp)/.test(name));
  const [lights, curves] = [COLOURS, CURVES].map((names) => names.map((name) => tags.get(name)));
  if (isTable || [...lights, ...curves].some((tag) => !tag)) {
    return null;
  }
  const light = lights.map((tag) => [8, 12, 16].map((at) => fixed(/** @type {DataView} */ (tag), at)));
  const read = curves.map((tag) => curveOf(/** @type {DataView} */ (tag)));
  return SPACES.find((space) => isLike(space, light, read)) ?? null;
}

/**
 * Whether browsers accept the profile's header; they ignore the profile otherwise.
 *
 * @param {DataView} view
 * @param {(at: number) => string} text
 */
function isAccepted(view, text) {
  return (
    view.getUint32(0) === view.byteLength &&
    [2, 4].includes(view.getUint8(8)) &&
    ["mntr", "scnr", "prtr", "spac"].includes(text(12)) &&
    text(16) === "RGB " &&
    text(20) === "XYZ " &&
    text(36) === "acsp" &&
    view.getUint32(64) < INTENTS &&
    WHITE.every((value, place) => Math.abs(fixed(view, 68 + 4 * place) - value) < NEAR)
  );
}

/**
 * @param {Space} space
 * @param {number[][]} light
 * @param {(Curve | null)[]} curves
 */
function isLike(space, light, curves) {
  const isNear = (/** @type {number} */ one, /** @type {number} */ other) => Math.abs(one - other) < NEAR;
  const expected = parametric(space.curve);
  const shades = Array.from({ length: SAMPLES + 1 }, (_, place) => place / SAMPLES);
  return (
    light.flat().every((value, place) => isNear(value, space.light.flat()[place])) &&
    curves.every((curve) => curve && shades.every((shade) => isNear(curve(shade), expected(shade))))
  );
}

/**
 * @param {DataView} tag
 * @returns {Curve | null}
 */
function curveOf(tag) {
  const kind = String.fromCharCode(...[0, 1, 2, 3].map((at) => tag.getUint8(at)));
  if (kind === "para") {
    const count = [1, 0, 0, 5, 7][tag.getUint16(8)];
    return count ? parametric(Array.from({ length: count }, (_, place) => fixed(tag, 12 + 4 * place))) : null;
  }
  const count = kind === "curv" ? tag.getUint32(8) : 0;
  if (count < 2) {
    return count ? parametric([tag.getUint16(12) / 256]) : null;
  }
  const at = (/** @type {number} */ place) => tag.getUint16(12 + 2 * Math.min(place, count - 1)) / 65_535;
  return (shade) => {
    const place = Math.floor(shade * (count - 1));
    return at(place) + (at(place + 1) - at(place)) * (shade * (count - 1) - place);
  };
}

/**
 * A gamma curve, optionally with a linear part.
 *
 * @param {number[]} parameters
 * @returns {Curve}
 */
function parametric([gamma, scale = 1, shift = 0, slope = 0, from = 0, above = 0, below = 0]) {
  return (shade) => (shade >= from ? (scale * shade + shift) ** gamma + above : slope * shade + below);
}

/**
 * @param {DataView} view
 * @param {number} at
 */
function fixed(view, at) {
  return view.getInt32(at) / 65_536;
}

/**
 * A minimal profile of a colour space; always the same bytes.
 *
 * @param {Space} space
 */
function encodeProfile({ name, light, curve }) {
  const value = (/** @type {number} */ one) => number(Math.round(one * 65_536));
  const xyz = (/** @type {number[]} */ values) => [...ascii("XYZ \0\0\0\0"), ...values.flatMap(value)];
  const label = name.padEnd(4);
  const words = [...ascii("mluc\0\0\0\0"), ...[1, 12].flatMap((each) => number(each)), ...ascii("enUS")];
  const text = [...words, ...[8, 28].flatMap((each) => number(each)), ...ascii([...label].map((each) => `\0${each}`).join(""))];
  const shape = [...ascii("para\0\0\0\0"), 0, curve.length > 1 ? 3 : 0, 0, 0, ...curve.flatMap(value)];
  const contents = [text, xyz(WHITE), ...light.map(xyz), shape];
  const names = [["desc", "cprt"], ["wtpt"], ...COLOURS.map((each) => [each]), CURVES];
  const count = names.flat().length;
  const list = number(count);
  const data = contents.flatMap((content, place) => {
    const start = HEADER + 4 + 12 * count + contents.slice(0, place).reduce((sum, { length }) => sum + length, 0);
    names[place].forEach((each) => list.push(...ascii(each), ...number(start), ...number(content.length)));
    return content;
  });
  const day = [7, 0xd0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]; // a fixed date, 2000-01-01
  const kind = [...number(0), ...number(0), 4, 0x20, 0, 0, ...ascii("mntrRGB XYZ "), ...day, ...ascii("acsp")];
  const header = [...kind, ...Array(28).fill(0), ...WHITE.flatMap(value), ...Array(48).fill(0)];
  const whole = [...header, ...list, ...data];
  return [...number(whole.length), ...whole.slice(4)];
}
