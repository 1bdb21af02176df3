/**
 * Writes a JPEG (ITU-T T.81) anew: its frame, the tables that its scans need, and the scans' data unchanged.
 *
 * Every part is parsed, and nothing is copied but the entropy-coded data.  Exif keeps the orientation only, a colour
 * profile is replaced by one of our own (`colour_profiles.js`), and JFIF and Adobe keep the colour transform.
 */

import { number } from "./bytes.js";
import { Unclean } from "./errors.js";
import { AppSegments, segment } from "./jpeg_app_segments.js";
import { Table } from "./jpeg_huffman.js";
import { Component, Frame } from "./jpeg_scan.js";

/** @import { Bytes } from "./bytes.js" */
/** @import { Alters } from "./errors.js" */
/** @import { Part, Quantization, ScanHeader } from "./jpeg_scan.js" */

export const START = [0xff, 0xd8, 0xff];
const [BASELINE, EXTENDED, PROGRESSIVE] = [0xc0, 0xc1, 0xc2];
const [HUFFMAN, END, SCAN, QUANTIZATION, LINES, RESTART] = [0xc4, 0xd9, 0xda, 0xdb, 0xdc, 0xdd];
const [APP0, APP15, COMMENT] = [0xe0, 0xef, 0xfe];
const RGB = "RGB"; // component ids by which browsers recognise RGB
const MOST_SCAN = 2 ** 27; // bytes

/**
 * A scan, and where its data is in the file.
 *
 * @typedef {{ header: ScanHeader, names: number[][], tables: [number, Table][], start: number, end: number }} Scan
 */

/**
 * The clean picture; Unclean if it is damaged, or of a kind that browsers do not show.
 *
 * @param {Bytes} bytes
 * @param {Alters} alters
 */
export async function read(bytes, alters) {
  const reading = new Reading(alters);
  for (let at = 2; ; ) {
    const { marker, start, end } = await readSegment(bytes, at);
    if (marker === END) {
      return reading.written(bytes.file);
    }
    const content = (await bytes.get(start, end - start)).slice();
    at = end;
    if (marker === SCAN) {
      at = await scanEnd(bytes, end);
      reading.scan(content, await bytes.get(end, at - end), end);
    } else {
      reading.take(marker, content);
    }
  }
}

/**
 * The next marker, and where its content starts and ends.
 *
 * @param {Bytes} bytes
 * @param {number} at
 */
async function readSegment(bytes, at) {
  let [fill, marker] = await bytes.get(at, 2);
  while (fill === 0xff && marker === 0xff) {
    [fill, marker] = await bytes.get(++at, 2);
  }
  if (fill !== 0xff) {
    throw new Unclean("no marker");
  }
  const start = at + 4;
  if (marker === END) {
    return { marker, start, end: start };
  }
  const [high, low] = await bytes.get(at + 2, 2);
  const end = at + 2 + high * 256 + low;
  if (end < start) {
    throw new Unclean("cut off");
  }
  return { marker, start, end };
}

/**
 * Where a scan's data ends: at the first marker other than a restart.
 *
 * @param {Bytes} bytes
 * @param {number} start
 */
async function scanEnd(bytes, start) {
  for (let at = start; at - start < MOST_SCAN; ) {
    const piece = await bytes.from(at, 2);
    if (piece.length < 2) {
      throw new Unclean("cut off");
    }
    const place = piece.indexOf(0xff);
    const next = piece[place + 1];
    if (place < 0) {
      at += piece.length;
    } else if (next === undefined) {
      at += place;
    } else if (next === 0 || (next >= 0xd0 && next <= 0xd7)) {
      at += place + 2;
    } else {
      return at + place;
    }
  }
  throw new Unclean("too large");
}

/** Collects a picture segment by segment, and writes it anew. */
class Reading {
  /** @param {Alters} alters */
  constructor(alters) {
    /** @type {Frame | null} */
    this._frame = null;
    /** @type {Quantization[]} */
    this._quantizations = [];
    this._slots = /** @type {number[]} */ ([]); // of the quantizations of each colour
    /** @type {Map<number, Table>} */
    this._tables = new Map(); // by kind and place
    this._restart = 0;
    /** @type {Scan[]} */
    this._scans = [];
    this._marker = 0; // of the frame
    this._fill = -1; // the bit that fills last bytes
    this._appSegments = new AppSegments(alters);
  }

