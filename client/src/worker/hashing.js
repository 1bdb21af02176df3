/**
 * SHA-256 of a file as it streams by, in a second worker: hashing takes longer than sealing, and most devices have two
 * cores.  Small files are hashed here, and all files where a worker cannot start another.
 */

import { sha256 } from "@noble/hashes/sha2.js";

const MIN_SIZE = 1_048_576; // bytes; starting a worker takes longer than hashing less
const AHEAD = 4; // chunks that may wait for the worker

/**
 * Messages to the hashing worker, and its answers.
 *
 * @typedef {{ chunk: Uint8Array } | { end: true }} HashRequest
 * @typedef {{ taken: true } | { digest: Uint8Array }} HashReply
 *
 * @typedef {object} Hash
 * @property {(data: Uint8Array) => unknown} update to be awaited
 * @property {() => Uint8Array | Promise<Uint8Array>} digest
 *
 * @typedef {(request: HashRequest) => void} Post
 * @typedef {{ postMessage: Post, terminate: () => void, onmessage: any, onerror: any }} HashWorker
 */

/** Hashes one content after the other; must be closed. */
export class Hashing {
  /** @param {() => HashWorker} [start] starts a worker that runs `hasher` */
  constructor(start = () => new Worker(self.location.href)) {
    this._start = start;
    /** @type {HashWorker | null} */
    this._worker = null;
  }

  /**
   * Start the hash of one content.
   *
   * @param {number} size bytes
   * @returns {Hash}
   */
  begin(size) {
    if (size > MIN_SIZE) {
      try {
        this._worker = this._worker ?? this._start();
        return new WorkerHash(this._worker);
      } catch {
        // older browsers have no workers within workers
      }
    }
    return sha256.create();
  }

  /** Terminate the hashing worker. */
  close() {
    this._worker?.terminate();
  }
}

/** The hash of one content, computed in the hashing worker. */
class WorkerHash {
  /** @param {HashWorker} worker */
  constructor(worker) {
    this._worker = worker;
    this._pending = 0;
    /** @type {{ resolve: (reply: HashReply) => void, reject: (error: unknown) => void } | null} */
    this._waiting = null;
    worker.onmessage = (/** @type {{ data: HashReply }} */ { data }) => this._received(data);
    worker.onerror = () => {
      this._failed = new Error("the worker that hashes has ended");
      this._waiting?.reject(this._failed);
    };
  }

  /** @param {Uint8Array} data */
  async update(data) {
    this._pending++;
    this._worker.postMessage({ chunk: data }); // copies the data
    while (this._pending >= AHEAD) {
      await this._next();
    }
  }

  async digest() {
    this._worker.postMessage({ end: true });
    for (;;) {
      const reply = await this._next();
      if ("digest" in reply) {
        return reply.digest;
      }
    }
  }

  /** @param {HashReply} reply */
  _received(reply) {
    this._pending -= "taken" in reply ? 1 : 0;
    this._waiting?.resolve(reply);
  }

  /** @returns {Promise<HashReply>} */
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
 * The message handler of the hashing worker.
 *
 * @param {(reply: HashReply) => void} answer
 * @returns {(request: HashRequest) => void}
 */
export function hasher(answer) {
  let hash = sha256.create();
  return (request) => {
    if ("chunk" in request) {
      hash.update(request.chunk);
      answer({ taken: true });
    } else {
      answer({ digest: hash.digest() });
      hash = sha256.create();
    }
  };
}
