/** The panel that takes a form's place while a task runs. */

import { TaskError } from "./worker_link.js";

/** @import { Kit } from "./kit.js" */

const MINUTE = 60; // seconds
const STEP = 10; // percent between two announcements

/** Progress, the time left, and buttons to cancel or to submit without script. */
export class ProgressPanel {
  /**
   * @param {Kit} kit
   * @param {string} name of its template
   */
  constructor(kit, name) {
    this._kit = kit;
    this._isSending = name === "sending";
    this._startedAt = 0;
    this._announced = "";
    /** Whether the last request has been made: cancelling may come too late. */
    this.isLast = false;
    this.element = /** @type {HTMLElement} */ (kit.page(name).firstElementChild);
    this._status = /** @type {HTMLElement} */ (this.element.querySelector("[role=status]"));
    this._bar = /** @type {HTMLProgressElement} */ (this.element.querySelector("progress"));
    /** Rejects with `cancelled` or `plain` when its button is pressed. */
    this.stopped = new Promise((_, reject) => {
      for (const kind of ["cancelled", "plain"]) {
        this._button(kind).onclick = () => reject(new TaskError({ kind }));
      }
    });
  }

  /**
   * @param {number} done blocks
   * @param {number} total
   * @param {string} key of the message
   */
  progress(done, total, key) {
    this._startedAt ||= Date.now();
    this._bar.value = done / total;
    this._button("plain").hidden = true;
    const left = ((Date.now() - this._startedAt) / 1000 / done) * (total - done);
    const about = left < MINUTE ? this._kit.message("script.soon") : this._minutes(Math.round(left / MINUTE));
    const [some, all] = [done, total].map((count) => this._kit.size(count * 262_144));
    const mark = `${Math.floor((100 * done) / total / STEP)} ${about.textContent}`;
    if (mark !== this._announced) {
      this._announced = mark;
      const amount = this._kit.message(key, { done: some, total: all });
      this._status.replaceChildren(...(done < total ? [amount, " ", about] : [this._kit.message("script.storing")]));
    }
  }

  /**
   * Say that the last request is being made and that cancelling may come too late.
   *
   * @param {string} [key] of the message about the request
   */
  last(key) {
    this.isLast = true;
    this._status.replaceChildren(...(key ? [this._kit.message(key), " "] : []), this._kit.message("script.last"));
  }

  /**
   * Say why the task waits, and for how long.  Submitting without script is not offered under a rate limit, which
   * would apply there too.
   *
   * @param {number} seconds until the next try
   * @param {string} why kind of ApiError
   */
  wait(seconds, why) {
    const isLimited = why === "limited";
    const kit = this._kit;
    this._announced = "";
    const reason = isLimited
      ? kit.message("script.limited", { wait: kit.duration(seconds) })
      : kit.message("script.wait", {}, Math.round(seconds));
    const unstored = isLimited && this._isSending ? [" ", kit.message("script.unstored")] : [];
    const last = this.isLast ? [" ", kit.message("script.last")] : [];
    this._status.replaceChildren(reason, ...unstored, ...last);
    this._button("plain").hidden = isLimited;
  }

  /** @param {number} count */
  _minutes(count) {
    return this._kit.message("script.left", {}, count);
  }

  /** @param {string} kind */
  _button(kind) {
    const what = kind === "plain" ? "plain" : "cancel";
    return /** @type {HTMLElement} */ (this.element.querySelector(`[data-do=${what}]`));
  }
}
