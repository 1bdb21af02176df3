/** Pixels to be handed out: bare numbers, so that nothing but a picture can leave the frame. */

import { canvasOf, contextOf } from "./picture.js";

/** @typedef {{ width: number, height: number, data: ArrayBuffer }} Pixels red, green, blue and opacity of each, by rows */

/**
 * The pixels of a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {Pixels}
 */
export function pixelsOf(canvas) {
  const { width, height } = canvas;
  return { width, height, data: contextOf(canvas).getImageData(0, 0, width, height).data.buffer };
}

/** Whether the browser gives true pixels: some give made-up ones, so that nobody is recognised by how they draw. */
export function isTrue() {
  const context = contextOf(canvasOf(16, 16));
  context.fillStyle = "rgb(18 52 86)";
  context.fillRect(0, 0, 16, 16);
  const { data } = context.getImageData(0, 0, 16, 16);
  return data.every((value, at) => Math.abs(value - [18, 52, 86, 255][at % 4]) < 3);
}
