/**
 * The page's half: fetches the verified bytes, hands them to the frame, and never parses them.
 *
 * From the frame it takes words of a short list, and, when a person asked for a clean copy, pixels, of which it makes
 * the picture itself.  A frame that is silent, or that goes anywhere else, is removed.
 */

import { MAX_PAGES } from "./limits.js";
import { pngOf } from "./png_file.js";
import { Words } from "./words.js";

const BEAT = 1000; // milliseconds
const SILENT = 10; // beats without an answer
const SLOW = 60; // beats until something must be shown
const STATES = {
  opening: "viewer.opening",
  shown: "viewer.shown",
  refused: "viewer.refused",
  silent: "viewer.silent",
  gone: "viewer.gone",
  failed: "viewer.failed",
};

/**
 * @typedef {{ state: "copy", pages: number, pixels: unknown }} Copy
 * @typedef {{ state: "alive" | "shown" | "refused", copies?: boolean } | Copy} Answer
 */

/** @param {HTMLElement} root */
export function start(root) {
  void new Look(root).open();
}

class Look {
  /** @param {HTMLElement} root */
  constructor(root) {
    this._root = root;
    this._status = /** @type {HTMLElement} */ (root.querySelector("[role=status]"));
    this._button = /** @type {HTMLButtonElement} */ (root.querySelector("button"));
    this._given = JSON.parse(root.dataset.words ?? "");
    this._words = new Words(this._given);
    this._quiet = 0; // beats since the frame's last answer
    this._waited = 0; // beats since something was asked for
    /** @type {((answer: Copy | null) => void) | null} */
    this._copying = null;
    this._button.addEventListener("click", () => void this._copy());
  }

  async open() {
    this._say("opening");
    const answer = await fetch(this._address("bytes"), { method: "POST" });
    if (!answer.ok) {
      this._say("failed");
      return;
    }
    const bytes = await answer.arrayBuffer();
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.title = this._words.say("viewer.frame");
    frame.referrerPolicy = "no-referrer";
    frame.addEventListener("load", () => this._loaded(bytes));
    frame.src = this._address("frame");
    this._frame = frame;
    this._root.append(frame);
    this._timer = setInterval(() => this._beat(), BEAT);
  }

  /** @param {ArrayBuffer} bytes */
  _loaded(bytes) {
    if (this._port) {
      this._remove("gone");
      return;
    }
    const { port1, port2 } = new MessageChannel();
    this._port = port1;
    port1.onmessage = ({ data }) => this._answered(data);
    const given = { bytes, name: this._root.dataset.name ?? "", words: this._given };
    this._frame?.contentWindow?.postMessage(given, "*", [port2, bytes]); // its origin has no name
  }

  /** @param {Answer} answer */
  _answered(answer) {
    this._quiet = 0;
    if (answer?.state === "shown" || answer?.state === "refused") {
      this._say(answer.state);
      this._button.hidden = answer.state !== "shown" || answer.copies !== true;
    } else if (answer?.state === "copy") {
      this._copying?.(answer);
    }
  }

  /** Counted, not timed: a computer that slept gives the frame its chance to answer. */
  _beat() {
    this._quiet += Number(Boolean(this._port));
    this._waited += Number(this._root.dataset.state === "opening" || Boolean(this._copying));
    if (this._quiet > SILENT || this._waited > SLOW) {
      this._remove("silent");
    } else {
      this._port?.postMessage({ ask: "alive" });
    }
  }

  /** @param {"silent" | "gone"} why */
  _remove(why) {
    clearInterval(this._timer);
    this._port?.close();
    this._frame?.remove();
    this._button.hidden = true;
    this._say(why);
    this._copying?.(null);
  }

  /** Save a picture of each page, one after the other, so that one at a time is in memory. */
  async _copy() {
    this._button.disabled = true;
    let [saved, pages] = [0, 1];
    for (let number = 1; number <= Math.min(pages, MAX_PAGES); number++) {
      const answer = await this._pixels(number);
      if (!answer) {
        break;
      }
      pages = Number(answer.pages);
      this._status.textContent = this._words.say("viewer.saving", { number, count: Math.min(pages, MAX_PAGES) });
      saved += Number(await this._save(number, answer.pixels));
    }
    this._button.disabled = false;
    if (this._root.dataset.state === "shown") {
      this._status.textContent = saved ? copied(this._words, saved, pages - saved) : this._words.say("viewer.copy_none");
    }
  }

  /**
   * The frame's answer to being asked for a page's pixels; null from a frame that was removed.
   *
   * @param {number} number
   * @returns {Promise<Copy | null>}
   */
  _pixels(number) {
    this._waited = 0;
    return new Promise((resolve) => {
      this._copying = (answer) => {
        this._copying = null;
        resolve(answer);
      };
      this._port?.postMessage({ ask: "copy", number });
    });
  }

  /**
   * Save a picture of a page; whether that worked.
   *
   * @param {number} number
   * @param {unknown} pixels
   */
  async _save(number, pixels) {
    const picture = await pngOf(pixels);
    if (!picture) {
      return false;
    }
    const answer = await fetch(`${this._address("clean")}?page=${number}`, { method: "POST", body: picture });
    return answer.ok;
  }

  /** @param {string} name */
  _address(name) {
    return /** @type {string} */ (this._root.dataset[name]);
  }

  /** @param {keyof typeof STATES} state */
  _say(state) {
    this._root.dataset.state = state;
    this._status.textContent = this._words.say(STATES[state]);
  }
}

/**
 * @param {Words} words
 * @param {number} saved
 * @param {number} left pages that are not in the copy
 */
function copied(words, saved, left) {
  const sentences = [words.say("viewer.copied", {}, saved)];
  if (left > 0) {
    sentences.push(words.say("viewer.copy_left_out", {}, left));
  }
  return [...sentences, words.say("viewer.copy_seen")].join(" ");
}
