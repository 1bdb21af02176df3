/**
 * The frame: takes a file's bytes once, shows them, and answers with its state, that it is alive, and pixels.
 *
 * Whatever a file makes of this program, no more than these answers can leave the frame.
 */

import { button, element, toggle } from "./elements.js";
import { GROUPS } from "./hidden.js";
import { isMisnamed, kindOf } from "./kinds.js";
import { isTrue, pixelsOf } from "./pixels.js";
import { Refused } from "./refused.js";
import { viewOf } from "./views.js";
import { Words } from "./words.js";

/** @import { Fact } from "./hidden.js" */
/** @import { View } from "./views.js" */

/** @typedef {{ bytes: ArrayBuffer, name: string, words: import("./words.js").Given }} Given */

/**
 * Wait for the file, which comes with a port for answers.
 *
 * @param {Window} scope
 */
export function serve(scope) {
  const take = (/** @type {MessageEvent<Given>} */ { source, data, ports }) => {
    if (source === scope.parent && ports.length === 1) {
      scope.removeEventListener("message", take);
      void new Frame(ports[0], data).show();
    }
  };
  scope.addEventListener("message", take);
}

class Frame {
  /**
   * @param {MessagePort} port
   * @param {Given} given
   */
  constructor(port, { bytes, name, words }) {
    this._words = new Words(words);
    Object.assign(document.documentElement, { lang: words.language, dir: words.direction });
    this._port = port;
    this._bytes = bytes;
    this._kind = kindOf(new Uint8Array(bytes));
    this._main = /** @type {HTMLElement} */ (document.querySelector("main"));
    this._about = element("p", { role: "status" });
    this._controls = element("div", { class: "controls" });
    this._shown = element("div", { class: "shown" });
    this._number = 1;
    this._main.append(this._about, this._controls, this._shown);
    if (isMisnamed(this._kind, name)) {
      const kind = this._words.say(this._kind.name);
      this._about.before(element("p", { class: "warn" }, this._words.say("viewer.misnamed", { kind })));
    }
    port.onmessage = ({ data }) => this._asked(data);
  }

  async show() {
    try {
      this._view = await viewOf({ bytes: this._bytes, kind: this._kind, words: this._words, again: () => void this._page(1) });
      this._control(this._view);
      await this._page(1);
      this._port.postMessage({ state: "shown", copies: this._view.canvas && isTrue() });
    } catch (error) {
      this._refuse(error);
      this._port.postMessage({ state: "refused" });
    }
    await this._tell();
  }

  /** @param {{ ask: "alive" | "copy", number?: number }} asked */
  _asked({ ask, number = 1 }) {
    if (ask === "alive") {
      this._port.postMessage({ state: "alive" });
    } else if (ask === "copy" && this._view?.canvas) {
      void this._copy(this._view.canvas, this._view.count, number);
    }
  }

  /**
   * Answer with the pixels of a page.
   *
   * @param {(number: number) => Promise<HTMLCanvasElement>} canvasOf
   * @param {number} pages
   * @param {number} number
   */
  async _copy(canvasOf, pages, number) {
    const pixels = await canvasOf(number).then(pixelsOf, () => null);
    this._port.postMessage({ state: "copy", pages, pixels }, pixels ? [pixels.data] : []);
  }

  /** @param {View} view */
  _control(view) {
    if (view.isSeen) {
      this._shown.classList.add("blurred", "grey");
      const turn = (/** @type {string} */ name) => (/** @type {boolean} */ isOn) => void this._shown.classList.toggle(name, !isOn);
      this._controls.append(
        toggle(this._words.say("viewer.sharp"), turn("blurred")),
        toggle(this._words.say("viewer.colour"), turn("grey")),
      );
      this._controls.append(toggle(this._words.say("viewer.larger"), (isOn) => void this._shown.classList.toggle("large", isOn)));
    }
    this._place = element("span", { role: "status" });
    this._pager = element("span", { class: "pager" });
    this._pager.append(
      button(this._words.say("viewer.previous"), () => void this._page(this._number - 1)),
      this._place,
      button(this._words.say("viewer.next"), () => void this._page(this._number + 1)),
    );
    this._controls.append(...view.controls, this._pager);
  }

  /**
   * Show a page; the last one asked for counts.
   *
   * @param {number} number
   */
  async _page(number) {
    const view = this._view;
    if (!view || !this._pager || !this._place) {
      return;
    }
    this._number = Math.min(Math.max(1, number), view.count);
    const asked = this._number;
    const shown = await view.page(asked).catch((error) => {
      if (view.count === 1) {
        throw error;
      }
      return element("p", { class: "warn" }, this._sentence(error));
    });
    if (asked === this._number) {
      this._about.textContent = view.about;
      this._pager.hidden = view.count === 1;
      this._place.textContent = this._words.say("viewer.place", { number: asked, count: view.count });
      this._shown.replaceChildren(shown);
    }
  }

  /** @param {unknown} error */
  _refuse(error) {
    this._controls.remove();
    this._shown.remove();
    this._about.className = "warn";
    this._about.textContent = this._sentence(error);
  }

  /** @param {unknown} error */
  _sentence(error) {
    return error instanceof Refused ? this._words.say(error.key, error.values) : this._words.say("viewer.not_shown");
  }

  /** Show what the file tells besides what one sees. */
  async _tell() {
    if (!this._view || this._kind.way === "text") {
      return;
    }
    const facts = await this._view.facts().catch(() => null);
    const heading = element("h2", { id: "hidden" }, this._words.say("viewer.hidden"));
    const about = facts ? (facts.length ? "viewer.hidden_claims" : "viewer.hidden_nothing") : "viewer.hidden_unread";
    const panel = element("section", { "aria-labelledby": "hidden" }, heading);
    panel.append(element("p", { class: "hint" }, this._words.say(about)));
    for (const group of GROUPS.filter((each) => facts?.some((fact) => fact.group === each))) {
      panel.append(element("h3", {}, this._words.say(group)), listOf((facts ?? []).filter((fact) => fact.group === group)));
    }
    this._main.append(panel);
  }
}

/** @param {Fact[]} facts */
function listOf(facts) {
  const list = element("dl");
  for (const { label, value } of facts) {
    list.append(element("dt", {}, label), element("dd", { dir: "auto" }, value));
  }
  return list;
}
