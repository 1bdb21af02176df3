/** The worker's end of the line: the page asks by messages, and is told of progress, of waits and of the outcome. */

import { ApiError } from "./server_api.js";
import { Refused } from "../protocol/reporter/compose.js";
import { ProtocolError } from "../protocol/errors.js";
import { hasher } from "./hashing.js";
import { PageTask } from "./page_request.js";
import { Unclean } from "../pictures/picture.js";
import { WordsError } from "../protocol/code/words.js";

/** @import { Step, Told } from "./hashing.js" */
/** @import { Question } from "./task.js" */

/**
 * What comes in: a question under a number, or the wish to end it; and what goes out, as often as there is news.
 *
 * @typedef {{ number: number, ask: Ask, question: Question } | { number: number, cancel: true } | Step} Incoming
 * @typedef {"report" | "followUp" | "look" | "download" | "withdraw" | "words" | "begin" | "open" | "add" | "renew" | "matches"} Ask
 *
 * @typedef {object} Outgoing
 * @property {number} number
 * @property {{ done: number, total: number }} [progress] in blocks
 * @property {{ seconds: number, why: string }} [wait] until the next try, and why
 * @property {boolean} [last] the last request is made now
 * @property {any} [answer]
 * @property {Fault} [fault]
 *
 * Why something came to nothing; the kinds are those of ApiError, ProtocolError, Refused and Unclean, or `fault` for ours.
 *
 * @typedef {{ kind: string, reason?: string, found?: number, word?: string, neighbours?: string[], names?: string[], altered?: string[], said?: string, wait?: number, isLate?: boolean }} Fault
 *
 * The part of a worker that is needed here.
 *
 * @typedef {object} Scope
 * @property {(message: Outgoing | Told) => void} postMessage
 * @property {((event: { data: Incoming }) => void) | null} onmessage
 */

/**
 * Answer whatever a page asks.
 *
 * @param {Scope} scope
 */
export function serve(scope) {
  /** @type {Map<number, AbortController>} */
  const under = new Map();
  const hash = hasher((told) => scope.postMessage(told));
  scope.onmessage = async ({ data }) => {
    if (!("number" in data)) {
      hash(data); // this is the other worker, which only hashes
      return;
    }
    const { number } = data;
    if ("cancel" in data) {
      under.get(number)?.abort();
      return;
    }
    const ending = new AbortController();
    under.set(number, ending);
    scope.postMessage({ number, ...(await outcome(scope, data, ending.signal)) });
    under.delete(number);
  };
}

/**
 * @param {Scope} scope
 * @param {{ number: number, ask: Ask, question: Question }} data
 * @param {AbortSignal} signal
 */
async function outcome(scope, { number, ask, question }, signal) {
  const course = {
    signal,
    onWait: (/** @type {number} */ seconds, /** @type {string} */ why) =>
      scope.postMessage({ number, wait: { seconds, why } }),
    onLast: () => scope.postMessage({ number, last: true }),
  };
  const task = new PageTask(question, course, (done, total) => scope.postMessage({ number, progress: { done, total } }));
  try {
    return { answer: await task[ask]() };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

/**
 * @param {unknown} error
 * @returns {Fault}
 */
function faultOf(error) {
  if (error instanceof WordsError) {
    const { kind, reason, found, word, neighbours } = error;
    return { kind, reason, found, word, neighbours };
  }
  if (error instanceof Unclean) {
    return { kind: error.kind, names: error.names, altered: error.altered };
  }
  if (error instanceof ApiError) {
    return { kind: error.kind, wait: error.wait };
  }
  const known = error instanceof ProtocolError || error instanceof Refused;
  return { kind: known ? error.kind : "fault" };
}
