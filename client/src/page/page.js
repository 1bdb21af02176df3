/**
 * The reporter's forms with script on: their content is sealed in a worker and never sent to the server in the clear.
 *
 * Where that fails the page says so and the reporter chooses: try again, or submit without script.  The page never
 * falls back by itself.
 */

import * as caseSteps from "./case.js";
import { Beside, fetchText } from "./beside.js";
import { offerCleaning } from "./cleaning_choice.js";
import * as failures from "./failures.js";
import { Kit, refill } from "./kit.js";
import { clearProblems, showNotice, showProblems } from "./notices.js";
import { ProgressPanel } from "./progress_panel.js";
import { followBoxes } from "./readers.js";
import * as report from "./report.js";
import * as words from "./words.js";
import { TaskError, WorkerLink } from "./worker_link.js";

/** @import { Given } from "./beside.js" */
/** @import { Cleaning } from "../worker/task.js" */
/** @import { Audience, Person } from "./readers.js" */
/** @import { Ask } from "../worker/worker.js" */

/**
 * The manifest's fingerprint, people and channels, once the worker has tested itself and verified the manifest.
 *
 * @typedef {{ digits: string, serial: number, people: Person[], channels: Record<string, string[]> }} SignedList
 *
 * @typedef {(page: Page, form: HTMLFormElement) => unknown} Step
 */

/**
 * By the value of the form's `step` button.
 *
 * @type {Record<string, Step>}
 */
const STEPS = {
  send: report.send,
  words: words.showAgain,
  keep: words.askBack,
  kept: words.checkAsked,
  leave: words.skipCheck,
  look: caseSteps.open,
  "follow-up": caseSteps.followUp,
  withdraw: (page) => page.show(page.kit.page("withdraw")),
  "withdraw-now": caseSteps.withdraw,
  stop: caseSteps.confirmStop,
  "stop-now": caseSteps.stop,
  "make-report": caseSteps.makeReport,
  exposed: caseSteps.exposed,
  renew: caseSteps.renew,
  download: caseSteps.download,
};

/** @type {Record<string, { panel: string, progress: string, last?: string }>} */
const MODES = {
  send: { panel: "sending", progress: "script.progress", last: "script.storing" },
  look: { panel: "looking", progress: "script.fetched" },
  download: { panel: "looking", progress: "script.fetched" },
};

/** State of one page, from loading to leaving. */
export class Page {
  /**
   * @param {HTMLScriptElement} tag
   * @param {string} worker address of the worker's script
   */
  constructor(tag, worker) {
    const { roots = "" } = tag.dataset;
    const folder = new URL(".", tag.src).pathname;
    this.environment = { origin: location.origin, folder, roots: roots.split(" "), day: "", language: document.documentElement.lang };
    this._beside = new Beside();
    this._worker = worker;
    this.main = /** @type {HTMLElement} */ (document.querySelector("main"));
    this.typed = "";
    /** @type {any} */
    this.view = null;
    /** @type {Audience | null} */
    this.reading = null; // of the report whose words are shown
    this.asksAdvice = false; // the report whose words are shown
    this.list = "en";
    /** @type {Cleaning} */
    this.cleaning = { pictures: true, altered: false, others: false };
    this._tag = tag;
    this._guarded = false;
    this._busy = false;
    this._opensApp = false; // a tel: or mailto: link fires beforeunload although the page stays
    this._retryAt = 0; // milliseconds; when the worker retries to load the manifest
    this._retryReason = "";
    /** @type {ProgressPanel | null} */
    this._panel = null;
    /** @type {SignedList | null} */
    this._signedList = null;
    this._load();
    document.addEventListener("submit", (event) => this._submit(event));
    document.addEventListener("click", ({ target }) => {
      this._opensApp = Boolean(/** @type {Element} */ (target).closest('a[href^="tel:"], a[href^="mailto:"]'));
    });
    addEventListener("beforeunload", (event) => {
      if ((this._guarded || this._busy) && !this._opensApp) {
        event.preventDefault();
      }
      this._opensApp = false;
    });
  }

  /** @returns {Kit} */
  get kit() {
    return /** @type {Kit} */ (this._kit);
  }

  /** Null until the worker has verified the manifest. */
  get signedList() {
    return this._signedList;
  }

  /**
   * Replace the page's content; `guarded` asks before the page is left.
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

  /**
   * Show the fingerprint and the readers beside Send, and offer to clean pictures; nothing before the manifest is
   * verified.
   */
  showSealed() {
    if (this._signedList) {
      offerCleaning(this);
      followBoxes(this);
      const { digits } = this._signedList;
      const shown = document.createElement("b");
      shown.dir = "ltr";
      shown.textContent = digits;
      refill(this.main.querySelector(".sealing"), this.kit.page("sealed", { digits: shown }));
    }
  }

  /** Drop the words and all that followed from them. */
  forget() {
    this._guarded = false;
    [this.typed, this.view, this.reading] = ["", null, null];
  }

  /** @param {{ field: string, text: Node }[]} problems */
  showProblems(problems) {
    showProblems(this.kit, this.main, problems);
  }