  /**
   * @param {number} marker
   * @param {Uint8Array} content
   */
  take(marker, content) {
    if (marker === QUANTIZATION) {
      this._quantize(content);
    } else if (marker === HUFFMAN) {
      this._define(content);
    } else if (marker === RESTART) {
      exact(content, 2);
      this._restart = content[0] * 256 + content[1];
    } else if ([BASELINE, EXTENDED, PROGRESSIVE].includes(marker)) {
      this._begin(marker, content);
    } else if (marker >= APP0 && marker <= APP15) {
      if (!this._scans.length) {
        this._appSegments.take(marker, content); // browsers ignore those after the first scan
      }
    } else if (marker !== COMMENT && marker !== LINES) {
      throw new Unclean("an unknown segment");
    }
  }

  /**
   * Follow a scan to its end.
   *
   * @param {Uint8Array} content
   * @param {Uint8Array} raw
   * @param {number} start of its data in the file
   */
  scan(content, raw, start) {
    const frame = this._frame;
    const count = content[0];
    exact(content, 4 + 2 * count);
    if (!frame || !count) {
      throw new Unclean("an empty scan");
    }
    const names = Array.from({ length: count }, (_, place) => [...content.subarray(1 + 2 * place, 3 + 2 * place)]);
    const parts = names.map(([id, tables]) => this._part(frame, id, tables));
    if (new Set(parts.map(({ component }) => component)).size < count) {
      throw new Unclean("a component twice");
    }
    const [from, to, bits] = content.subarray(1 + 2 * count);
    const isProgressive = frame.progressive;
    const range = isProgressive ? { from, to, high: bits >> 4, low: bits & 15 } : { from: 0, to: 63, high: 0, low: 0 };
    const restart = this._restart < frame.unitsOf(parts) ? this._restart : 0; // later than the end there is none
    const header = { parts, ...range, restart };
    const length = frame.follow(header, raw, (fill) => this._filled(fill));
    const tables = this._tablesOf(header, names);
    this._scans.push({ header, names, tables, start, end: start + length });
  }

  /**
   * The clean picture.
   *
   * @param {Blob} file
   */
  written(file) {
    const frame = this._frame;
    if (!frame || frame.components.some(({ lowest }) => lowest[0] < 0)) {
      throw new Unclean("no picture");
    }
    /** @type {BlobPart[]} */
    const parts = [Uint8Array.of(0xff, 0xd8), ...this._appSegments.written(frame.size), ...this._framed(frame)];
    /** @type {Map<number, Table>} */
    const written = new Map();
    let restart = 0;
    for (const { header, names, tables, start, end } of this._scans) {
      for (const [place, table] of tables.filter(([place, table]) => written.get(place) !== table)) {
        parts.push(segment(HUFFMAN, [place, ...table.content()]));
        written.set(place, table);
      }
      if (header.restart !== restart) {
        restart = header.restart;
        parts.push(segment(RESTART, number(restart, 2)));
      }
      const { parts: scanned, from, to, high, low } = header;
      const each = scanned.flatMap(({ component }, place) => [component.id, this._placesOf(header, names[place][1])]);
      parts.push(segment(SCAN, [scanned.length, ...each, from, to, (high << 4) | low]), file.slice(start, end));
    }
    return new Blob([...parts, Uint8Array.of(0xff, END)]);
  }

  /** @param {Uint8Array} content */
  _quantize(content) {
    for (let at = 0; at < content.length; ) {
      const size = (content[at] >> 4) + 1;
      const slot = content[at++] & 15;
      const values = [...content.subarray(at, at + 64 * size)];
      at += 64 * size;
      if (size > 2 || slot > 3 || at > content.length) {
        throw new Unclean("an invalid table");
      }
      this._quantizations[slot] = { values, size, used: new Uint8Array(64) };
    }
  }

  /** @param {Uint8Array} content */
  _define(content) {
    for (let at = 0; at < content.length; ) {
      const place = content[at++];
      const counts = content.subarray(at, at + 16);
      const length = counts.reduce((sum, count) => sum + count, 0);
      const symbols = content.subarray(at + 16, at + 16 + length);
      at += 16 + length;
      if (place & 0xec || length > 256 || at > content.length) {
        throw new Unclean("an invalid table");
      }
      this._tables.set(place, new Table(place >> 4, counts, symbols));
    }
  }

