/**
 * Codes of Huffman in a JPEG (ITU-T T.81, Annexes C and F): the tables, and a scan's data as bits.
 *
 * Nothing is decoded to a picture: codes are followed so that it is known where the data ends, and which of a table's
 * symbols it needs.
 */

import { Unclean } from "./picture.js";

const LENGTHS = 16; // of codes, in bits
const SYMBOLS = 256;
const MOST_DC = 16; // symbols in a table of the first kind: what browsers take
const AHEAD = 4; // bytes that may be looked at behind the end

/** One table, as a DHT gives it; `used` tells which of its symbols the picture needs. */
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
          throw new Unclean("codes that cannot be"); // too many, or one of ones alone
        }
        this._lookup.fill((length << 8) | place++, start, code << (LENGTHS - length));
      }
      code <<= 1;
    });
    if (!kind && symbols.length > MOST_DC) {
      throw new Unclean("a table that browsers do not take");
    }
  }

  /**
   * The next symbol.
   *
   * @param {Bits} bits
   */
  next(bits) {
    const found = this._lookup[bits.peek()];
    if (!found) {
      throw new Unclean("no code");
    }
    bits.at += found >> 8;
    this.used[found & 255] = 1;
    return this.symbols[found & 255];
  }

  /** What a DHT says of it, with others in place of the symbols that the picture does not need. */
  content() {
    const taken = new Set(this.symbols.filter((_, place) => this.used[place]));
    const free = Array.from({ length: SYMBOLS }, (_, symbol) => symbol).filter((symbol) => !taken.has(symbol));
    const symbols = Array.from(this.symbols, (symbol, place) => (this.used[place] ? symbol : (free.shift() ?? 0)));
    return [...this.counts, ...symbols];
  }
}

/** Bits by their place. */
export class Bits {
  /** @param {Uint8Array} data with AHEAD bytes more than it has */
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
    const found = this.peek() >>> (LENGTHS - count);
    this.at += count;
    return found;
  }
}

/** The data of a scan, from one restart to the next. */
export class Intervals {
  /** @param {Uint8Array} raw as it stands in the file, up to the marker that is no restart */
  constructor(raw) {
    this._raw = raw;
    this._end = 0; // of the interval before, in `raw`
    this._data = new Uint8Array(raw.length + AHEAD);
    this._number = 0;
    /** Bytes that belong to the picture. */
    this.length = 0;
  }

  /**
   * Follow an interval to its end; all of it must be needed, save in the last, whose rest is left out.
   *
   * The bits that fill the last byte; `walk` is given the bits and how many there are.
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
      throw new Unclean("data that no picture needs, or too little of it");
    }
    this.length = this._rawEnd(start, needed);
    return Array.from({ length: needed * 8 - bits.at }, () => bits.take(1));
  }

  /**
   * Take the stuffing out; the bytes that this interval has.
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
   * Where so many bytes end that begin there, with their stuffing.
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
