/** A file's bytes, read a window at a time, and helpers to read and write binary formats. */

import { Unclean } from "./errors.js";

const WINDOW = 262_144; // bytes in memory

/** Random access to the bytes of a file. */
export class Bytes {
  /** @param {Blob} file */
  constructor(file) {
    this.file = file;
    this._at = 0;
    this._window = new Uint8Array(0);
  }

  /**
   * `length` bytes from offset `at`; Unclean if the file ends before.
   *
   * @param {number} at
   * @param {number} length
   */
  async get(at, length) {
    const piece = (await this.from(at, length)).subarray(0, length);
    if (piece.length < length) {
      throw new Unclean("cut off");
    }
    return piece;
  }

  /**
   * At least `length` bytes from offset `at`; fewer only at the end of the file.
   *
   * @param {number} at
   * @param {number} [length]
   */
  async from(at, length = 1) {
    if (at < this._at || at + length > this._at + this._window.length) {
      this._window = new Uint8Array(await this.file.slice(at, at + Math.max(WINDOW, length)).arrayBuffer());
      this._at = at;
    }
    return this._window.subarray(at - this._at);
  }
}

/**
 * @param {Uint8Array} data
 * @param {ArrayLike<number>} start
 */
export function startsWith(data, start) {
  return Array.from(start).every((byte, place) => data[place] === byte);
}

/** @param {string} text one byte per character */
export function ascii(text) {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * A number in big-endian bytes.
 *
 * @param {number} value
 * @param {number} [size] bytes
 */
export function number(value, size = 4) {
  return Array.from({ length: size }, (_, place) => (value >>> (8 * (size - 1 - place))) & 255);
}

/**
 * The chunks of a stream; not every browser can iterate over one.
 *
 * @param {ReadableStream<Uint8Array>} stream
 */
export async function* streamed(stream) {
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    yield next.value;
  }
}
