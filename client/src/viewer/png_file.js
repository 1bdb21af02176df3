/** A PNG made of pixels and nothing else, the same in every browser: what their own encoders add is not known. */

import { ascii, number } from "../pictures/bytes.js";
import { chunk } from "../pictures/png_chunks.js";
import { MAX_SHOWN, MAX_SHOWN_SIDE } from "./limits.js";

/** @import { Pixels } from "./pixels.js" */

const START = [0x89, ...ascii("PNG\r\n\x1a\n")];
const [DEPTH, COLOURED] = [8, 2]; // red, green and blue
const FROM_LEFT = 1; // the filter of each row: differences from the pixel to the left
const CHANNELS = 3;

/**
 * The picture, opaque on white; null if these are no pixels, or too many.
 *
 * @param {unknown} pixels
 * @returns {Promise<Blob | null>}
 */
export async function pngOf(pixels) {
  if (!arePixels(pixels)) {
    return null;
  }
  const { width, height } = pixels;
  const packed = new Blob([rowsOf(pixels)]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const header = [...number(width), ...number(height), DEPTH, COLOURED, 0, 0, 0];
  return new Blob([Uint8Array.from(START), chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", [])]);
}

/**
 * @param {unknown} pixels
 * @returns {pixels is Pixels}
 */
function arePixels(pixels) {
  const { width = 0, height = 0, data } = /** @type {Partial<Pixels>} */ (Object(pixels));
  const isSized = [width, height].every((side) => Number.isInteger(side) && side > 0 && side <= MAX_SHOWN_SIDE);
  return isSized && width * height <= MAX_SHOWN && data instanceof ArrayBuffer && data.byteLength === 4 * width * height;
}

/** @param {Pixels} pixels */
function rowsOf({ width, height, data }) {
  const given = new Uint8Array(data);
  const size = 1 + CHANNELS * width;
  const rows = new Uint8Array(size * height);
  for (let row = 0; row < height; row++) {
    const start = row * size;
    rows[start] = FROM_LEFT;
    const left = [0, 0, 0];
    for (let column = 0; column < width; column++) {
      const from = 4 * (row * width + column);
      const clear = 255 - given[from + 3];
      for (let channel = 0; channel < CHANNELS; channel++) {
        const value = clear ? Math.round((given[from + channel] * (255 - clear)) / 255) + clear : given[from + channel];
        rows[start + 1 + CHANNELS * column + channel] = value - left[channel];
        left[channel] = value;
      }
    }
  }
  return rows;
}
