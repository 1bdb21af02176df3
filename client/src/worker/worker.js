/** The worker's side of the connection: takes questions from the page, and reports progress, waits and the outcome. */

import { ApiError } from "./server_api.js";
import { Refused } from "../protocol/reporter/compose.js";
import { ProtocolError } from "../protocol/errors.js";
import { hasher } from "./hashing.js";
import { PageRequest } from "./page_request.js";
import { Unclean } from "../pictures/errors.js";
import { WordsError } from "../protocol/code/words.js";

/** @import { HashReply, HashRequest } from "./hashing.js" */
/** @import { Prepared, Question } from "./task.js" */

/**
 * Messages to the worker: a question with its number, or its cancellation; and from it, any number for each question.
 *
 * @typedef {{ number: number, ask: Ask, question: Question } | { number: number, cancel: true } | HashRequest} Incoming
 * @typedef {"report" | "followUp" | "lookup" | "download" | "withdraw" | "words" | "begin" | "open" | "content" | "add" | "renew" | "matches" | "lists"} Ask
 *
 * @typedef {object} Outgoing
 * @property {number} number
 * @property {{ done: number, total: number }} [progress] in blocks
 * @property {{ seconds: number, why: string }} [wait] until the next try, and why
 * @property {boolean} [last] the last request is about to be made
 * @property {any} [answer]
 * @property {Fault} [fault]
 *
 * Why a task failed: a kind of ApiError, ProtocolError, Refused or Unclean, or `fault` for an error of this program.
 *
 * @typedef {{ kind: string, reason?: string, found?: number, word?: string, neighbours?: string[], names?: string[], altered?: string[], said?: string, wait?: number, isLate?: boolean }} Fault
 *
 * The part of a worker's global scope that is used here.
 *
 * @typedef {object} Scope
 * @property {(message: Outgoing | HashReply) => void} postMessage
 * @property {((event: { data: Incoming }) => void) | null} onmessage
 */

/**
 * Answer the questions of a page.
 *
 * @param {Scope} scope
 */
export function serve(scope) {
  /** @type {Map<number, AbortController>} */
  const pending = new Map();
  /** @type {Prepared} */
  const prepared = { inForce: null };
  const hash = hasher((reply) => scope.postMessage(reply));
  scope.onmessage = async ({ data }) => {
    if (!("number" in data)) {
      hash(data); // this worker was started by `Hashing`
      return;
    }
    const { number } = data;
    if ("cancel" in data) {
      pending.get(number)?.abort();
      return;
    }
    const controller = new AbortController();
    pending.set(number, controller);
    scope.postMessage({ number, ...(await outcome(scope, data, controller.signal, prepared)) });
    pending.delete(number);
  };
}

/**
 * @param {Scope} scope
 * @param {{ number: number, ask: Ask, question: Question }} data
 * @param {AbortSignal} signal
 * @param {Prepared} prepared
 */
async function outcome(scope, { number, ask, question }, signal, prepared) {
  const options = {
    signal,
    onWait: (/** @type {number} */ seconds, /** @type {string} */ why) =>
      scope.postMessage({ number, wait: { seconds, why } }),
    onLast: () => scope.postMessage({ number, last: true }),
  };
  const onProgress = (/** @type {number} */ done, /** @type {number} */ total) =>
    scope.postMessage({ number, progress: { done, total } });
  const task = new PageRequest(question, options, onProgress, prepared);
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
  const isKnown = error instanceof ProtocolError || error instanceof Refused;
  return { kind: isKnown ? error.kind : "fault" };
}