  /**
   * Fetch a page from the server; `fields` must hold nothing about the reporter.
   *
   * @param {Record<string, string>} fields
   */
  async fetch(fields) {
    return parse(await fetchText(location.pathname, { method: "POST", body: new URLSearchParams(fields) }));
  }

  /**
   * Have the worker carry out a task, with a progress panel in the form's place; undefined if it failed.
   *
   * @param {HTMLFormElement} form
   * @param {string} mode
   * @param {Ask} ask
   * @param {object} question
   * @param {(signedList: SignedList) => void} [check]
   */
  async run(form, mode, ask, question, check = () => {}) {
    clearProblems(this.main);
    this._busy = true;
    let fault;
    const notice = this._kit ? null : showNotice(form, this._tag.dataset.checking ?? "");
    try {
      if (this._hasLoadFailed) {
        this._load(true); // loading failed unnoticed; the connection may be back
      }
      await this._kitReady?.finally(() => notice?.remove());
      return await this._ask(form, mode, ask, question, check);
    } catch (error) {
      fault = error instanceof TaskError ? { ...error.fault, isLate: this._panel?.isLast } : { kind: "fault" };
    } finally {
      this._busy = false;
      this._panel?.element.remove();
      form.hidden = false;
    }
    if (this._kit) {
      await failures.showFailure(this, form, mode, fault);
    } else {
      const { failed = "", plain = "" } = this._tag.dataset;
      failures.showNotLoaded(this, form, ("said" in fault && fault.said) || failed, plain);
    }
    return undefined;
  }

  /** Load everything again, with a new worker. */
  restart() {
    this._load(true);
  }

  /** Load everything again, and wait until the manifest of now is verified. */
  async renew() {
    this._load(true);
    await this._signedListReady;
  }

  /** Do not ask before the page is left. */
  allowLeaving() {
    this._guarded = false;
  }

  /**
   * Leave at once and without asking: clear the page and end any upload.
   *
   * @param {string} address
   */
  vanish(address) {
    this._busy = false;
    this._link?.close();
    this.forget();
    document.body.replaceChildren();
    location.replace(address); // instead of this page in the history, so that Back does not return here
  }

  /**
   * @param {HTMLFormElement} form
   * @param {string} mode
   * @param {Ask} ask
   * @param {object} question
   * @param {(signedList: SignedList) => void} check
   */
  async _ask(form, mode, ask, question, check) {
    const { panel: name, progress, last } = MODES[mode];
    const panel = name ? new ProgressPanel(this.kit, name) : null;
    this._panel = panel;
    if (panel) {
      form.before(panel.element);
      form.hidden = true;
      panel.element.focus();
      const left = (this._retryAt - Date.now()) / 1000;
      if (left > 1) {
        panel.wait(left, this._retryReason);
      }
    }
    let isStopped = false;
    let end = () => {
      isStopped = true;
    };
    const started = /** @type {Promise<SignedList>} */ (this._signedListReady);
    const link = /** @type {WorkerLink} */ (this._link);
    const asked = Promise.all([started, this._listsHandedOver]).then(([signedList]) => {
      if (isStopped) {
        throw new TaskError({ kind: "cancelled" });
      }
      check(signedList);
      const asking = link.ask(ask, question, {
        onProgress: (done, total) => panel?.progress(done, total, progress),
        onWait: (seconds, why) => panel?.wait(seconds, why),
        onLast: () => panel?.last(last),
      });
      end = asking.cancel;
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
    if (step && !(step === report.send && report.isSealed(form))) {
      event.preventDefault();
      if (!this._busy) {
        step(this, form);
      }
    }
  }

  /**
   * Take what came with the page, or fetch it anew; start a worker that tests itself and verifies the manifest.
   *
   * @param {boolean} [isAgain]
   */
  _load(isAgain = false) {
    this._link?.close();
    const link = new WorkerLink(this._worker, this.environment);
    this._link = link;
    const kitReady = this._beside.kit(isAgain).then((given) => this._use(given));
    this._kitReady = kitReady;
    this._hasLoadFailed = false;
    kitReady.catch(() => (this._hasLoadFailed ||= kitReady === this._kitReady));
    this._listsHandedOver = this._beside.lists().then((lists) => lists && link.ask("lists", { lists }).answer.catch(() => {}));
    this._retryAt = 0;
    const onWait = (/** @type {number} */ seconds, /** @type {string} */ why) => {
      [this._retryAt, this._retryReason] = [Date.now() + seconds * 1000, why];
      this._panel?.wait(seconds, why);
    };
    this._signedListReady = kitReady
      .then((published) => link.ask("begin", { published }, { onWait }).answer)
      .then((/** @type {SignedList} */ signedList) => {
        this._signedList = signedList;
        this.showSealed();
        return signedList;
      });
    this._signedListReady.catch(() => {}); // reported when a form is submitted
  }

  /** @param {Given} given */
  _use({ html, day, manifest, signature }) {
    this._kit = new Kit(parse(html));
    this.list = this._kit.settings.words;
    this.environment.day = day;
    return { manifest, signature };
  }
}

/**
 * Take over the forms of the page that loaded the program.
 *
 * @param {HTMLScriptElement} tag
 * @param {string} worker address of the worker's script
 */
export function start(tag, worker) {
  return new Page(tag, worker);
}

/** @param {string} html */
function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}
