/**
 * Public keys and signatures of minisign, read as stock minisign writes them.
 *
 * Only prehashed signatures (`ED`, over the data's BLAKE2b-512) are accepted: the older kind, `Ed`, signs the data
 * itself, so that it could be taken for a signature over something else.  Only the canonical
 * encoding is accepted, except for what Windows editors change and stock minisign accepts too: CR LF line ends, no line
 * end after the last line, and a byte order mark before a public key.
 */

import { blake2b } from "@noble/hashes/blake2.js";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import * as base64 from "../base64.js";
import { Forged, Malformed } from "../errors.js";
import * as signing from "../signing.js";

const KEY_ALGORITHM = "Ed";
const SIGNATURE_ALGORITHM = "ED"; // prehashed
const KEY_ID = 8; // bytes
const UNTRUSTED = "untrusted comment: ";
const TRUSTED = "trusted comment: ";
const MAX_UNTRUSTED = 1_022; // bytes in a line that stock minisign reads whole, a CR at its end included
const MAX_TRUSTED = 8_190;
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/** An Ed25519 key and its key id of eight random bytes; Malformed if the key is not valid. */
export class PublicKey {
  /**
   * @param {Uint8Array} keyId
   * @param {Uint8Array} key
   */
  constructor(keyId, key) {
    if (keyId.length !== KEY_ID) {
      throw new Malformed("a minisign key has an id of 8 bytes");
    }
    this.keyId = keyId;
    this.key = signing.checkKey(key);
  }

  /**
   * From the base64 line, or from a whole `.pub` file of two lines; raises Malformed.
   *
   * @param {string} text
   */
  static fromText(text) {
    const data = decode(keyLine(text), KEY_ALGORITHM, KEY_ID + signing.KEY);
    return new PublicKey(data.subarray(0, KEY_ID), data.subarray(KEY_ID));
  }

  /** The base64 line, `RW…`. */
  get text() {
    return base64.encode(concatBytes(utf8ToBytes(KEY_ALGORITHM), this.keyId, this.key));
  }

  /**
   * The trusted comment of a `.minisig` file over `data`.
   *
   * Raises Malformed for any other form, and Forged unless both signatures are by this very key.
   *
   * @param {Uint8Array} data
   * @param {Uint8Array} signatureFile
   */
  verify(data, signatureFile) {
    const { keyId, signature, comment, seal } = parseSignature(signatureFile);
    if (bytesToHex(keyId) !== bytesToHex(this.keyId)) {
      throw new Forged("signed by another key");
    }
    signing.verify(this.key, blake2b(data), signature);
    signing.verify(this.key, concatBytes(signature, utf8ToBytes(comment)), seal);
    return comment;
  }
}

/**
 * Key id, signature, trusted comment and the signature over both, from exactly four lines.
 *
 * @param {Uint8Array} data
 */
function parseSignature(data) {
  const lines = linesOf(textOf(data));
  const isWhole = lines.length === 4 && lines[0].startsWith(UNTRUSTED) && lines[2].startsWith(TRUSTED);
  if (!isWhole || !isPrintable(lines[0] + lines[2])) {
    throw new Malformed("a minisign signature has the wrong form");
  }
  const signed = decode(lines[1], SIGNATURE_ALGORITHM, KEY_ID + signing.SIGNATURE);
  return {
    keyId: signed.subarray(0, KEY_ID),
    signature: signed.subarray(KEY_ID),
    comment: lines[2].slice(TRUSTED.length),
    seal: decode(lines[3], "", signing.SIGNATURE),
  };
}

/**
 * The base64 line of a key, given alone or as the second of a file's two lines.
 *
 * @param {string} text
 */
function keyLine(text) {
  const lines = linesOf(text.replace(/^\ufeff/, ""));
  const isFile = lines.length === 2 && lines[0].startsWith(UNTRUSTED) && isPrintable(lines[0]);
  return isFile ? lines[1] : text;
}

/**
 * Lines that end in LF or CR LF; the last one may lack its end.
 *
 * @param {string} text
 */
function linesOf(text) {
  const lines = text.replace(/\n$/, "").split("\n");
  const sizes = lines.map((line) => utf8ToBytes(line).length);
  if (sizes[0] > MAX_UNTRUSTED || sizes.some((size) => size > MAX_TRUSTED)) {
    throw new Malformed("a minisign file has a line that is too long");
  }
  return lines.map((line) => line.replace(/\r$/, ""));
}

/** @param {Uint8Array} data */
function textOf(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Malformed("a minisign file is not UTF-8");
  }
}

/**
 * Whether a comment can be printed; tabs too, as stock minisign writes them.
 *
 * @param {string} line
 */
function isPrintable(line) {
  return !UNPRINTABLE.test(line.replace(/[\t ]/g, ""));
}

/**
 * The `size` bytes that follow the algorithm's letters in a base64 line, in its one spelling.
 *
 * @param {string} line
 * @param {string} algorithm
 * @param {number} size
 */
function decode(line, algorithm, size) {
  const data = base64.decode(line);
  if (data?.length !== algorithm.length + size) {
    throw new Malformed("a minisign line has the wrong form");
  }
  if (String.fromCharCode(...data.subarray(0, algorithm.length)) !== algorithm) {
    throw new Malformed("a minisign line is of another kind");
  }
  return data.subarray(algorithm.length);
}
