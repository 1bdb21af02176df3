/**
 * The header of an age v1 file, read and written exactly as C2SP's age.md gives it.
 *
 * A header has a single encoding; anything else is a HeaderError.  Lines end in LF alone, base64 is canonical, a body
 * ends in a line shorter than 64 columns, and a passphrase's stanza stands alone.
 */

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { equalBytes } from "@noble/ciphers/utils.js";

import { encodeUnpadded } from "../base64.js";
import { hkdf } from "../hkdf.js";
import { HeaderError } from "./errors.js";
import { decodeBase64 } from "./primitives.js";

const VERSION = "age-encryption.org/v1";
export const MAX_HEADER = 131_072; // bytes; 64 stanzas of the hybrid kind take 99,718
const COLUMNS = 64; // characters in a full line of a body
const SCRYPT = "scrypt";
const ARGUMENTS = /^-> [\x21-\x7e]+(?: [\x21-\x7e]+)*$/;
const END = /^--- ([A-Za-z0-9+/]{43})$/;

/**
 * The file key as wrapped for one recipient: `args[0]` names the kind, `body` is not decoded further.
 *
 * @typedef {{ args: string[], body: Uint8Array }} Stanza
 *
 * Every stanza of a file, in order, and the MAC over them (32 bytes), which reading alone does not check.
 *
 * @typedef {{ stanzas: Stanza[], mac: Uint8Array, length: number }} Header
 */

/**
 * The header of these stanzas as it stands in a file, up to and with the last LF.
 *
 * @param {Stanza[]} stanzas
 * @param {Uint8Array} fileKey
 */
export function sealedHeader(stanzas, fileKey) {
  checked(stanzas);
  return utf8ToBytes(`${signed(stanzas)} ${encodeUnpadded(macOf(stanzas, fileKey))}\n`);
}

/**
 * Whether the MAC is the one that `fileKey` gives these stanzas.
 *
 * @param {Header} header
 * @param {Uint8Array} fileKey
 */
export function isSealedWith(header, fileKey) {
  return equalBytes(header.mac, macOf(header.stanzas, fileKey));
}

/**
 * Where the header of a file that begins with `data` ends, or -1 while more bytes could tell.
 *
 * HeaderError as soon as none could.
 *
 * @param {Uint8Array} data
 */
export function headerEnd(data) {
  return endOf(latin(data.subarray(0, MAX_HEADER)), data.length);
}

/**
 * The header that `data` begins with, and its `length` in bytes; HeaderError for any other form.
 *
 * @param {Uint8Array} data
 * @returns {Header}
 */
export function parseHeader(data) {
  const text = latin(data.subarray(0, MAX_HEADER));
  const length = endOf(text, data.length);
  if (length < 0) {
    throw new HeaderError("the header is cut off");
  }
  const lines = text.slice(0, length - 1).split("\n");
  /** @type {Stanza[]} */
  const stanzas = [];
  for (let at = 1; at < lines.length; ) {
    if (lines[at].startsWith("---")) {
      return { stanzas: checked(stanzas), mac: parseMac(lines[at]), length };
    }
    at = parseStanza(lines, at, stanzas);
  }
  throw new HeaderError("the header has no last line");
}

/**
 * @param {string} text the first MAX_HEADER bytes
 * @param {number} size of all that is there
 */
function endOf(text, size) {
  const intro = `${VERSION}\n`;
  if (text.slice(0, intro.length) !== intro.slice(0, text.length)) {
    throw new HeaderError("not an age file, or of another version");
  }
  const last = text.indexOf("\n---");
  const end = last < 0 ? -1 : text.indexOf("\n", last + 1);
  if (end < 0 && size >= MAX_HEADER) {
    throw new HeaderError(`the header does not end within ${MAX_HEADER} bytes`);
  }
  return end < 0 ? -1 : end + 1;
}

/**
 * Add to `stanzas` the one that begins at a line; the place of the line after it.
 *
 * @param {string[]} lines
 * @param {number} at
 * @param {Stanza[]} stanzas
 */
function parseStanza(lines, at, stanzas) {
  const first = lines[at];
  if (!ARGUMENTS.test(first)) {
    throw new HeaderError("a stanza does not begin with its arguments");
  }
  for (let next = at + 1; next < lines.length; next++) {
    if (lines[next].length > COLUMNS) {
      throw new HeaderError("a stanza has a line that is too long");
    }
    if (lines[next].length < COLUMNS) {
      const body = decodeBase64(lines.slice(at + 1, next + 1).join(""));
      stanzas.push({ args: first.slice(3).split(" "), body });
      return next + 1;
    }
  }
  throw new HeaderError("a stanza has no end");
}

/** @param {string} line */
function parseMac(line) {
  const match = END.exec(line);
  if (!match) {
    throw new HeaderError("the header's last line has the wrong form");
  }
  return decodeBase64(match[1]);
}

/** @param {Stanza[]} stanzas */
function checked(stanzas) {
  if (!stanzas.length) {
    throw new HeaderError("the header has no stanza");
  }
  if (stanzas.length > 1 && stanzas.some((stanza) => stanza.args[0] === SCRYPT)) {
    throw new HeaderError("a passphrase's stanza does not stand alone");
  }
  return stanzas;
}

/**
 * What the MAC is over: everything up to and with the `---`.
 *
 * @param {Stanza[]} stanzas
 */
function signed(stanzas) {
  return [VERSION, ...stanzas.flatMap(linesOf), "---"].join("\n");
}

/** @param {Stanza} stanza */
function linesOf(stanza) {
  const text = encodeUnpadded(stanza.body);
  const lines = [`-> ${stanza.args.join(" ")}`];
  for (let at = 0; at <= text.length; at += COLUMNS) {
    lines.push(text.slice(at, at + COLUMNS));
  }
  return lines;
}

/**
 * @param {Stanza[]} stanzas
 * @param {Uint8Array} fileKey
 */
function macOf(stanzas, fileKey) {
  return hmac(sha256, hkdf(fileKey, new Uint8Array(0), "header"), utf8ToBytes(signed(stanzas)));
}

/**
 * Bytes as a string with one character for each, those beyond ASCII never ASCII.
 *
 * @param {Uint8Array} data
 */
function latin(data) {
  return new TextDecoder("latin1").decode(data);
}
