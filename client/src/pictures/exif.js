/**
 * What Exif says about how a picture is shown: how it is turned, and how large (TIFF 6.0; Exif 2.32).
 *
 * Browsers read odd forms differently, so only the one form that all read alike counts; any other alters the picture.
 */

import { ascii, startsWith } from "./picture.js";

/** @import { Alters } from "./picture.js" */
/** @typedef {{ type: number, count: number, at: number, isTwice: boolean }} Entry */

const ENTRY = 12; // bytes of an entry of a directory
const [SHORT, LONG, RATIONAL] = [3, 4, 5];
const ORIENTATION = 0x0112;
const RESOLUTIONS = [0x011a, 0x011b];
const UNIT = 0x0128;
const DETAILS = 0x8769; // where the directory of Exif itself lies
const SIZES = [0xa002, 0xa003];
const INCH = 2;
const SCREEN = 72; // dots per inch of a picture that is shown as large as it is

/**
 * How a picture is turned, 1 to 8; `alters` is called where browsers differ about it, or show another size.
 *
 * @param {Uint8Array} tiff from its byte order on
 * @param {number[]} size of the picture, in pixels
 * @param {Alters} alters
 */
export function turnOf(tiff, size, alters) {
  const reading = new Directory(tiff);
  if (!reading.isSound) {
    alters("damaged Exif");
    return 1;
  }
  if (reading.resizes(size)) {
    alters("a size of its own");
  }
  const found = reading.entries.get(ORIENTATION);
  if (!found) {
    return 1;
  }
  const turned = reading.short(found);
  if (found.isTwice || turned === null || turned > 8) {
    alters("turned in a way that browsers read differently");
    return 1;
  }
  return turned || 1; // 0 says that it is not known
}

/**
 * Exif that says how a picture is turned and nothing else.
 *
 * @param {number} turned
 */
export function turn(turned) {
  const header = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8]; // "MM"
  return [...header, 0, 1, 1, 0x12, 0, SHORT, 0, 0, 0, 1, 0, turned, 0, 0, 0, 0, 0, 0];
}

/** The first directory of a TIFF. */
class Directory {
  /** @param {Uint8Array} tiff */
  constructor(tiff) {
    this._view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length);
    this._little = tiff[0] === 0x49; // "II"
    const isTiff = startsWith(tiff, ascii("II*\0")) || startsWith(tiff, ascii("MM\0*"));
    /** @type {Map<number, Entry>} */
    this.entries = new Map();
    this.isSound = isTiff && tiff.length >= 8 && this._read(this._view.getUint32(4, this._little));
  }

  /**
   * Whether browsers show it in another size than its pixels have (HTML, 4.8.3, density-corrected natural size).
   *
   * @param {number[]} size
   */
  resizes(size) {
    const unit = this.entries.get(UNIT);
    const details = this._value(this.entries.get(DETAILS));
    if (details === null || !unit || this.short(unit) !== INCH || !this._read(details)) {
      return false;
    }
    return size.some((pixels, place) => {
      const dots = this._ratio(this.entries.get(RESOLUTIONS[place]));
      const shown = this._value(this.entries.get(SIZES[place]));
      return shown !== null && shown !== pixels && Math.abs((pixels * SCREEN) / dots - shown) < 2;
    });
  }

  /**
   * The value of an entry of two bytes, or null where it is none.
   *
   * @param {Entry} entry
   */
  short({ type, count, at }) {
    return type === SHORT && count === 1 ? this._view.getUint16(at, this._little) : null;
  }

  /**
   * Add the entries of a directory; whether all of it is there.
   *
   * @param {number} start
   */
  _read(start) {
    const length = this._view.byteLength;
    const count = start + 2 > length ? Infinity : this._view.getUint16(start, this._little);
    if (start + 2 + count * ENTRY > length) {
      return false;
    }
    for (let at = start + 2; at < start + 2 + count * ENTRY; at += ENTRY) {
      const [tag, type] = [this._view.getUint16(at, this._little), this._view.getUint16(at + 2, this._little)];
      const entry = { type, count: this._view.getUint32(at + 4, this._little), at: at + 8 };
      this.entries.set(tag, { ...entry, isTwice: this.entries.has(tag) });
    }
    return true;
  }

  /** @param {Entry | undefined} entry */
  _value(entry) {
    return entry?.type === LONG ? this._view.getUint32(entry.at, this._little) : entry ? this.short(entry) : null;
  }

  /** @param {Entry | undefined} entry */
  _ratio(entry) {
    const place = entry?.type === RATIONAL ? this._view.getUint32(entry.at, this._little) : Infinity;
    if (place + 8 > this._view.byteLength) {
      return Infinity;
    }
    return this._view.getUint32(place, this._little) / this._view.getUint32(place + 4, this._little);
  }
}
