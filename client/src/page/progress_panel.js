/** What stands in a form's place while the program works for it, and what it says when it cannot. */

import { Failed } from "./worker_link.js";

/** @import { Kit } from "./kit.js" */

const MINUTE = 60; // seconds
const STEP = 10; // per cent between two announcements

/** How far it is, how long it will take, and a way to stop. */
export class Panel {
  /**
   * @param {Kit} kit
   * @param {string} name of its template
   */
  constructor(kit, name) {
    this._kit = kit;
    this._isSending = name === "sending";
    this._began = 0;
    this._said = "";
    /** Whether the last request is made: to stop may come too late. */
    this.isLast = false;
    this.element = /** @type {HTMLElement} */ (kit.page(name).firstElementChild);
    this._status = /** @type {HTMLElement} */ (this.element.querySelector("[role=status]"));
    this._bar = /** @type {HTMLProgressElement} */ (this.element.querySelector("progress"));
    /** Fails as `cancelled` or `plain` when somebody chooses so. */
    this.stopped = new Promise((_, reject) => {
      for (const kind of ["cancelled", "plain"]) {
        this._button(kind).onclick = () => reject(new Failed({ kind }));
      }
    });
  }

  /**
   * @param {number} done blocks
   * @param {number} total
   * @param {string} key of the message
   */
  progress(done, total, key) {
    this._began ||= Date.now();
    this._bar.value = done / total;
    this._button("plain").hidden = true;
    const left = ((Date.now() - this._began) / 1000 / done) * (total - done);
    const about = left < MINUTE ? this._kit.say("script.soon") : this._minutes(Math.round(left / MINUTE));
    const [some, all] = [done, total].map((count) => this._kit.size(count * 262_144));
    const mark = `${Math.floor((100 * done) / total / STEP)} ${about.textContent}`;
    if (mark !== this._said) {
      this._said = mark;
      const said = this._kit.say(key, { done: some, total: all });
      this._status.replaceChildren(...(done < total ? [said, " ", about] : [this._kit.say("script.storing")]));
    }
  }

  /**
   * The last request is made: say what a stop can still do.
   *
   * @param {string} [key] of what is done now
   */
  last(key) {
    this.isLast = true;
    this._status.replaceChildren(...(key ? [this._kit.say(key), " "] : []), this._kit.say("script.last"));
  }

  /**
   * Say why nothing goes on, and until when.  The plain way is offered where it could help: no other is free where
   * more arrives than the server takes.
   *
   * @param {number} seconds until the next try
   * @param {string} why of ApiError
   */
  wait(seconds, why) {
    const isLimited = why === "limited";
    const kit = this._kit;
    this._said = "";
    const told = isLimited
      ? kit.say("script.limited", { wait: kit.duration(seconds) })
      : kit.say("script.wait", {}, Math.round(seconds));
    const unstored = isLimited && this._isSending ? [" ", kit.say("script.unstored")] : [];
    const last = this.isLast ? [" ", kit.say("script.last")] : [];
    this._status.replaceChildren(told, ...unstored, ...last);
    this._button("plain").hidden = isLimited;
  }

  /** @param {number} count */
  _minutes(count) {
    return this._kit.say("script.left", {}, count);
  }

  /** @param {string} kind */
  _button(kind) {
    const what = kind === "plain" ? "plain" : "cancel";
    return /** @type {HTMLElement} */ (this.element.querySelector(`[data-do=${what}]`));
  }
}

/**
 * A line above a form.
 *
 * @param {HTMLFormElement} form
 * @param {string | Node} text
 */
export function say(form, text) {
  const told = document.createElement("p");
  told.className = "notice";
  told.dataset.said = "";
  told.setAttribute("role", "status");
  told.tabIndex = -1;
  told.append(text);
  form.before(told);
  told.focus();
  return told;
}

/**
 * What is wrong, above the page and beside each field, as the server's page says it.
 *
 * @param {Kit} kit
 * @param {Element} main
 * @param {{ field: string, text: Node }[]} problems
 */
export function showProblems(kit, main, problems) {
  const summary = /** @type {HTMLElement} */ (kit.page("summary").firstElementChild);
  const pattern = /** @type {Element} */ (summary.querySelector("li"));
  pattern.replaceWith(
    ...problems.map(({ field, text }) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `#${field}`;
      link.append(text.cloneNode(true));
      item.append(field ? link : text);
      return item;
    }),
  );
  problems.forEach(({ field, text }) => besideField(main, field, text));
  main.prepend(summary);
  summary.focus();
  summary.scrollIntoView();
}

/**
 * Take away what `showProblems` or the server said.
 *
 * @param {Element} main
 */
export function clearProblems(main) {
  main.querySelectorAll(".summary, .error, [data-said]").forEach((each) => each.remove());
  for (const each of main.querySelectorAll("[aria-describedby$=-error]")) {
    each.setAttribute("aria-describedby", (each.getAttribute("aria-describedby") ?? "").replace(/ ?\S+-error$/, ""));
    each.removeAttribute("aria-invalid");
  }
}

/**
 * @param {Element} main
 * @param {string} field
 * @param {Node} text
 */
function besideField(main, field, text) {
  const control = field && main.querySelector(`#${field}`);
  if (!control) {
    return;
  }
  const told = control.closest("fieldset") ?? control;
  const error = document.createElement("p");
  error.className = "error";
  error.id = `${field}-error`;
  error.append(text.cloneNode(true));
  const place = told === control ? (control.closest(".tick") ?? control) : told.querySelector(".group, .tick");
  place?.before(error);
  told.setAttribute("aria-describedby", `${told.getAttribute("aria-describedby") ?? ""} ${error.id}`.trim());
  if (told === control) {
    told.setAttribute("aria-invalid", "true");
  }
}