  /**
   * @param {number} marker
   * @param {Uint8Array} content
   */
  _begin(marker, content) {
    const [bits, high, low, wide, narrow, count] = content;
    exact(content, 6 + 3 * count);
    if (this._frame || bits !== 8 || ![1, 3, 4].includes(count)) {
      throw new Unclean("of a kind that browsers do not show");
    }
    const components = Array.from({ length: count }, (_, place) => {
      const [id, factors, slot] = content.subarray(6 + 3 * place);
      const [across, down] = [factors >> 4, factors & 15];
      if (!across || !down || across > 4 || down > 4 || slot > 3) {
        throw new Unclean("an invalid component");
      }
      this._slots.push(slot);
      return new Component(id, across, down);
    });
    if (new Set(components.map(({ id }) => id)).size < count) {
      throw new Unclean("a component twice");
    }
    const size = [wide * 256 + narrow, high * 256 + low];
    this._frame = new Frame(size, components, marker === PROGRESSIVE);
    this._marker = marker;
  }

  /**
   * @param {Frame} frame
   * @param {number} id
   * @param {number} tables
   * @returns {Part}
   */
  _part(frame, id, tables) {
    const place = frame.components.findIndex((each) => each.id === id);
    const component = frame.components[place];
    if (component && !component.quantization) {
      component.quantization = this._quantizations[this._slots[place]] ?? null;
    }
    if (!component?.quantization) {
      throw new Unclean("a table is missing");
    }
    const [dc, ac] = [tables >> 4, 0x10 | (tables & 15)].map((slot) => this._tables.get(slot) ?? null);
    return { component, dc, ac };
  }

  /** @param {number[]} fill */
  _filled(fill) {
    for (const bit of fill) {
      if (this._fill < 0) {
        this._fill = bit;
      } else if (this._fill !== bit) {
        throw new Unclean("padding bits that differ");
      }
    }
  }

  /**
   * The tables that a scan needs, by slot.
   *
   * @param {ScanHeader} header
   * @param {number[][]} names
   */
  _tablesOf(header, names) {
    /** @type {Map<number, Table>} */
    const tables = new Map();
    header.parts.forEach(({ dc, ac }, place) => {
      const slots = names[place][1];
      if (dc && needsDc(header)) {
        tables.set(slots >> 4, dc);
      }
      if (ac && header.to) {
        tables.set(0x10 | (slots & 15), ac);
      }
    });
    return [...tables];
  }

  /**
   * The slots of a component's tables; 0 for a table that is not needed.
   *
   * @param {ScanHeader} header
   * @param {number} slots
   */
  _placesOf(header, slots) {
    return (needsDc(header) ? slots & 0xf0 : 0) | (header.to ? slots & 15 : 0);
  }

  /**
   * The frame and its quantization tables; unused values are overwritten.
   *
   * @param {Frame} frame
   */
  _framed({ size: [width, height], components }) {
    const isRgb = String.fromCharCode(...components.map(({ id }) => id)) === RGB;
    const tables = [...new Set(components.map(({ quantization }) => /** @type {Quantization} */ (quantization)))];
    const parts = tables.map(({ values, size, used }, place) => {
      const shown = values.map((value, at) => (used[Math.floor(at / size)] ? value : at % size === size - 1 ? 1 : 0));
      return segment(QUANTIZATION, [((size - 1) << 4) | place, ...shown]);
    });
    const described = components.flatMap((each, place) => {
      each.id = isRgb ? each.id : place + 1;
      const table = tables.indexOf(/** @type {Quantization} */ (each.quantization));
      return [each.id, (each.across << 4) | each.down, table];
    });
    const frame = [8, ...number(height, 2), ...number(width, 2), components.length, ...described];
    return [...parts, segment(this._marker, frame)];
  }
}

/**
 * Whether a scan holds the first bits of DC coefficients; later bits need no table.
 *
 * @param {ScanHeader} header
 */
function needsDc({ from, high }) {
  return !from && !high;
}

/**
 * @param {Uint8Array} content
 * @param {number} length
 */
function exact(content, length) {
  if (content.length !== length) {
    throw new Unclean("a segment of the wrong length");
  }
}
