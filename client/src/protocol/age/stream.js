/**
 * Whole age files, sealed and opened piece by piece in constant memory.
 *
 * The payload is pieces of 64 KiB, each under the payload key and a nonce that counts them and marks the last.  What
 * `Opener` gives out is verified; a file that is cut off or altered gives an error in place of the rest.
 */

import { concatBytes, randomBytes } from "@noble/hashes/utils.js";

import { NotForMe } from "../errors.js";
import { hkdf } from "../hkdf.js";
import { HeaderError, LowOrderError, MacError, PayloadError } from "./errors.js";
import { MAX_HEADER, headerEnd, isSealedWith, parseHeader, sealedHeader } from "./format.js";
import { FILE_KEY, TAG, open, seal } from "./primitives.js";

/** @import { Stanza } from "./format.js" */

/**
 * Whatever a file key can be wrapped for, and whatever can unwrap it.
 *
 * @typedef {{ wrap: (fileKey: Uint8Array) => Stanza }} Recipient
 * @typedef {{ unwrap: (stanzas: Stanza[]) => Uint8Array | null }} Identity
 */

export const CHUNK = 65_536; // bytes of plaintext
export const SEALED_CHUNK = CHUNK + TAG;
export const NONCE = 16; // bytes, random, between header and payload

const NOTHING = new Uint8Array(0);

/** Cuts a stream into pieces of `size` bytes, each given out once `after` bytes more have come. */
class Pieces {
  /**
   * @param {number} size
   * @param {number} after 0 or 1
   */
  constructor(size, after) {
    this._buffer = new Uint8Array(size);
    this._used = 0;
    this._after = after;
  }

  /** What came after the last whole piece. */
  get rest() {
    return this._buffer.slice(0, this._used);
  }

  /**
   * The whole pieces that are ready.
   *
   * @param {Uint8Array} data
   * @returns {Generator<Uint8Array, void>}
   */
  *take(data) {
    const size = this._buffer.length;
    let at = 0;
    for (;;) {
      if (this._used === size && data.length - at >= this._after) {
        this._used = 0;
        yield this._buffer.slice();
      }
      const room = Math.min(size - this._used, data.length - at);
      if (!room) {
        return;
      }
      this._buffer.set(data.subarray(at, at + room), this._used);
      this._used += room;
      at += room;
    }
  }
}

/** One file under way to `recipients`; write `header` first, then what `update` and `finish` give. */
export class Sealer {
  /** @param {Recipient[]} recipients */
  constructor(recipients) {
    const fileKey = randomBytes(FILE_KEY);
    const nonce = randomBytes(NONCE);
    const stanzas = recipients.map((recipient) => recipient.wrap(fileKey));
    this.header = concatBytes(sealedHeader(stanzas, fileKey), nonce);
    this._key = hkdf(fileKey, nonce, "payload");
    this._count = 0;
    this._pieces = new Pieces(CHUNK, 1); // the last piece is sealed otherwise, full or not
  }

  /**
   * Takes any number of bytes of plaintext; gives as much ciphertext as is ready.
   *
   * @param {Uint8Array} data
   */
  update(data) {
    return concatBytes(...Array.from(this._pieces.take(data), (piece) => this._seal(piece, false)));
  }

  /** The last piece of ciphertext; afterwards the sealer is spent. */
  finish() {
    return this._seal(this._pieces.rest, true);
  }

  /**
   * @param {Uint8Array} piece
   * @param {boolean} last
   */
  _seal(piece, last) {
    if (!this._key.length) {
      throw new RangeError("this file is finished");
    }
    const sealed = seal(this._key, nonceOf(this._count++, last), piece);
    if (last) {
      this._key = NOTHING;
    }
    return sealed;
  }
}

/**
 * One file on its way in, header first, for whoever holds one of `identities`.
 *
 * Identities are tried in order, and the first stanza that opens decides.  Any error is final: the same one meets
 * every later call.
 */
export class Opener {
  /** @param {Identity[]} identities */
  constructor(identities) {
    this._identities = identities;
    /** @type {Uint8Array} */
    this._start = NOTHING;
    this._header = 0; // bytes, once the header has ended
    /** @type {Uint8Array} */
    this._fileKey = NOTHING;
    /** @type {Uint8Array | null} */
    this._key = null;
    this._count = 0;
    this._ended = false; // whether the last piece has been seen
    this._pieces = new Pieces(SEALED_CHUNK, 0);
    /** @type {unknown} */
    this._fault = null;
  }

  /**
   * Takes any number of bytes of the file; gives as much verified plaintext as is ready.
   *
   * Raises HeaderError, NotForMe, MacError or PayloadError.
   *
   * @param {Uint8Array} data
   */
  update(data) {
    return this._going(() => {
      const rest = this._key ? data : this._begin(data);
      return concatBytes(...Array.from(this._pieces.take(rest), (piece) => this._open(piece)));
    });
  }

