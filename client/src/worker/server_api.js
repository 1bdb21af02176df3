/** What the server is asked by a reporter's program: everything by POST, in exact sizes, without any session. */

import { concatBytes } from "@noble/hashes/utils.js";

import { BLOCK } from "../protocol/case/attachment.js";
import * as parcel from "../protocol/reporter/submission.js";
import { TOKEN } from "../protocol/code/retrieval.js";

/** @import { Block } from "../protocol/case/attachment.js" */

const OCTETS = "application/octet-stream";
const PAD = 262_144; // bytes; an answer to a lookup is a multiple of it
const ENTRY = TOKEN + 9; // bytes of what is found, without its body
const DAY = 86_400_000; // milliseconds
const KEPT_ALIVE = 60_000; // bytes that a browser still sends when the page is gone
const PATIENCE = 180_000; // milliseconds: a block over a very slow line
/** @type {State[]} */
const STATES = ["waiting", "collected", "removed"];
const WITHDRAWN = ["withdrawn", "collected", "unknown"];
/** @type {Record<number, Fault>} */
const FAULTS = { 404: "missing", 408: "busy", 409: "taken", 425: "busy", 429: "limited", 507: "full" };

/**
 * What the server has under an id; `day` is that of the state.
 *
 * @typedef {{ id: Uint8Array, state: State, day: string, body: Uint8Array }} Found
 * @typedef {"waiting" | "collected" | "removed"} State
 *
 * What kept an answer away: no connection; the server has too much to do, or a fault of its own; more arrives than it
 * takes; something else lies under that token; its disk is full; there is no such thing; it takes no such request; or
 * nobody waits any more.
 *
 * @typedef {"cancelled" | "offline" | "busy" | "limited" | "taken" | "full" | "missing" | "refused"} Fault
 */

/** An answer that did not come, or was no answer; `wait` is in seconds, where the server said for how long. */
export class ApiError extends Error {
  /**
   * @param {Fault} kind
   * @param {number} [wait]
   */
  constructor(kind, wait = 0) {
    super(`no answer: ${kind}`);
    this.kind = kind;
    this.wait = wait;
  }
}

/** The server at an origin. */
export class Api {
  /**
   * @param {string} origin
   * @param {AbortSignal} [signal] what ends every request
   * @param {number} [patience] milliseconds that one may take
   */
  constructor(origin, signal, patience = PATIENCE) {
    this._patience = patience;
    this._origin = origin;
    this._signal = signal;
  }

  /** Whether a message would be taken now; an ApiError says why it would not. */
  async ready() {
    await this._post("/api/ready", new Uint8Array(0));
  }

  /**
   * Take blocks back that no report has named; also while the page is being left, if they are not too many.
   *
   * @param {Uint8Array[]} ids
   */
  async drop(ids) {
    await this._post("/api/drop", concatBytes(...ids), { keepalive: ids.length * TOKEN < KEPT_ALIVE });
  }

  /**
   * Keep a block for a report that follows; the same again changes nothing.
   *
   * @param {Block} block
   */
  async putBlock({ id, body }) {
    await this._post("/api/block", concatBytes(id, body));
  }

  /**
   * Keep envelopes under their tokens, with blocks that are there already; the same again changes nothing.
   *
   * @param {Uint8Array[]} tokens
   * @param {Uint8Array[]} envelopes
   * @param {Uint8Array[]} blocks their ids
   */
  async store(tokens, envelopes, blocks) {
    await this._post("/api/store", parcel.request(tokens, envelopes, blocks));
  }

  /**
   * What lies under the ids of one reporter.
   *
   * @param {Uint8Array[]} ids sorted
   */
  async look(ids) {
    return parseLook(await this._post("/api/lookup", concatBytes(...ids)));
  }

  /**
   * The bodies of blocks of replies, at most 64; null for one that is not there.
   *
   * @param {Uint8Array[]} ids
   */
  async blocks(ids) {
    return parseBlocks(await this._post("/api/blocks", concatBytes(...ids)), ids.length);
  }

  /**
   * Take a report and its slip back, while nobody has collected them.
   *
   * @param {Uint8Array[]} tokens of report and slip
   */
  async withdraw(tokens) {
    const [answer] = sized(await this._post("/api/withdraw", concatBytes(...tokens)), 1);
    return known(WITHDRAWN, answer);
  }

  /**
   * A published file.
   *
   * @param {string} path
   */
  async get(path) {
    return this._fetch(path, {});
  }

  /**
   * @param {string} path
   * @param {Uint8Array} body
   * @param {RequestInit} [more]
   */
  async _post(path, body, more) {
    const headers = { "Content-Type": OCTETS };
    return this._fetch(path, { ...more, method: "POST", headers, body: /** @type {Uint8Array<ArrayBuffer>} */ (body) });
  }

  /**
   * @param {string} path
   * @param {RequestInit} how
   */
  async _fetch(path, how) {
    const ending = new AbortController();
    const end = () => ending.abort();
    const timer = setTimeout(end, this._patience);
    this._signal?.addEventListener("abort", end);
    try {
      if (this._signal?.aborted) {
        throw new ApiError("cancelled");
      }
      const quiet = /** @type {const} */ ({ credentials: "omit", cache: "no-store", redirect: "error" });
      const response = await fetch(this._origin + path, { ...how, ...quiet, signal: ending.signal });
      if (!response.ok) {
        const kind = FAULTS[response.status] ?? (response.status >= 500 ? "busy" : "refused");
        throw new ApiError(kind, Number(response.headers.get("Retry-After")) || 0);
      }
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw error instanceof ApiError ? error : new ApiError(this._signal?.aborted ? "cancelled" : "offline");
    } finally {
      clearTimeout(timer);
      this._signal?.removeEventListener("abort", end);
    }
  }
}

/**
 * @param {Uint8Array} answer
 * @returns {Found[]}
 */
function parseLook(answer) {
  if (!answer.length || answer.length % PAD) {
    throw new ApiError("refused");
  }
  const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
  const found = [];
  let at = 4;
  for (let left = view.getUint32(0); left; left--) {
    const start = at + ENTRY;
    const length = start <= answer.length ? view.getUint32(start - 4) : Infinity;
    if (start + length > answer.length) {
      throw new ApiError("refused");
    }
    const state = known(STATES, answer[at + TOKEN]);
    const day = new Date(view.getUint32(at + TOKEN + 1) * DAY).toISOString().slice(0, 10);
    found.push({ id: answer.slice(at, at + TOKEN), state, day, body: answer.slice(start, start + length) });
    at = start + length;
  }
  return found;
}

/**
 * @param {Uint8Array} answer
 * @param {number} count
 */
function parseBlocks(answer, count) {
  /** @type {(Uint8Array | null)[]} */
  const bodies = [];
  let at = 0;
  while (bodies.length < count) {
    const length = answer[at] === 1 ? BLOCK : 0;
    bodies.push(length ? answer.slice(at + 1, at + 1 + length) : null);
    at += 1 + length;
  }
  sized(answer, at);
  return bodies;
}

/**
 * @param {Uint8Array} answer
 * @param {number} size
 */
function sized(answer, size) {
  if (answer.length !== size) {
    throw new ApiError("refused");
  }
  return answer;
}

/**
 * @template T
 * @param {T[]} names
 * @param {number} number
 */
function known(names, number) {
  const name = names[number];
  if (name === undefined) {
    throw new ApiError("refused");
  }
  return name;
}
