/**
 * Orientation and display size in Exif (TIFF 6.0; Exif 2.32).
 *
 * Browsers differ on unusual forms, so only the form that all read alike is used; any other counts as an alteration.
 */

import { ascii, startsWith } from "./bytes.js";

/** @import { Alters } from "./errors.js" */
/** @typedef {{ type: number, count: number, at: number, isTwice: boolean }} Entry */

const ENTRY = 12; // bytes of an entry of a directory
const [SHORT, LONG, RATIONAL] = [3, 4, 5];
const ORIENTATION = 0x0112;
const RESOLUTIONS = [0x011a, 0x011b];
const UNIT = 0x0128;
const DETAILS = 0x8769; // offset of the Exif directory
const SIZES = [0xa002, 0xa003];
const INCH = 2;
const SCREEN = 72; // dots per inch at which a picture is shown in its own size

/**
 * The orientation of a picture, 1 to 8; `alters` is called where browsers differ about it, or show another size.
 *
 * @param {Uint8Array} tiff starting with its byte order mark
 * @param {number[]} size of the picture, in pixels
 * @param {Alters} alters
 */
export function readOrientation(tiff, size, alters) {
  const reading = new Directory(tiff);
  if (!reading.isSound) {
    alters("damaged Exif");
    return 1;
  }
  if (reading.resizes(size)) {
    alters("a size of its own");
  }
  const entry = reading.entries.get(ORIENTATION);
  if (!entry) {
    return 1;
  }
  const orientation = reading.short(entry);
  if (entry.isTwice || orientation === null || orientation > 8) {
    alters("an orientation that browsers read differently");
    return 1;
  }
  return orientation || 1; // 0 means unknown
}

/**
 * Exif that holds nothing but an orientation.
 *
 * @param {number} orientation
 */
export function encodeOrientation(orientation) {
  const header = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8]; // "MM"
  return [...header, 0, 1, 1, 0x12, 0, SHORT, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
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
   * Whether browsers show the picture in another size than its pixels give (HTML, 4.8.3: density-corrected natural
   * size).
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
   * The value of a SHORT entry, or null for any other.
   *
   * @param {Entry} entry
   */
  short({ type, count, at }) {
    return type === SHORT && count === 1 ? this._view.getUint16(at, this._little) : null;
  }

  /**
   * Add the entries of a directory; false if it is cut off.
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
