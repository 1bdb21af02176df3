/**
 * Blocks on their way to the server: a few at a time, in constant memory, as often as it takes.
 *
 * What has been put stays put, so that an upload goes on where a connection broke.
 */

import { ApiError } from "./server_api.js";

/** @import { Fault as ApiFault } from "./server_api.js" */
/** @import { Block } from "../protocol/case/attachment.js" */

const PARALLEL = 3; // requests under way
const FIRST_WAIT = 1; // seconds
const LONGEST_WAIT = 30;
const LONGEST_TOLD = 300; // where the server says for how long
const REFUSALS = 5; // in a row, for there being too much; then somebody has to ask for it again
const PASSING = ["offline", "busy", "limited"];

/**
 * Ends what is under way; is told of each wait, in seconds, and why it is; and of the last request before it is made,
 * since ending that one may come too late.
 *
 * @typedef {object} Course
 * @property {AbortSignal} [signal]
 * @property {(seconds: number, why: ApiFault) => void} [onWait]
 * @property {() => void} [onLast]
 * @property {typeof pause} [sleep]
 */

/**
 * Put every block of a stream; returns what the stream returns.  Raises what the stream or `put` raise.
 *
 * @template T
 * @param {AsyncGenerator<Block, T, void>} blocks
 * @param {(block: Block) => Promise<void>} put
 * @returns {Promise<T>}
 */
export async function upload(blocks, put) {
  /** @type {Set<Promise<void>>} */
  const under = new Set();
  /** @type {unknown[]} */
  const faults = [];
  while (!faults.length) {
    const step = await blocks.next();
    if (step.done) {
      await Promise.all(under);
      if (!faults.length) {
        return step.value;
      }
      break;
    }
    const putting = put(step.value)
      .catch((fault) => void faults.push(fault))
      .finally(() => under.delete(putting));
    under.add(putting);
    if (under.size >= PARALLEL) {
      await Promise.race(under);
    }
  }
  throw faults[0];
}

/**
 * The answer to a request that may be made again, for as long as only the connection or the server's load is at fault.
 * Where more arrives than the server takes, some times, and never after more than five minutes.
 *
 * @template T
 * @param {() => Promise<T>} request
 * @param {Course} course
 * @returns {Promise<T>}
 */
export async function again(request, { signal, onWait, sleep = pause }) {
  let refusals = 0;
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ApiError) || !PASSING.includes(error.kind)) {
        throw error;
      }
      if (error.kind === "limited" && (error.wait > LONGEST_TOLD || ++refusals > REFUSALS)) {
        throw error;
      }
      const seconds = Math.min(Math.max(wait, error.wait), LONGEST_TOLD);
      onWait?.(seconds, error.kind);
      await sleep(seconds, signal);
    }
  }
}

/**
 * Some seconds, or less if all is to end.
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
