/** What recordings tell besides sound and picture: the boxes of MP4 and QuickTime (ISO/IEC 14496-12), and ID3 of MP3. */

const MOST_BOXES = 2000;
const MOST_DEPTH = 6;
const LONGEST = 1000; // bytes of a value
const SINCE = 2_082_844_800; // seconds from 1904 to 1970
const HOLDERS = ["moov", "udta", "meta", "ilst", "trak", "mdia"];
const LATIN = new TextDecoder("latin1");
const ID3_ENCODINGS = ["latin1", "utf-16", "utf-16be", "utf-8"];
const ID3 = /** @type {Record<string, string>} */ ({
  TIT2: "Title", TPE1: "Performer", TCOM: "Author", TCOP: "Copyright", TENC: "Encoder", TSSE: "Software",
  TDRC: "Date", TYER: "Year", TDTG: "Date tagged", COMM: "Comment", TOWN: "Owner", TXXX: "Note",
});

/** @typedef {[string, string][]} Facts names and values */

/**
 * @param {Uint8Array} bytes
 * @returns {Facts}
 */
export function mediaFacts(bytes) {
  /** @type {Facts} */
  const facts = [];
  try {
    if (LATIN.decode(bytes.subarray(4, 8)) === "ftyp") {
      new Boxes(bytes, facts).read(0, bytes.length, 0);
    } else if (LATIN.decode(bytes.subarray(0, 3)) === "ID3") {
      readId3(bytes, facts);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
  }
  return facts; // of a file that is cut off, what stands before
}

class Boxes {
  /**
   * @param {Uint8Array} bytes
   * @param {Facts} facts
   */
  constructor(bytes, facts) {
    this._bytes = bytes;
    this._view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this._facts = facts;
    this._left = MOST_BOXES;
    /** @type {string[]} */
    this._keys = []; // of QuickTime's list, by number
  }

  /**
   * @param {number} start
   * @param {number} end
   * @param {number} depth
   */
  read(start, end, depth) {
    for (let at = start; at + 8 <= end && this._left-- > 0; ) {
      const size = this._sizeAt(at, end);
      const name = LATIN.decode(this._bytes.subarray(at + 4, at + 8));
      if (size < 8 || at + size > end) {
        return;
      }
      this._take(name, at + 8, at + size, depth);
      at += size;
    }
  }

  /**
   * @param {number} at
   * @param {number} end
   */
  _sizeAt(at, end) {
    const size = this._view.getUint32(at);
    if (size === 1) {
      return Number(this._view.getBigUint64(at + 8));
    }
    return size || end - at;
  }

  /**
   * @param {string} name
   * @param {number} start
   * @param {number} end
   * @param {number} depth
   */
  _take(name, start, end, depth) {
    if (name === "mvhd") {
      const [created, changed] = this._view.getUint8(start) ? [8, 16] : [4, 8];
      this._date("Date of recording", start + created);
      this._date("Date of change", start + changed);
    } else if (name === "keys") {
      this._readKeys(start + 8, end);
    } else if (HOLDERS.includes(name) && depth < MOST_DEPTH) {
      const isFull = name === "meta" && this._view.getUint32(start) === 0;
      this.read(isFull ? start + 4 : start, end, depth + 1);
    } else if (depth) {
      this._value(name, start, end);
    }
  }

  /**
   * @param {string} name
   * @param {number} start
   * @param {number} end
   */
  _value(name, start, end) {
    const isData = LATIN.decode(this._bytes.subarray(start + 4, start + 8)) === "data";
    const number = isData ? this._view.getUint32(start - 4) : 0;
    if (isData && (name.startsWith("©") || this._keys[number])) {
      this._facts.push([this._keys[number] ?? name, this._text(start + 16, end)]);
    } else if (name.startsWith("©")) {
      this._facts.push([name, this._text(start + 4, end)]);
    }
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  _readKeys(start, end) {
    for (let at = start; at + 8 <= end && this._keys.length < MOST_BOXES; ) {
      const size = this._view.getUint32(at);
      if (size < 8) {
        return;
      }
      this._keys[(this._keys.length || 1)] = this._text(at + 8, Math.min(end, at + size));
      at += size;
    }
  }

  /**
   * @param {string} label
   * @param {number} at
   */
  _date(label, at) {
    const seconds = this._view.getUint32(at);
    if (seconds > SINCE) {
      this._facts.push([label, new Date((seconds - SINCE) * 1000).toISOString()]);
    }
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  _text(start, end) {
    return new TextDecoder().decode(this._bytes.subarray(start, Math.min(end, start + LONGEST)));
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {Facts} facts
 */
function readId3(bytes, facts) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const seven = (/** @type {number} */ at) => [0, 1, 2, 3].reduce((sum, place) => sum * 128 + (view.getUint8(at + place) & 127), 0);
  const isNew = view.getUint8(3) >= 4;
  const end = Math.min(bytes.length, 10 + seven(6));
  for (let at = 10; at + 11 <= end && facts.length < MOST_BOXES; ) {
    const name = LATIN.decode(bytes.subarray(at, at + 4));
    const size = isNew ? seven(at + 4) : view.getUint32(at + 4);
    if (!/^[A-Z0-9]{4}$/.test(name) || !size) {
      return;
    }
    if (ID3[name]) {
      const encoding = ID3_ENCODINGS[view.getUint8(at + 10)] ?? "latin1";
      const skipped = name === "COMM" ? 14 : 11; // with the comment's language
      const content = bytes.subarray(at + skipped, Math.min(end, at + 10 + size, at + skipped + LONGEST));
      facts.push([ID3[name], new TextDecoder(encoding).decode(content).replaceAll("\0", " ")]);
    }
    at += 10 + size;
  }
}
