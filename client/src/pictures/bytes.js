/** What reading a picture takes: its bytes a window at a time, and what is said of pictures that cannot be cleaned. */

const WINDOW = 262_144; // bytes in memory

/**
 * A file cannot be cleaned; or, where it `alters`, only so that browsers show it otherwise than before.
 *
 * `names`: which files cannot; `altered`: which ones would look different.
 */
export class Unclean extends Error {
  /**
   * @param {string} message
   * @param {{ alters?: boolean, names?: string[], altered?: string[] }} [which]
   */
  constructor(message, { alters = false, names = [], altered = [] } = {}) {
    super(message);
    this.alters = alters;
    this.names = names;
    this.altered = altered;
  }

  get kind() {
    return "unclean";
  }
}

/**
 * What a reader calls where a picture would look different without something: stops there, or does nothing.
 *
 * @typedef {(what: string) => void} Alters
 */

/**
 * Go on without something that shows.
 *
 * @param {string} _what
 */
export function letAlter(_what) {}

/**
 * Clean nothing that would then look different.
 *
 * @param {string} what
 */
export function keepLook(what) {
  throw new Unclean(what, { alters: true });
}

/** The bytes of a file by their place. */
export class Bytes {
  /** @param {Blob} file */
  constructor(file) {
    this.file = file;
    this._at = 0;
    this._window = new Uint8Array(0);
  }

  /**
   * So many bytes from a place on; Unclean where the file ends before.
   *
   * @param {number} at
   * @param {number} length
   */
  async get(at, length) {
    const found = (await this.from(at, length)).subarray(0, length);
    if (found.length < length) {
      throw new Unclean("cut off");
    }
    return found;
  }

  /**
   * What there is from a place on: at least so many bytes, fewer only at the file's end.
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

/** @param {string} text of one byte a character */
export function ascii(text) {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * A number in bytes, the highest first.
 *
 * @param {number} value
 * @param {number} [size] bytes
 */
export function number(value, size = 4) {
  return Array.from({ length: size }, (_, place) => (value >>> (8 * (size - 1 - place))) & 255);
}

/**
 * What a stream gives, piece by piece.
 *
 * @param {ReadableStream<Uint8Array>} stream
 */
export async function* streamed(stream) {
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    yield next.value;
  }
}