  /** The rest of the plaintext; HeaderError or PayloadError if the file is cut off. */
  finish() {
    return this._going(() => {
      if (!this._key) {
        throw new HeaderError("the header is cut off");
      }
      const rest = this._openRest(this._pieces.rest);
      this._fault = new RangeError("this file is finished");
      return rest;
    });
  }

  /** @param {() => Uint8Array} step */
  _going(step) {
    if (this._fault) {
      throw this._fault;
    }
    try {
      return step();
    } catch (error) {
      this._fault = error;
      throw error;
    }
  }

  /**
   * Collects the header and the nonce; gives back what of `data` follows them.
   *
   * @param {Uint8Array} data
   */
  _begin(data) {
    const before = this._start.length;
    this._start = concatBytes(this._start, data.subarray(0, MAX_HEADER + NONCE - before));
    if (!this._header) {
      const end = headerEnd(this._start);
      if (end < 0) {
        return NOTHING;
      }
      this._unwrap(this._start.subarray(0, end));
      this._header = end;
    }
    const begin = this._header + NONCE;
    if (this._start.length < begin) {
      return NOTHING;
    }
    this._key = hkdf(this._fileKey, this._start.subarray(this._header, begin), "payload");
    this._start = NOTHING;
    return data.subarray(begin - before);
  }

  /**
   * Finds the file key, and with it checks the header's MAC before any payload is looked at.
   *
   * @param {Uint8Array} data
   */
  _unwrap(data) {
    const header = parseHeader(data);
    /** @type {Error} */
    let fault = new NotForMe("none of the identities opens this file");
    for (const identity of this._identities) {
      const fileKey = unwrapped(identity, header.stanzas);
      if (fileKey instanceof LowOrderError) {
        fault = fileKey;
        continue;
      }
      if (!fileKey) {
        continue;
      }
      if (!isSealedWith(header, fileKey)) {
        throw new MacError("the header was altered");
      }
      this._fileKey = fileKey;
      return;
    }
    throw fault;
  }

  /**
   * A piece of full size, which may be the last one or any before.
   *
   * @param {Uint8Array} piece
   */
  _open(piece) {
    if (this._ended) {
      throw new PayloadError("something follows the last piece of the payload");
    }
    let plaintext = this._try(piece, false);
    if (!plaintext) {
      plaintext = this._try(piece, true);
      this._ended = true;
    }
    if (!plaintext) {
      throw new PayloadError("a piece of the payload is altered, missing or too many");
    }
    this._count++;
    return plaintext;
  }

  /**
   * What came after the last piece of full size: the last piece, or nothing where that was it.
   *
   * @param {Uint8Array} piece
   */
  _openRest(piece) {
    if (this._ended && !piece.length) {
      return NOTHING;
    }
    if (this._ended || piece.length < TAG || (piece.length === TAG && this._count)) {
      throw new PayloadError("the payload is cut off, ends in an empty piece, or goes on after its last");
    }
    const plaintext = this._try(piece, true);
    if (!plaintext) {
      throw new PayloadError("the last piece of the payload is altered or missing");
    }
    return plaintext;
  }

  /**
   * @param {Uint8Array} piece
   * @param {boolean} last
   */
  _try(piece, last) {
    return this._key && open(this._key, nonceOf(this._count, last), piece);
  }
}

/**
 * What an identity makes of stanzas; a share of small order is no fault while another identity may open one.
 *
 * @param {Identity} identity
 * @param {Stanza[]} stanzas
 */
function unwrapped(identity, stanzas) {
  try {
    return identity.unwrap(stanzas);
  } catch (error) {
    if (error instanceof LowOrderError) {
      return error;
    }
    throw error;
  }
}

/**
 * A whole file at once.
 *
 * @param {Recipient[]} recipients
 * @param {Uint8Array} plaintext
 */
export function encrypt(recipients, plaintext) {
  const sealer = new Sealer(recipients);
  return concatBytes(sealer.header, sealer.update(plaintext), sealer.finish());
}

/**
 * A whole file at once; raises HeaderError, NotForMe, MacError or PayloadError.
 *
 * @param {Identity[]} identities
 * @param {Uint8Array} data
 */
export function decrypt(identities, data) {
  const opener = new Opener(identities);
  return concatBytes(opener.update(data), opener.finish());
}

/**
 * 11 bytes of count and one that marks the last piece; a payload key is fresh, so none comes twice.
 *
 * @param {number} count
 * @param {boolean} last
 */
function nonceOf(count, last) {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(7, count); // pieces of 2**40 bytes of content are far fewer than 2**32
  nonce[11] = Number(last);
  return nonce;
}
