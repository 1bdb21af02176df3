/**
 * Huffman tables of a JPEG and the bits of a scan (ITU-T T.81, Annexes C and F).
 *
 * No pixels are decoded: codes are followed only to find where the data ends and which symbols of a table are used.
 */

import { Unclean } from "./errors.js";

const LENGTHS = 16; // of codes, in bits
const SYMBOLS = 256;
const MAX_DC = 16; // symbols in a DC table that browsers accept
const AHEAD = 4; // bytes that may be read past the end

/** One table of a DHT segment; `used` marks the symbols that the picture uses. */
export class Table {
  /**
   * @param {number} kind 0 for DC, 1 for AC
   * @param {Uint8Array} counts of codes by length, 16
   * @param {Uint8Array} symbols
   */
  constructor(kind, counts, symbols) {
    this.counts = counts;
    this.symbols = symbols;
    this.used = new Uint8Array(symbols.length);
    this._lookup = new Uint16Array(1 << LENGTHS); // length and place of a symbol, by the next 16 bits
    let [code, place] = [0, 0];
    counts.forEach((count, index) => {
      const length = index + 1;
      for (let left = count; left; left--) {
        const start = code++ << (LENGTHS - length);
        if (code >= 1 << length) {
          throw new Unclean("invalid Huffman codes"); // too many, or one of only 1 bits
        }
        this._lookup.fill((length << 8) | place++, start, code << (LENGTHS - length));
      }
      code <<= 1;
    });
    if (!kind && symbols.length > MAX_DC) {
      throw new Unclean("a table that browsers do not accept");
    }
  }

  /**
   * The next symbol.
   *
   * @param {Bits} bits
   */
  next(bits) {
    const entry = this._lookup[bits.peek()];
    if (!entry) {
      throw new Unclean("an unknown Huffman code");
    }
    bits.at += entry >> 8;
    this.used[entry & 255] = 1;
    return this.symbols[entry & 255];
  }

  /** The content of a DHT segment; symbols that the picture does not use are replaced by arbitrary others. */
  content() {
    const taken = new Set(this.symbols.filter((_, place) => this.used[place]));
    const free = Array.from({ length: SYMBOLS }, (_, symbol) => symbol).filter((symbol) => !taken.has(symbol));
    const symbols = Array.from(this.symbols, (symbol, place) => (this.used[place] ? symbol : (free.shift() ?? 0)));
    return [...this.counts, ...symbols];
  }
}

/** Reads bits; `at` is the position. */
export class Bits {
  /** @param {Uint8Array} data followed by AHEAD spare bytes */
  constructor(data) {
    this._data = data;
    this.at = 0;
  }

  /** The next 16 bits. */
  peek() {
    const [place, data] = [this.at >>> 3, this._data];
    return ((((data[place] << 16) | (data[place + 1] << 8) | data[place + 2]) >>> (8 - (this.at & 7))) & 0xffff);
  }

  /**
   * @param {number} count at most 16
   */
  take(count) {
    const value = this.peek() >>> (LENGTHS - count);
    this.at += count;
    return value;
  }
}

/** The restart intervals of a scan's data. */
export class Intervals {
  /** @param {Uint8Array} raw as in the file, up to the first marker other than a restart */
  constructor(raw) {
    this._raw = raw;
    this._end = 0; // of the interval before, in `raw`
    this._data = new Uint8Array(raw.length + AHEAD);
    this._number = 0;
    /** Bytes of `raw` that belong to the picture. */
    this.length = 0;
  }

  /**
   * Follow an interval to its end; returns the padding bits of its last byte.
   *
   * All of its bytes must be used, except in the last interval, whose rest is left out.  `walk` is given the bits and
   * their number.
   *
   * @param {boolean} isLast
   * @param {(bits: Bits, size: number) => void} walk
   */
  follow(isLast, walk) {
    const start = this._end;
    const size = this._unstuff(start);
    const bits = new Bits(this._data);
    walk(bits, size * 8);
    const needed = (bits.at + 7) >>> 3;
    if (needed > size || (!isLast && needed < size)) {
      throw new Unclean("scan data that is too long or too short");
    }
    this.length = this._rawEnd(start, needed);
    return Array.from({ length: needed * 8 - bits.at }, () => bits.take(1));
  }

  /**
   * Remove the byte stuffing of an interval; returns its size in bytes.
   *
   * @param {number} start
   */
  _unstuff(start) {
    const [raw, data] = [this._raw, this._data];
    let [at, size] = [start, 0];
    for (; at < raw.length && !(raw[at] === 0xff && raw[at + 1]); size++) {
      data[size] = raw[at];
      at += raw[at] === 0xff ? 2 : 1;
    }
    data.fill(0, size, size + AHEAD);
    if (at < raw.length && raw[at + 1] !== 0xd0 + (this._number++ & 7)) {
      throw new Unclean("restarts out of order");
    }
    this._end = at + 2;
    return size;
  }

  /**
   * Where `count` unstuffed bytes from offset `at` end in the stuffed data.
   *
   * @param {number} at
   * @param {number} count
   */
  _rawEnd(at, count) {
    for (; count; count--) {
      at += this._raw[at] === 0xff ? 2 : 1;
    }
    return at;
  }
}
