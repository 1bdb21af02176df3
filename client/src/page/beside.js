/** What is loaded beside the program, at the same time: the kit and the lists of words, as scripts that set a name. */

import { assigned } from "../protocol/assigned.js";
import { TaskError } from "./worker_link.js";

const TOO_MANY_REQUESTS = 429;
const TIMEOUT = 60_000; // milliseconds

/**
 * The kit: templates and texts, the server's day, the manifest in force and its signature, which is not verified yet.
 *
 * @typedef {{ html: string, day: string, manifest: string, signature: string }} Given
 */

const loaded = /** @type {{ whistleKit?: Given, whistleWords?: string }} */ (globalThis);

/** The scripts beside this one, which run after it: each is there when it has run, or failed to come. */
export class Beside {
  constructor() {
    this._kit = arrived("kit.js");
    this._lists = arrived("words.js");
  }

  /**
   * The kit as it came with the page; fetched if it did not come, or to have it again as it is now.
   *
   * @param {boolean} isAgain
   * @returns {Promise<Given>}
   */
  async kit(isAgain) {
    const tag = await this._kit;
    return (!isAgain && loaded.whistleKit) || assigned(await fetchText(tag.src, {}));
  }

  /** The lists of words; undefined if they did not come. */
  async lists() {
    await this._lists;
    return loaded.whistleWords;
  }
}

/**
 * @param {string} name of a script that has not run yet
 * @returns {Promise<HTMLScriptElement>}
 */
function arrived(name) {
  const tag = /** @type {HTMLScriptElement} */ (document.querySelector(`script[src$="/${name}"]`));
  return new Promise((resolve) => {
    for (const end of ["load", "error"]) {
      tag.addEventListener(end, () => resolve(tag));
    }
  });
}

/**
 * An answer of the server; a TaskError says why there is none.
 *
 * @param {string} address
 * @param {RequestInit} how
 */
export async function fetchText(address, how) {
  const signal = AbortSignal.timeout(TIMEOUT);
  const answer = await fetch(address, { ...how, credentials: "omit", redirect: "error", signal });
  const text = await answer.text();
  if (answer.ok) {
    return text;
  }
  if (answer.status === TOO_MANY_REQUESTS) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const said = [...page.querySelectorAll("h1, .lead")].map((element) => element.textContent).join(". ");
    throw new TaskError({ kind: "limited", said, wait: Number(answer.headers.get("Retry-After")) || 0 });
  }
  throw new TaskError({ kind: "refused" });
}
