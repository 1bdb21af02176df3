/** Client of the server's interface for reporters (SPEC 9): POST requests and answers of fixed sizes, no session. */

import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";

import { BLOCK } from "../protocol/case/attachment.js";
import * as submission from "../protocol/reporter/submission.js";
import { ID } from "../protocol/code/retrieval.js";

/** @import { Block } from "../protocol/case/attachment.js" */

const OCTETS = "application/octet-stream";
const PAD = 262_144; // bytes of every answer to a lookup
const HEAD = 5; // bytes before its entries: how many there are, and whether there are more than it holds
const ENTRY = ID + 9; // bytes of an entry without its body: id, state, day, length
const DAY = 86_400_000; // milliseconds
const MAX_KEEPALIVE = 60_000; // bytes; browsers refuse `keepalive` requests of more than 64 KiB
const TIMEOUT = 180_000; // milliseconds; enough for a block over a very slow connection
/** @type {State[]} */
const STATES = ["waiting", "collected", "removed"];
const WITHDRAWN = ["withdrawn", "collected", "unknown"];
/** @type {Record<number, Fault>} */
const FAULTS = { 404: "missing", 408: "busy", 409: "taken", 412: "renewed", 424: "lost", 425: "busy", 429: "limited", 507: "full" };

/**
 * What the server has under an id; `day` is the day of the state.
 *
 * @typedef {{ id: Uint8Array, state: State, day: string, body: Uint8Array }} Found
 * @typedef {"waiting" | "collected" | "removed"} State
 *
 * Why a request failed: cancelled by the page; no connection; the server is overloaded or failed; rate limit; another
 * message is stored under the token; a newer manifest is in force; it has lost blocks of the message; its disk is full; not found; or the request or
 * its answer is not valid.
 *
 * @typedef {"cancelled" | "offline" | "busy" | "limited" | "taken" | "renewed" | "lost" | "full" | "missing" | "refused"} Fault
 */

/** A request failed; `wait` is the server's Retry-After in seconds, or 0. */
export class ApiError extends Error {
  /**
   * @param {Fault} kind
   * @param {number} [wait]
   */
  constructor(kind, wait = 0) {
    super(`request failed: ${kind}`);
    this.kind = kind;
    this.wait = wait;
  }
}

/** The server at one origin. */
export class Api {
  /**
   * @param {string} origin
   * @param {AbortSignal} [signal] aborts every request
   * @param {number} [timeout] milliseconds for each request
   */
  constructor(origin, signal, timeout = TIMEOUT) {
    this._timeout = timeout;
    this._origin = origin;
    this._signal = signal;
  }

  /** Ask whether the server would accept a message now; an ApiError says why not. */
  async ready() {
    await this._post("/api/ready", new Uint8Array(0));
  }

  /**
   * Delete blocks that no message has claimed; also works while the page is being closed, if they are not too many.
   *
   * @param {Uint8Array[]} ids
   */
  async drop(ids) {
    await this._post("/api/drop", concatBytes(...ids), { keepalive: ids.length * ID < MAX_KEEPALIVE });
  }

  /**
   * Store a block for a message that follows; idempotent.
   *
   * @param {Uint8Array} upload random, the same for all blocks of a message
   * @param {Block} block
   */
  async putBlock(upload, { id, body }) {
    await this._post("/api/block", concatBytes(upload, id, body));
  }

  /**
   * Store envelopes under a token and claim their blocks, which must be stored already; idempotent.
   *
   * @param {Uint8Array} token
   * @param {Uint8Array[]} envelopes
   * @param {Uint8Array[]} blocks their ids
   * @param {number} [serial] of the manifest that they were sealed by, to be refused if a newer one is in force
   */
  async store(token, envelopes, blocks, serial) {
    /** @type {Record<string, string>} */
    const sealedBy = serial === undefined ? {} : { "Whistle-Manifest": String(serial) };
    await this._post("/api/store", submission.encode(token, envelopes, blocks), {}, sealedBy);
  }

  /**
   * What is stored under the ids of one reporter, as far as one answer holds it, and whether there is more.
   *
   * @param {Uint8Array[]} ids sorted
   * @param {Uint8Array[]} [after] the last id of the answer before, if there was one
   */
  async lookup(ids, after = []) {
    return parseLookup(await this._post("/api/lookup", concatBytes(...after, ...ids)), after.map(bytesToHex).join());
  }

  /**
   * The bodies of at most 64 blocks of replies; null for one that is not stored.
   *
   * @param {Uint8Array[]} ids
   */
  async blocks(ids) {
    return parseBlocks(await this._post("/api/blocks", concatBytes(...ids)), ids.length);
  }

  /**
   * Withdraw a report and its slip, unless they have been collected.
   *
   * @param {Uint8Array} token of the report
   */
  async withdraw(token) {
    const [answer] = sized(await this._post("/api/withdraw", token), 1);
    return nameOf(WITHDRAWN, answer);
  }

  /**
   * A published file, such as the manifest.
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
   * @param {Record<string, string>} [named] more headers
   */
  async _post(path, body, more, named) {
    const headers = { "Content-Type": OCTETS, ...named };
    return this._fetch(path, { ...more, method: "POST", headers, body: /** @type {Uint8Array<ArrayBuffer>} */ (body) });
  }

  /**
   * @param {string} path
   * @param {RequestInit} how
   */
  async _fetch(path, how) {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, this._timeout);
    this._signal?.addEventListener("abort", abort);
    try {
      if (this._signal?.aborted) {
        throw new ApiError("cancelled");
      }
      const quiet = /** @type {const} */ ({ credentials: "omit", cache: "no-store", redirect: "error" });
      const response = await fetch(this._origin + path, { ...how, ...quiet, signal: controller.signal });
      if (!response.ok) {
        const kind = FAULTS[response.status] ?? (response.status >= 500 ? "busy" : "refused");
        throw new ApiError(kind, Number(response.headers.get("Retry-After")) || 0);
      }
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw error instanceof ApiError ? error : new ApiError(this._signal?.aborted ? "cancelled" : "offline");
    } finally {
      clearTimeout(timer);
      this._signal?.removeEventListener("abort", abort);
    }
  }
}

/**
 * @param {Uint8Array} answer
 * @param {string} last the hex of the id behind which it goes on
 */
function parseLookup(answer, last) {
  const view = new DataView(sized(answer, PAD).buffer, answer.byteOffset, answer.length);
  /** @type {Found[]} */
  const entries = [];
  let at = HEAD;
  for (let left = view.getUint32(0); left; left--) {
    const start = at + ENTRY;
    const length = start <= answer.length ? view.getUint32(start - 4) : Infinity;
    const id = answer.slice(at, at + ID);
    if (start + length > answer.length || bytesToHex(id) <= last) {
      throw new ApiError("refused"); // ids ascend, or it would have no end
    }
    last = bytesToHex(id);
    const state = nameOf(STATES, answer[at + ID]);
    const day = new Date(view.getUint32(at + ID + 1) * DAY).toISOString().slice(0, 10);
    entries.push({ id, state, day, body: answer.slice(start, start + length) });
    at = start + length;
  }
  const more = Boolean(answer[HEAD - 1]);
  if (more && !entries.length) {
    throw new ApiError("refused");
  }
  return { entries, more };
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
function nameOf(names, number) {
  const name = names[number];
  if (name === undefined) {
    throw new ApiError("refused");
  }
  return name;
}
