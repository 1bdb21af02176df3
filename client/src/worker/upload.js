/**
 * Uploads blocks, a few at a time and in constant memory, and retries requests.
 *
 * Blocks that are stored stay stored, so that an upload resumes where the connection broke.
 */

import { ApiError } from "./server_api.js";

/** @import { Fault as ApiFault } from "./server_api.js" */
/** @import { Block } from "../protocol/case/attachment.js" */

const PARALLEL = 3; // requests at a time
const FIRST_WAIT = 1; // seconds
const MAX_WAIT = 30;
const MAX_RETRY_AFTER = 300; // when the server asks for a wait
const MAX_REFUSALS = 5; // by the rate limit, for one request; then the person has to try again
const TRANSIENT = ["offline", "busy", "limited"];

/**
 * `signal` cancels the task.  `onWait` is called before each wait, in seconds, with the reason; `onLast` before the
 * last request, after which cancelling may come too late.
 *
 * @typedef {object} TaskOptions
 * @property {AbortSignal} [signal]
 * @property {(seconds: number, why: ApiFault) => void} [onWait]
 * @property {() => void} [onLast]
 * @property {typeof pause} [sleep]
 */

/**
 * Upload every block of a stream with `put`; returns what the stream returns.  Raises what the stream or `put` raise.
 *
 * The first block goes alone, and one more joins in after each round trip: blocks that began together would end
 * together, and leave the line idle while all of them wait for their answers.
 *
 * @template T
 * @param {AsyncGenerator<Block, T, void>} blocks
 * @param {(block: Block) => Promise<void>} put
 * @param {Promise<number>} [roundTrip] milliseconds, once they are known
 * @returns {Promise<T>}
 */
export async function upload(blocks, put, roundTrip = Promise.resolve(0)) {
  const parallel = new Parallel(roundTrip);
  /** @type {Set<Promise<void>>} */
  const pending = new Set();
  /** @type {unknown[]} */
  const faults = [];
  while (!faults.length) {
    const step = await blocks.next();
    if (step.done) {
      await Promise.all(pending);
      if (!faults.length) {
        return step.value;
      }
      break;
    }
    const putting = put(step.value)
      .catch((fault) => void faults.push(fault))
      .finally(() => pending.delete(putting));
    pending.add(putting);
    while (pending.size >= parallel.allowed) {
      await Promise.race([...pending, ...parallel.more()]);
    }
  }
  throw faults[0];
}

/** How many requests may be made at a time. */
class Parallel {
  /** @param {Promise<number>} roundTrip milliseconds */
  constructor(roundTrip) {
    this.allowed = 1;
    this._next = roundTrip.then((milliseconds) => this._grow(milliseconds));
  }

  /** What to wait for until more are allowed, if ever. */
  more() {
    return this.allowed < PARALLEL ? [this._next] : [];
  }

  /** @param {number} milliseconds until the one after this */
  _grow(milliseconds) {
    if (++this.allowed < PARALLEL) {
      this._next = pause(milliseconds / 1000).then(() => this._grow(milliseconds));
    }
  }
}

/**
 * Retry an idempotent request while the connection or the server's load is at fault; after a rate limit only a few
 * times, and never when the wait would exceed five minutes.
 *
 * @template T
 * @param {() => Promise<T>} request
 * @param {TaskOptions} options
 * @returns {Promise<T>}
 */
export async function retry(request, { signal, onWait, sleep = pause }) {
  let refusals = 0;
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, MAX_WAIT)) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ApiError) || !TRANSIENT.includes(error.kind)) {
        throw error;
      }
      if (error.kind === "limited" && (error.wait > MAX_RETRY_AFTER || ++refusals > MAX_REFUSALS)) {
        throw error;
      }
      const seconds = Math.min(Math.max(wait, error.wait), MAX_RETRY_AFTER);
      onWait?.(seconds, error.kind);
      await sleep(seconds, signal);
    }
  }
}

/**
 * Wait; returns at once when the signal aborts.
 *
 * @param {number} seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function pause(seconds, signal) {
  return new Promise((resolve) => {
    const ended = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", ended);
      resolve();
    };
    const timer = setTimeout(ended, signal?.aborted ? 0 : seconds * 1000);
    signal?.addEventListener("abort", ended);
  });
}
