/**
 * The reporter's forms where script is on: what they hold is sealed in a worker and never sent to the server.
 *
 * Where that fails the page says so, and whoever sits there chooses: again, or the plain way.  It never chooses itself.
 */

import * as back from "./case.js";
import * as faults from "./failures.js";
import { Kit } from "./kit.js";
import { offer } from "./cleaning_choice.js";
import { Failed, Line } from "./worker_link.js";
import { Panel, clearProblems, say, showProblems } from "./progress_panel.js";
import { follow } from "./readers.js";
import * as tell from "./report.js";
import * as kept from "./words.js";

/** @import { Cleaning } from "../worker/task.js" */
/** @import { Person, Reading } from "./readers.js" */
/** @import { Ask } from "../worker/worker.js" */

/**
 * What the worker says of itself and of the signed list.
 *
 * @typedef {{ digits: string, serial: number, people: Person[], channels: Record<string, string[]> }} Begun
 *
 * @typedef {(page: Page, form: HTMLFormElement) => unknown} Step
 */

/** @type {Record<string, Step>} */
const STEPS = {
  send: tell.send,
  words: kept.again,
  keep: kept.keep,
  kept: kept.kept,
  leave: kept.leave,
  look: back.open,
  "follow-up": back.followUp,
  withdraw: (page) => page.show(page.kit.page("withdraw")),
  "withdraw-now": back.withdraw,
  stop: back.confirmStop,
  "stop-now": back.stop,
  exposed: back.exposed,
  renew: back.renew,
  download: back.download,
};

/** @type {Record<string, { panel: string, progress: string, last?: string }>} */
const WAYS = {
  send: { panel: "sending", progress: "script.progress", last: "script.storing" },
  look: { panel: "looking", progress: "script.fetched" },
  download: { panel: "looking", progress: "script.fetched" },
};

const LIMITED = 429; // where more arrives than the server takes
const PATIENCE = 60_000; // milliseconds for a page of the server's

/** One page, from when it is loaded until it is left. */
export class Page {
  /** @param {HTMLScriptElement} tag */
  constructor(tag) {
    const { roots = "", day = "" } = tag.dataset;
    const folder = new URL(".", tag.src).pathname;
    this.place = { origin: location.origin, folder, roots: roots.split(" "), day };
    this.main = /** @type {HTMLElement} */ (document.querySelector("main"));
    this.typed = "";
    /** @type {any} */
    this.view = null;
    /** @type {Reading | null} */
    this.reading = null; // of the report whose words are shown
    this.list = "en";
    /** @type {Cleaning} */
    this.cleaning = { pictures: true, altered: false, others: false };
    this._tag = tag;
    this._guarded = false;
    this._busy = false;
    this._calls = false; // a number is dialled, which browsers take for leaving though the page stays
    this._next = 0; // when the worker asks again for what it begins with, in milliseconds, and why not now
    this._why = "";
    /** @type {Panel | null} */
    this._panel = null;
    /** @type {Begun | null} */
    this._begun = null;
    this._begin();
    document.addEventListener("submit", (event) => this._submit(event));
    document.addEventListener("click", ({ target }) => {
      this._calls = Boolean(/** @type {Element} */ (target).closest('a[href^="tel:"], a[href^="mailto:"]'));
    });
    addEventListener("beforeunload", (event) => {
      if ((this._guarded || this._busy) && !this._calls) {
        event.preventDefault();
      }
      this._calls = false;
    });
  }

  /** @returns {Kit} */
  get kit() {
    return /** @type {Kit} */ (this._kit);
  }

  /** What the signed list holds, once the program has read it. */
  get begun() {
    return this._begun;
  }

  /**
   * Show another page in this one's place; `guarded`: ask before it is left.
   *
   * @param {Node | NodeList} content
   * @param {{ guarded?: boolean }} [how]
   */
  show(content, { guarded = false } = {}) {
    this._guarded = guarded;
    document.querySelector(".languages")?.remove();
    document.querySelector("footer")?.toggleAttribute("hidden", guarded);
    this.main.replaceChildren(...(content instanceof Node ? [content] : content));
    scrollTo(0, 0);
    this.main.focus();
  }

  /** Say at Send who locks it and who reads it, and offer to clean pictures; only when program and list were found good. */
  sealed() {
    if (this._begun) {
      offer(this);
      follow(this);
      const { digits } = this._begun;
      const shown = document.createElement("b");
      shown.dir = "ltr";
      shown.textContent = digits;
      this.main.querySelector(".sealing")?.replaceWith(this.kit.page("sealed", { digits: shown }));
    }
  }

  /** Nothing of the words stays. */
  forget() {
    this._guarded = false;
    [this.typed, this.view, this.reading] = ["", null, null];
  }

  /** @param {{ field: string, text: Node }[]} problems */
  problems(problems) {
    showProblems(this.kit, this.main, problems);
  }

