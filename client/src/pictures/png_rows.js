/** Checks the rows of a PNG as they stream by (W3C PNG, sections 7 to 9), and drops whatever is not a row. */

import { Unclean } from "./errors.js";

/** @type {Map<number, number>} by colour type */
const CHANNELS = new Map([[0, 1], [2, 3], [3, 1], [4, 2], [6, 4]]);
const PALETTE = 3;
/** The pixels of each pass: first column and row, and the distance to the next. */
/** @type {[number, number, number, number][]} */
const WHOLE = [[0, 0, 1, 1]];
/** @type {[number, number, number, number][]} */
const PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const MAX_SIZE = 2 ** 30; // bytes of all rows
const MAX_SIDE = 1_000_000; // pixels: what browsers show; without a bound one small file takes hours

/**
 * The predictor of each filter type, from the bytes to the left, above, and above left.
 *
 * @type {((left: number, up: number, corner: number) => number)[]}
 */
const FILTERS = [() => 0, (left) => left, (_, up) => up, (left, up) => (left + up) >> 1, nearest];

/**
 * The content of IHDR.
 *
 * @typedef {{ width: number, height: number, depth: number, type: number, interlaced: boolean }} Header
 */

/**
 * A transformer from decompressed data to the rows of the picture.
 *
 * Rows of palette indexes, or with several pixels in a byte, are written unfiltered, so that the bits after the last
 * pixel can be cleared; `used` marks the palette indexes that occur.
 */
export class Rows {
  /**
   * @param {Header} header
   * @param {number} colours in the palette
   */
  constructor({ width, height, depth, type, interlaced }, colours) {
    const bits = depth * (CHANNELS.get(type) ?? 0);
    this._depth = depth;
    this._colours = type === PALETTE ? colours : Infinity;
    this._isPlain = type !== PALETTE && depth >= 8;
    this.used = new Uint8Array(256);
    this._passes = (interlaced ? PASSES : WHOLE)
      .map(([left, top, right, down]) => [Math.ceil((width - left) / right), Math.ceil((height - top) / down)])
      .filter(([across, rows]) => across > 0 && rows > 0)
      .map(([across, rows]) => ({ across, rows, size: 1 + Math.ceil((across * bits) / 8) }));
    const total = this._passes.reduce((sum, { rows, size }) => sum + rows * size, 0);
    if (!width || !height || Math.max(width, height) > MAX_SIDE || total > MAX_SIZE) {
      throw new Unclean("no size, or too large");
    }
    this._row = new Uint8Array(0);
    this._above = this._row;
    this._filled = 0;
    this._begin();
  }

  /**
   * @param {Uint8Array} data
   * @param {{ enqueue: (rows: Uint8Array) => void }} out
   */
  transform(data, out) {
    const rows = [];
    for (let at = 0; at < data.length && this._passes.length; ) {
      const piece = data.subarray(at, at + this._row.length - this._filled);
      this._row.set(piece, this._filled);
      this._filled += piece.length;
      at += piece.length;
      if (this._filled === this._row.length) {
        rows.push(this._taken());
      }
    }
    if (rows.length) {
      out.enqueue(joined(rows)); // together, since each piece takes far longer on its way than a short row does here
    }
  }

  flush() {
    if (this._passes.length) {
      throw new Unclean("cut off");
    }
  }

  /** Start with the first row of a pass. */
  _begin() {
    const size = this._passes[0]?.size ?? 0;
    this._row = new Uint8Array(size);
    this._above = new Uint8Array(size);
    this._filled = 0;
  }

  /** The completed row as it is to be written. */
  _taken() {
    const [row, pass] = [this._row, this._passes[0]];
    if (row[0] > 4) {
      throw new Unclean("an unknown filter");
    }
    if (!this._isPlain) {
      this._unfilter();
    }
    const whole = this._isPlain ? row : this._emptied(pass.across);
    this._above = row; // uncleared, since the next row is predicted from all of it
    this._row = new Uint8Array(row.length);
    this._filled = 0;
    if (!--pass.rows) {
      this._passes.shift();
      this._begin();
    }
    return whole;
  }

  /** Reverse the row's filter (section 9.2). */
  _unfilter() {
    const [row, above] = [this._row, this._above];
    const guess = FILTERS[row[0]];
    row[0] = 0; // no filter; also the byte to the left of the first
    for (let at = 1; at < row.length; at++) {
      row[at] += guess(row[at - 1], above[at], above[at - 1]);
    }
  }

  /**
   * The row with the bits after its last pixel cleared; marks the palette indexes in `used`.
   *
   * @param {number} across
   */
  _emptied(across) {
    const [row, depth] = [this._row.slice(), this._depth];
    const behind = (row.length - 1) * 8 - across * depth;
    row[row.length - 1] &= 0xff << behind;
    for (let place = 0; place < across && this._colours < Infinity; place++) {
      const bit = place * depth;
      const colour = (row[1 + (bit >> 3)] >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
      if (colour >= this._colours) {
        throw new Unclean("a colour that is not in the palette");
      }
      this.used[colour] = 1;
    }
    return row;
  }
}

/**
 * The Paeth predictor.
 *
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function nearest(left, up, corner) {
  const [fromLeft, fromUp, fromCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return fromLeft <= fromUp && fromLeft <= fromCorner ? left : fromUp <= fromCorner ? up : corner;
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
