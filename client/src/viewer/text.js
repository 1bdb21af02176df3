/** Text of any encoding as text: what cannot be seen in it, or turns its direction, is shown by its number. */

const PIECE = 50_000; // characters shown at once
const MOST_MARKS = 1000; // elements in a piece; further ones are plain text
// What `untrusted_text` leaves out or replaces, and fillers; line ends, tabs and the joiners of some scripts stay.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800](?<![\n\t\u200c\u200d])/gu;

/** Encodings to choose from, by the names of the Encoding standard, with the keys of their names. */
export const ENCODINGS = {
  "utf-8": "viewer.encoding_utf_8",
  "utf-16le": "viewer.encoding_utf_16le",
  "utf-16be": "viewer.encoding_utf_16be",
  "windows-1252": "viewer.encoding_windows_1252",
  "windows-1250": "viewer.encoding_windows_1250",
  "windows-1251": "viewer.encoding_windows_1251",
  "koi8-r": "viewer.encoding_koi8_r",
  "windows-1256": "viewer.encoding_windows_1256",
  "windows-1255": "viewer.encoding_windows_1255",
  gb18030: "viewer.encoding_gb18030",
  big5: "viewer.encoding_big5",
  shift_jis: "viewer.encoding_shift_jis",
  "euc-kr": "viewer.encoding_euc_kr",
};

/**
 * The encoding of a text: its byte order mark's, UTF-8 if it is that throughout, otherwise a guess.
 *
 * @param {Uint8Array} bytes
 * @returns {keyof typeof ENCODINGS}
 */
export function encodingOf(bytes) {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) {
    return "utf-16le";
  }
  if (first === 0xfe && second === 0xff) {
    return "utf-16be";
  }
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return "utf-8";
  } catch {
    return "windows-1252";
  }
}

/** A text in pieces. */
export class Text {
  /**
   * @param {Uint8Array} bytes
   * @param {string} encoding
   */
  constructor(bytes, encoding) {
    this._text = new TextDecoder(encoding).decode(bytes).replace(/\r\n?/g, "\n");
    this.count = Math.max(1, Math.ceil(this._text.length / PIECE));
    this.unseen = this._text.match(UNSEEN)?.length ?? 0;
  }

  /**
   * A piece as text nodes and marks.
   *
   * @param {number} number from 1
   */
  piece(number) {
    const text = this._text.slice((number - 1) * PIECE, number * PIECE);
    const shown = document.createDocumentFragment();
    let at = 0;
    let marks = 0;
    for (const found of text.matchAll(UNSEEN)) {
      if (++marks > MOST_MARKS) {
        break;
      }
      const mark = document.createElement("mark");
      mark.textContent = named(found[0]);
      shown.append(text.slice(at, found.index), mark);
      at = found.index + found[0].length;
    }
    shown.append(text.slice(at).replace(UNSEEN, named));
    return shown;
  }
}

/**
 * A text on one line, without anything that cannot be seen, cut to `most` characters.
 *
 * @param {unknown} text
 * @param {number} most
 */
export function oneLine(text, most) {
  const whole = String(text).slice(0, 4 * most).replace(/\s+/g, " ").replace(UNSEEN, named).trim();
  return whole.length > most ? `${whole.slice(0, most)}…` : whole;
}

/** @param {string} character */
function named(character) {
  return `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`;
}