  /**
   * A page of the server's, by fields that say nothing about anybody.
   *
   * @param {Record<string, string>} fields
   */
  async fetch(fields) {
    const body = new URLSearchParams({ ...fields });
    const answer = await fetch(location.pathname, {
      method: "POST",
      body,
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) {
      return found;
    }
    if (answer.status === LIMITED) {
      const said = [...found.querySelectorAll("h1, .lead")].map((each) => each.textContent).join(". ");
      throw new Failed({ kind: "limited", said, wait: Number(answer.headers.get("Retry-After")) || 0 });
    }
    throw new Failed({ kind: "refused" });
  }

  /**
   * Have the worker do something, with a panel in the form's place; undefined where it came to nothing.
   *
   * @param {HTMLFormElement} form
   * @param {string} way
   * @param {Ask} ask
   * @param {object} question
   * @param {(begun: Begun) => void} [check]
   */
  async work(form, way, ask, question, check = () => {}) {
    clearProblems(this.main);
    this._busy = true;
    let fault;
    const told = this._kit ? null : say(form, this._tag.dataset.checking ?? "");
    try {
      if (this._isLost) {
        this._begin(); // what failed while nobody waited may be well by now
      }
      await this._ready?.finally(() => told?.remove());
      return await this._ask(form, way, ask, question, check);
    } catch (error) {
      fault = error instanceof Failed ? { ...error.fault, isLate: this._panel?.isLast } : { kind: "fault" };
    } finally {
      this._busy = false;
      this._panel?.element.remove();
      form.hidden = false;
    }
    if (this._kit) {
      await faults.tell(this, form, way, fault);
    } else {
      const { failed = "", plain = "" } = this._tag.dataset;
      faults.unready(this, form, ("said" in fault && fault.said) || failed, plain);
    }
    return undefined;
  }

  /** Start once more, with a new worker. */
  restart() {
    this._begin();
  }

  /** Let the page go without asking. */
  leave() {
    this._guarded = false;
  }

  /**
   * Away from here, at once and without a question: out of sight, out of the page, and an upload under way ends.
   *
   * @param {string} address
   */
  vanish(address) {
    this._busy = false;
    this._line?.close();
    this.forget();
    document.body.replaceChildren();
    location.replace(address); // in this page's place, so that Back leads past it
  }

  /**
   * @param {HTMLFormElement} form
   * @param {string} way
   * @param {Ask} ask
   * @param {object} question
   * @param {(begun: Begun) => void} check
   */
  async _ask(form, way, ask, question, check) {
    const { panel: name, progress, last } = WAYS[way];
    const panel = name ? new Panel(this.kit, name) : null;
    this._panel = panel;
    if (panel) {
      form.before(panel.element);
      form.hidden = true;
      panel.element.focus();
      const left = (this._next - Date.now()) / 1000;
      if (left > 1) {
        panel.wait(left, this._why);
      }
    }
    let isStopped = false;
    let end = () => {
      isStopped = true;
    };
    const started = /** @type {Promise<Begun>} */ (this._started);
    const line = /** @type {Line} */ (this._line);
    const asked = started.then((begun) => {
      if (isStopped) {
        throw new Failed({ kind: "cancelled" });
      }
      check(begun);
      const asking = line.ask(ask, question, {
        onProgress: (done, total) => panel?.progress(done, total, progress),
        onWait: (seconds, why) => panel?.wait(seconds, why),
        onLast: () => panel?.last(last),
      });
      end = asking.end;
      return asking.answer;
    });
    try {
      return await Promise.race(panel ? [asked, panel.stopped] : [asked]);
    } catch (error) {
      end();
      throw error;
    }
  }

  /** @param {SubmitEvent} event */
  _submit(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const button = /** @type {HTMLInputElement | null} */ (form.querySelector("[name=step]"));
    const step = STEPS[button?.value ?? ""];
    if (form.id === "leave") {
      event.preventDefault();
      this.vanish(form.dataset.to ?? "");
      return;
    }
    if (step && !(step === tell.send && tell.isSealed(form))) {
      event.preventDefault();
      if (!this._busy) {
        step(this, form);
      }
    }
  }

  /** Load what the pages are made of, and start the worker with a check of itself. */
  _begin() {
    this._line?.close();
    this._line = new Line(this._tag.src, this.place);
    this._ready = this.fetch({ step: "script" }).then((found) => {
      this._kit = new Kit(found);
      this.list = this._kit.settings.words;
    });
    this._isLost = false;
    const ready = this._ready;
    ready.catch(() => (this._isLost ||= ready === this._ready));
    this._next = 0;
    const asking = this._line.ask("begin", {}, {
      onWait: (seconds, why) => {
        [this._next, this._why] = [Date.now() + seconds * 1000, why];
        this._panel?.wait(seconds, why);
      },
    });
    this._started = Promise.all([asking.answer, this._ready]).then(([begun]) => {
      this._begun = /** @type {Begun} */ (begun);
      this.sealed();
      return this._begun;
    });
    this._started.catch(() => {}); // told when somebody sends
  }
}

/**
 * Take over the forms of the page that loaded the program.
 *
 * @param {HTMLScriptElement} tag
 */
export function start(tag) {
  return new Page(tag);
}
