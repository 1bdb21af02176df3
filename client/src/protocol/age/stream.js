/**
 * Whole age files, sealed and opened chunk by chunk in constant memory.
 *
 * The payload is chunks of 64 KiB, each under the payload key and a nonce that counts them and marks the last.  All
 * output of `Opener` is authenticated; a truncated or altered file raises an error instead of the rest.
 */

import { concatBytes, randomBytes } from "@noble/hashes/utils.js";

import { NotForMe } from "../errors.js";
import { hkdf } from "../hkdf.js";
import { HeaderError, LowOrderError, MacError, PayloadError } from "./errors.js";
import { MAX_HEADER, headerEnd, isSealedWith, parseHeader, sealedHeader } from "./format.js";
import { FILE_KEY, TAG, open, seal } from "./primitives.js";

/** @import { Stanza } from "./format.js" */

/**
 * A recipient wraps a file key; an identity unwraps it.
 *
 * @typedef {{ wrap: (fileKey: Uint8Array) => Stanza }} Recipient
 * @typedef {{ unwrap: (stanzas: Stanza[]) => Uint8Array | null }} Identity
 */

export const CHUNK = 65_536; // bytes of plaintext
export const SEALED_CHUNK = CHUNK + TAG;
export const NONCE = 16; // bytes, random, between header and payload

const NOTHING = new Uint8Array(0);

/** Cuts a stream into chunks of `size` bytes, each yielded once `after` more bytes have arrived. */
class Chunker {
  /**
   * @param {number} size
   * @param {number} after 0 or 1
   */
  constructor(size, after) {
    this._buffer = new Uint8Array(size);
    this._used = 0;
    this._after = after;
  }

  /** What came after the last whole chunk. */
  get rest() {
    return this._buffer.slice(0, this._used);
  }

  /**
   * The whole chunks that are ready.
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

/** Encrypts one file; write `header` first, then what `update` and `finish` return. */
export class Sealer {
  /** @param {Recipient[]} recipients */
  constructor(recipients) {
    const fileKey = randomBytes(FILE_KEY);
    const nonce = randomBytes(NONCE);
    const stanzas = recipients.map((recipient) => recipient.wrap(fileKey));
    this.header = concatBytes(sealedHeader(stanzas, fileKey), nonce);
    this._key = hkdf(fileKey, nonce, "payload");
    this._count = 0;
    this._chunks = new Chunker(CHUNK, 1); // the last chunk has another nonce, so it must be held back
  }

  /**
   * Encrypt the next bytes of plaintext; returns the ciphertext that is ready.
   *
   * @param {Uint8Array} data
   */
  update(data) {
    return concatBytes(...Array.from(this._chunks.take(data), (chunk) => this._seal(chunk, false)));
  }

  /** The last chunk of ciphertext; afterwards the sealer is spent. */
  finish() {
    return this._seal(this._chunks.rest, true);
  }

  /**
   * @param {Uint8Array} chunk
   * @param {boolean} last
   */
  _seal(chunk, last) {
    if (!this._key.length) {
      throw new RangeError("this file is finished");
    }
    const sealed = seal(this._key, nonceOf(this._count++, last), chunk);
    if (last) {
      this._key = NOTHING;
    }
    return sealed;
  }
}

/**
 * Decrypts one file, header first.
 *
 * Identities are tried in order, and the first stanza that opens decides.  Errors are final: every later call raises
 * the same one.
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
    this._ended = false; // whether the last chunk has been seen
    this._chunks = new Chunker(SEALED_CHUNK, 0);
    /** @type {unknown} */
    this._fault = null;
  }

  /**
   * Decrypt the next bytes of the file; returns the authenticated plaintext that is ready.
   *
   * Raises HeaderError, NotForMe, MacError or PayloadError.
   *
   * @param {Uint8Array} data
   */
  update(data) {
    return this._going(() => {
      const rest = this._key ? data : this._begin(data);
      return concatBytes(...Array.from(this._chunks.take(rest), (chunk) => this._open(chunk)));
    });
  }

  /** The rest of the plaintext; HeaderError or PayloadError if the file is cut off. */
  finish() {
    return this._going(() => {
      if (!this._key) {
        throw new HeaderError("the header is cut off");
      }
      const rest = this._openRest(this._chunks.rest);
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
   * Collect the header and the nonce; returns the part of `data` after them.
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
   * Find the file key, and check the header's MAC before any payload is processed.
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
   * A chunk of full size, which may be the last one or any before.
   *
   * @param {Uint8Array} chunk
   */
  _open(chunk) {
    if (this._ended) {
      throw new PayloadError("something follows the last chunk of the payload");
    }
    let plaintext = this._try(chunk, false);
    if (!plaintext) {
      plaintext = this._try(chunk, true);
      this._ended = true;
    }
    if (!plaintext) {
      throw new PayloadError("a chunk of the payload is altered, missing or extra");
    }
    this._count++;
    return plaintext;
  }

  /**
   * What came after the last chunk of full size: the last chunk, or nothing where that was it.
   *
   * @param {Uint8Array} chunk
   */
  _openRest(chunk) {
    if (this._ended && !chunk.length) {
      return NOTHING;
    }
    if (this._ended || chunk.length < TAG || (chunk.length === TAG && this._count)) {
      throw new PayloadError("the payload is cut off, ends in an empty chunk, or goes on after its last");
    }
    const plaintext = this._try(chunk, true);
    if (!plaintext) {
      throw new PayloadError("the last chunk of the payload is altered or missing");
    }
    return plaintext;
  }

  /**
   * @param {Uint8Array} chunk
   * @param {boolean} last
   */
  _try(chunk, last) {
    return this._key && open(this._key, nonceOf(this._count, last), chunk);
  }
}

/**
 * Try one identity; returns a LowOrderError instead of raising it, since another identity may open a stanza.
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
 * 11 bytes of count and one that marks the last chunk; a payload key is fresh, so none comes twice.
 *
 * @param {number} count
 * @param {boolean} last
 */
function nonceOf(count, last) {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(7, count); // 2**40 bytes of content have far fewer than 2**32 chunks
  nonce[11] = Number(last);
  return nonce;
}
