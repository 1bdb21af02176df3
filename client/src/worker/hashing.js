/**
 * SHA-256 of a file as it streams by, in a worker of its own: it takes longer than sealing, and most devices have two
 * cores.  Where no worker can be had, and for little, it is done here.
 */

import { sha256 } from "@noble/hashes/sha2.js";

const LITTLE = 1_048_576; // bytes that are hashed sooner than a worker starts
const AHEAD = 4; // pieces that may wait for the worker

/**
 * What the worker is sent, a piece or the wish for the hash of all of them; and what it answers.
 *
 * @typedef {{ piece: Uint8Array } | { end: true }} Step
 * @typedef {{ taken: true } | { digest: Uint8Array }} Told
 *
 * @typedef {object} Hash
 * @property {(data: Uint8Array) => unknown} update to be waited for
 * @property {() => Uint8Array | Promise<Uint8Array>} digest
 *
 * @typedef {(step: Step) => void} Post
 * @typedef {{ postMessage: Post, terminate: () => void, onmessage: any, onerror: any }} Other another worker
 */

/** Hashes one content after the other; `close` it in the end. */
export class Hashing {
  /** @param {() => Other} [start] a worker that does what `hasher` does */
  constructor(start = () => new Worker(self.location.href)) {
    this._start = start;
    /** @type {Other | null} */
    this._worker = null;
  }

  /**
   * For a content of that many bytes.
   *
   * @param {number} size
   * @returns {Hash}
   */
  begin(size) {
    if (size > LITTLE) {
      try {
        this._worker = this._worker ?? this._start();
        return new Far(this._worker);
      } catch {
        // no worker within a worker: an older browser
      }
    }
    return sha256.create();
  }

  close() {
    this._worker?.terminate();
  }
}

/** The hash of one content, at another worker. */
class Far {
  /** @param {Other} worker */
  constructor(worker) {
    this._worker = worker;
    this._under = 0;
    /** @type {{ resolve: (told: Told) => void, reject: (error: unknown) => void } | null} */
    this._waiting = null;
    worker.onmessage = (/** @type {{ data: Told }} */ { data }) => this._told(data);
    worker.onerror = () => {
      this._failed = new Error("the worker that hashes has ended");
      this._waiting?.reject(this._failed);
    };
  }

  /** @param {Uint8Array} data */
  async update(data) {
    this._under++;
    this._worker.postMessage({ piece: data }); // which copies it
    while (this._under >= AHEAD) {
      await this._next();
    }
  }

  async digest() {
    this._worker.postMessage({ end: true });
    for (;;) {
      const told = await this._next();
      if ("digest" in told) {
        return told.digest;
      }
    }
  }

  /** @param {Told} told */
  _told(told) {
    this._under -= "taken" in told ? 1 : 0;
    this._waiting?.resolve(told);
  }

  /** @returns {Promise<Told>} */
  _next() {
    return new Promise((resolve, reject) => {
      if (this._failed) {
        reject(this._failed);
      }
      this._waiting = { resolve, reject };
    });
  }
}

/**
 * What answers at the other worker.
 *
 * @param {(told: Told) => void} tell
 * @returns {(step: Step) => void}
 */
export function hasher(tell) {
  let hash = sha256.create();
  return (step) => {
    if ("piece" in step) {
      hash.update(step.piece);
      tell({ taken: true });
    } else {
      tell({ digest: hash.digest() });
      hash = sha256.create();
    }
  };
}
