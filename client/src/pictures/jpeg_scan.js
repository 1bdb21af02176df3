/** Frame and scans of a JPEG (ITU-T T.81, Annexes B, F and G); scans are followed code by code to their end. */

import { Intervals } from "./jpeg_huffman.js";
import { Unclean } from "./errors.js";

/** @import { Bits, Table } from "./jpeg_huffman.js" */

const COEFFICIENTS = 64;
const MAX_PIXELS = 2 ** 28;
const MAX_AC_BITS = 10; // in pictures of eight bits
const MAX_DC_BITS = 11;
const RUN = 15; // most zeros before a coefficient; without one it stands for sixteen zeros
const UNSEEN = -1;

/**
 * @typedef {{ values: number[], size: number, used: Uint8Array }} Quantization
 *   64 values of `size` bytes each, and which of them the picture uses
 *
 * @typedef {{ component: Component, dc: Table | null, ac: Table | null }} Part
 *
 * @typedef {object} ScanHeader
 * @property {Part[]} parts
 * @property {number} from first coefficient
 * @property {number} to last coefficient
 * @property {number} high the bit position of the previous scan, or 0
 * @property {number} low the bit position of this scan
 * @property {number} restart units in a restart interval, or 0
 */

/** A colour component of the picture. */
export class Component {
  /**
   * @param {number} id
   * @param {number} across blocks in a unit
   * @param {number} down
   */
  constructor(id, across, down) {
    this.id = id;
    this.across = across;
    this.down = down;
    this.wide = 0; // blocks
    this.high = 0;
    /** @type {Quantization | null} */
    this.quantization = null;
    this.lowest = new Int8Array(COEFFICIENTS).fill(UNSEEN); // the lowest bit position so far, by coefficient
    this._seen = new Uint8Array(0); // one bit for each coefficient that is not zero
  }

  /** One bit for every coefficient of every block, needed to follow refinement scans. */
  get seen() {
    if (!this._seen.length) {
      this._seen = new Uint8Array((this.wide * this.high * COEFFICIENTS) / 8);
    }
    return this._seen;
  }
}

/** The frame: size, components, and whether the picture is progressive. */
export class Frame {
  /**
   * @param {number[]} size in pixels, width and height
   * @param {Component[]} components
   * @param {boolean} progressive
   */
  constructor([width, height], components, progressive) {
    const most = (/** @type {"across" | "down"} */ way) => Math.max(...components.map((each) => each[way]));
    const [across, down] = [most("across"), most("down")];
    if (!width || !height || width * height > MAX_PIXELS) {
      throw new Unclean("no size, or too large");
    }
    for (const each of components) {
      each.wide = Math.ceil(Math.ceil((width * each.across) / across) / 8);
      each.high = Math.ceil(Math.ceil((height * each.down) / down) / 8);
    }
    this.size = [width, height];
    this.components = components;
    this.progressive = progressive;
    this.units = Math.ceil(width / (8 * across)) * Math.ceil(height / (8 * down));
  }

  /**
   * How many units a scan of these parts has; a scan of one part has its blocks.
   *
   * @param {Part[]} parts
   */
  unitsOf(parts) {
    const [{ component }] = parts;
    return parts.length === 1 ? component.wide * component.high : this.units;
  }

  /**
   * Follow a scan; returns how many bytes of `raw` belong to the picture.
   *
   * @param {ScanHeader} scan
   * @param {Uint8Array} raw
   * @param {(bits: number[]) => void} onFill given the padding bits of each interval
   */
  follow(scan, raw, onFill) {
    this._tell(scan);
    const only = scan.parts.length === 1;
    const total = this.unitsOf(scan.parts);
    const unit = scan.parts.flatMap((part) => {
      const { across, down } = part.component;
      return Array(only ? 1 : across * down).fill(blockOf(this.progressive, scan, part));
    });
    const intervals = new Intervals(raw);
    for (let done = 0; done < total; ) {
      const next = scan.restart ? Math.min(total, done + scan.restart) : total;
      const walk = (/** @type {Bits} */ bits, /** @type {number} */ size) => {
        const state = { run: 0 };
        for (; done < next && bits.at <= size; done++) {
          for (const block of unit) {
            block(bits, state, done);
          }
        }
        if (state.run) {
          throw new Unclean("a run of blocks without end");
        }
      };
      onFill(intervals.follow(next === total, walk));
    }
    return intervals.length;
  }

  /**
   * Check that every bit of every coefficient is sent once, the highest first.
   *
   * @param {ScanHeader} scan
   */
  _tell({ parts, from, to, high, low }) {
    const isWhole = from === 0 && to === COEFFICIENTS - 1 && !high && !low;
    const isPart = from ? from <= to && to < COEFFICIENTS && parts.length === 1 : !to;
    if (this.progressive ? !isPart || low > 13 || (high && high !== low + 1) : !isWhole) {
      throw new Unclean("an unsupported scan");
    }
    for (const { lowest } of parts.map(({ component }) => component)) {
      const before = high || UNSEEN;
      if ((from && lowest[0] === UNSEEN) || lowest.subarray(from, to + 1).some((bit) => bit !== before)) {
        throw new Unclean("a scan out of order");
      }
      lowest.fill(low, from, to + 1);
    }
  }
}

