/** A picture, decoded by the browser and drawn onto a canvas no larger than the bounds. */

import { MAX_PIXELS, MAX_SHOWN, MAX_SHOWN_SIDE, MAX_SIDE } from "./limits.js";
import { sizeOf } from "./picture_size.js";
import { Refused } from "./refused.js";

/** @import { Kind } from "./kinds.js" */

/**
 * The picture on a canvas, and its size in the file.  Raises Refused.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Kind} kind
 */
export async function drawPicture(bytes, { type }) {
  const told = sizeOf(bytes, type);
  if (told && isTooLarge(told)) {
    throw new Refused("viewer.picture_size", { width: told.width, height: told.height });
  }
  const bitmap = await createImageBitmap(new Blob([bytes], { type })).catch(() => {
    throw new Refused("viewer.picture_unreadable");
  });
  if (isTooLarge(bitmap)) {
    throw new Refused("viewer.picture_large");
  }
  const { width, height } = bitmap;
  const scale = fitting(bitmap);
  const canvas = canvasOf(width * scale, height * scale);
  const context = contextOf(canvas);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return { canvas, width, height, isScaled: scale < 1 };
}

/**
 * How much smaller something must be drawn, at most 1.
 *
 * @param {{ width: number, height: number }} size
 */
export function fitting({ width, height }) {
  return Math.min(1, MAX_SHOWN_SIDE / Math.max(width, height), Math.sqrt(MAX_SHOWN / (width * height)));
}

/**
 * @param {number} width
 * @param {number} height
 */
export function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(width));
  canvas.height = Math.max(1, Math.floor(height));
  return canvas;
}

/** @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
}

/** @param {{ width: number, height: number }} size */
function isTooLarge({ width, height }) {
  return Math.max(width, height) > MAX_SIDE || width * height > MAX_PIXELS;
}
