/** What reading a picture takes: its bytes a window at a time, the parts of it that are kept, and how it is turned. */

const WINDOW = 262_144; // bytes in memory
const MOST_PARTS = 100_000;
const ORIENTATION = 0x0112; // TIFF 6.0, Orientation
const SHORT = 3; // TIFF 6.0, type of two bytes
const ENTRY = 12; // bytes of an entry of a directory

/** A file cannot be cleaned; `names`: which files. */
export class Unclean extends Error {
  /**
   * @param {string} message
   * @param {string[]} [names]
   */
  constructor(message, names = []) {
    super(message);
    this.names = names;
  }

  get kind() {
    return "unclean";
  }
}

/** The bytes of a file by their place. */
export class Bytes {
  /** @param {Blob} file */
  constructor(file) {
    this._file = file;
    this._at = 0;
    this._window = new Uint8Array(0);
  }

  /**
   * So many bytes from a place on, at most a window of them; Unclean where the file ends before.
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
      this._window = new Uint8Array(await this._file.slice(at, at + WINDOW).arrayBuffer());
      this._at = at;
    }
    return this._window.subarray(at - this._at);
  }

  /**
   * @param {number} at
   * @param {number[]} start
   */
  async startsWith(at, start) {
    const found = await this.from(at, start.length);
    return start.every((byte, place) => found[place] === byte);
  }
}

/** The parts of a file that make the clean one, in order. */
export class Kept {
  /** @param {Blob} file */
  constructor(file) {
    this._file = file;
    /** @type {BlobPart[]} */
    this._parts = [];
    this._start = 0; // of the range that is kept just now
    this._end = 0;
  }

  /**
   * Keep the bytes of the file from one place to another.
   *
   * @param {number} start
   * @param {number} end
   */
  range(start, end) {
    if (start !== this._end) {
      this._flush();
      this._start = start;
    }
    this._end = end;
  }

  /**
   * Put in bytes that are not the file's.
   *
   * @param {number[]} bytes
   */
  bytes(bytes) {
    this._flush();
    this._parts.push(Uint8Array.from(bytes));
  }

  /** The whole. */
  blob() {
    this._flush();
    return new Blob(this._parts);
  }

  _flush() {
    if (this._end > this._start) {
      this._parts.push(this._file.slice(this._start, this._end));
    }
    if (this._parts.length > MOST_PARTS) {
      throw new Unclean("in too many parts");
    }
    this._start = this._end;
  }
}

/**
 * How Exif says that the picture is turned, 1 to 8; 1 where it does not say so in due form.
 *
 * @param {Uint8Array} tiff from its byte order on
 */
export function orientation(tiff) {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length);
  const little = tiff[0] === 0x49; // "II"
  const start = tiff.length < 8 ? Infinity : view.getUint32(4, little);
  const count = start + 2 > tiff.length ? 0 : view.getUint16(start, little);
  for (let at = start + 2; at < start + 2 + count * ENTRY && at + ENTRY <= tiff.length; at += ENTRY) {
    if (view.getUint16(at, little) === ORIENTATION && view.getUint16(at + 2, little) === SHORT) {
      const turned = view.getUint16(at + 8, little);
      return turned >= 1 && turned <= 8 ? turned : 1;
    }
  }
  return 1;
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