/**
 * Follows one block of a scan; `run` counts the blocks to come without new coefficients.
 *
 * @typedef {(bits: Bits, state: { run: number }, place: number) => void} Block
 *
 * @param {boolean} progressive
 * @param {ScanHeader} scan
 * @param {Part} part
 * @returns {Block}
 */
function blockOf(progressive, scan, { component, dc, ac }) {
  const used = /** @type {Quantization} */ (component.quantization).used;
  const needed = (/** @type {Table | null} */ table) => {
    if (!table) {
      throw new Unclean("a table is missing");
    }
    return table;
  };
  if (!progressive) {
    return whole(needed(dc), needed(ac), used);
  }
  if (scan.from) {
    return (scan.high ? refined : first)(scan, needed(ac), used, component.seen);
  }
  used[0] = 1;
  if (scan.high) {
    return (bits) => void bits.at++;
  }
  const table = needed(dc);
  return (bits) => {
    const size = sizeOf(table.next(bits), MAX_DC_BITS);
    bits.at += size;
  };
}

/**
 * @param {number} size in bits
 * @param {number} most
 */
function sizeOf(size, most) {
  if (size > most) {
    throw new Unclean("a coefficient that is too large");
  }
  return size;
}

/**
 * A block of a sequential picture (F.2.2).
 *
 * @param {Table} dc
 * @param {Table} ac
 * @param {Uint8Array} used
 * @returns {Block}
 */
function whole(dc, ac, used) {
  return (bits) => {
    const size = sizeOf(dc.next(bits), MAX_DC_BITS);
    bits.at += size;
    used[0] |= Number(size > 0);
    for (let at = 1; at < COEFFICIENTS; at++) {
      const symbol = ac.next(bits);
      if (!symbol) {
        return;
      }
      at = number(bits, symbol, at, COEFFICIENTS - 1, used);
    }
  };
}

/**
 * Skip a run of zeros and the coefficient after it; returns the coefficient's index.
 *
 * @param {Bits} bits
 * @param {number} symbol
 * @param {number} at
 * @param {number} to
 * @param {Uint8Array} used
 */
function number(bits, symbol, at, to, used) {
  const size = sizeOf(symbol & 15, MAX_AC_BITS);
  at += symbol >> 4;
  if (at > to || (!size && symbol >> 4 !== RUN)) {
    throw new Unclean("a block that is too long");
  }
  bits.at += size;
  used[at] |= Number(size > 0);
  return at;
}

/**
 * The number of blocks, this one included, that an end-of-band symbol ends.
 *
 * @param {Bits} bits
 * @param {number} symbol
 */
function runOf(bits, symbol) {
  const size = symbol >> 4;
  return (1 << size) + (size ? bits.take(size) : 0);
}

/** @param {number} symbol */
const isRun = (symbol) => !(symbol & 15) && symbol >> 4 < RUN;

/**
 * The first bits of coefficients (G.1.2.2).
 *
 * @param {ScanHeader} scan
 * @param {Table} table
 * @param {Uint8Array} used
 * @param {Uint8Array} seen
 * @returns {Block}
 */
function first({ from, to }, table, used, seen) {
  return (bits, state, place) => {
    if (state.run) {
      state.run--;
      return;
    }
    for (let at = from; at <= to; at++) {
      const symbol = table.next(bits);
      if (isRun(symbol)) {
        state.run = runOf(bits, symbol) - 1;
        return;
      }
      at = number(bits, symbol, at, to, used);
      if (symbol & 15) {
        seen[place * 8 + (at >> 3)] |= 1 << (at & 7);
      }
    }
  };
}

/**
 * One more bit of coefficients (G.1.2.3).
 *
 * @param {ScanHeader} scan
 * @param {Table} table
 * @param {Uint8Array} used
 * @param {Uint8Array} seen
 * @returns {Block}
 */
function refined({ from, to }, table, used, seen) {
  return (bits, state, place) => {
    const isSeen = (/** @type {number} */ at) => seen[place * 8 + (at >> 3)] & (1 << (at & 7));
    let at = from;
    while (at <= to && !state.run) {
      const symbol = table.next(bits);
      if (isRun(symbol)) {
        state.run = runOf(bits, symbol);
        break;
      }
      const isNew = sizeOf(symbol & 15, 1);
      bits.at += isNew; // its sign
      for (let zeros = symbol >> 4; at <= to; at++) {
        if (isSeen(at)) {
          bits.at++;
        } else if (!zeros--) {
          break;
        }
      }
      if (at > to) {
        throw new Unclean("a block that is too long");
      }
      if (isNew) {
        seen[place * 8 + (at >> 3)] |= 1 << (at & 7);
        used[at] = 1;
      }
      at++;
    }
    if (state.run) {
      for (; at <= to; at++) {
        bits.at += Number(Boolean(isSeen(at)));
      }
      state.run--;
    }
  };
}
