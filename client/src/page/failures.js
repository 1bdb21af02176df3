/** What a page says when something came to nothing, and what it then offers; what was typed stays in the form. */

import { bytesToHex, randomBytes } from "@noble/hashes/utils.js";

import { goesPlain, unclean } from "./cleaning_choice.js";
import { fragment } from "./kit.js";
import { Failed } from "./worker_link.js";
import { clearProblems, say } from "./progress_panel.js";
import { renew } from "./report.js";

/** @import { Page } from "./page.js" */
/** @import { Kit } from "./kit.js" */
/** @import { Fault } from "../worker/worker.js" */

const ATTEMPT = 32; // bytes

/**
 * Faults that the person can mend: the field, and the message.
 *
 * @type {Record<string, [string, string]>}
 */
const MENDABLE = {
  empty: ["text", "error.empty"],
  "holds-words": ["text", "error.holds_words"],
  "holds-sealed": ["text", "error.sealed_text"],
  "nobody-left": ["without", "error.nobody"],
  "too-long": ["without", "error.too_long_names"],
  "too-many": ["files", "error.too_many"],
  "too-big": ["files", "error.too_big"],
  renewed: ["without", "error.renewed"],
  full: ["", "error.no_room"],
};
/** @type {Record<string, string>} */
const WHY = { malformed: "forged", forged: "forged", expired: "expired", differs: "differs", fault: "fault" };

/**
 * Say why, and what can be done.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} way
 * @param {Fault} fault
 */
export async function tell(page, form, way, fault) {
  const { kind, reason, isLate } = fault;
  if (kind === "plain") {
    sendPlain(page, form);
  } else if (kind === "cancelled") {
    const twice = way === "send" ? [" ", page.kit.say("script.twice")] : [];
    say(form, fragment(...(isLate ? [page.kit.say("script.too_late"), ...twice] : [page.kit.say("script.cancelled")])));
  } else if (reason) {
    page.problems([{ field: "words", text: ofWords(page, fault) }]);
  } else if (way === "download" && kind === "malformed") {
    say(form, page.kit.say("script.damaged", { name: form.dataset.name ?? "" }));
  } else if (kind === "unclean") {
    unclean(page, fault);
  } else if (MENDABLE[kind]) {
    await mend(page, form, kind);
  } else {
    offer(page, form, way, fault);
  }
}

/**
 * Without the kit there are no words but those that the page brought for this.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} said
 * @param {string} plain
 */
export function unready(page, form, said, plain) {
  const part = document.createElement("section");
  const told = document.createElement("p");
  const button = document.createElement("button");
  part.className = "summary";
  part.setAttribute("role", "alert");
  told.textContent = said;
  button.type = "button";
  button.textContent = plain;
  button.onclick = () => sendPlain(page, form);
  part.append(told, button);
  form.before(part);
  page.restart();
}

/**
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} kind
 */
async function mend(page, form, kind) {
  const { kit, main } = page;
  const { files, upload } = kit.settings;
  const [field, key] = MENDABLE[kind];
  const text = fragment(kit.say(key, { count: files, size: kit.size(upload) }));
  const place = form.querySelector(".field:has(#files)") ?? form.lastElementChild;
  if (kind === "renewed") {
    try {
      await renew(page, form, String(new FormData(form).get("channel")));
    } catch (error) {
      offer(page, form, "send", faultOf(error));
      return;
    }
  } else if (kind === "nobody-left" && !main.querySelector("#other")) {
    place?.before(kit.page("outside"), ...(form.querySelector("[name=shown]") ? [other(page, form)] : []));
  }
  page.problems([{ field: main.querySelector(`#${field || "_"}`) ? field : "", text }]);
}

/**
 * Other channels for the same text.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
function other(page, form) {
  const part = page.kit.page("other");
  const choices = /** @type {NodeListOf<HTMLInputElement>} */ (part.querySelectorAll("[name=channel]"));
  choices.forEach((each) => (each.name = "other"));
  if (choices.length < 2) {
    return "";
  }
  /** @type {HTMLElement} */ (part.querySelector("[data-do]")).onclick = () => {
    const chosen = [...choices].find(({ checked }) => checked);
    if (chosen) {
      clearProblems(page.main);
      renew(page, form, chosen.value).catch((error) => offer(page, form, "send", faultOf(error)));
    }
  };
  return part;
}

/**
 * Again, or the plain way, as somebody chooses.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} way
 * @param {Fault} fault
 */
function offer(page, form, way, { kind, wait = 0 }) {
  const { kit } = page;
  const isLimited = kind === "limited";
  const heading = kit.say(isLimited ? "notice.limit" : "script.failed");
  const why = isLimited ? limit(kit, wait) : kit.say(`script.${WHY[kind] ?? "refused"}`);
  const name = way === "send" ? "failed-send" : "failed-look";
  const part = /** @type {HTMLElement} */ (kit.page(name, { heading, why }).firstElementChild);
  const [again, plain] = /** @type {NodeListOf<HTMLElement>} */ (part.querySelectorAll("[data-do]"));
  again.onclick = () => {
    page.restart();
    form.requestSubmit();
  };
  plain.onclick = () => sendPlain(page, form);
  if (isLimited) {
    plain.remove(); // it has the same limit
  }
  form.before(part);
  part.focus();
  part.scrollIntoView();
}

/**
 * @param {Kit} kit
 * @param {number} wait seconds, 0 where the server did not say
 */
function limit(kit, wait) {
  return wait ? kit.say("notice.limit_text", { wait: kit.duration(wait) }) : kit.say("notice.busy_text");
}

/**
 * @param {unknown} error
 * @returns {Fault}
 */
function faultOf(error) {
  return error instanceof Failed ? error.fault : { kind: "refused" };
}

/**
 * The plain way: the form goes to the server as it would without script.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
function sendPlain(page, form) {
  if (!goesPlain(page, form)) {
    return;
  }
  const fill = (/** @type {string} */ name, /** @type {() => string} */ value) => {
    const field = /** @type {HTMLInputElement | null} */ (form.querySelector(`input[name=${name}]`));
    if (field && !field.value) {
      field.value = value();
    }
  };
  fill("words", () => page.typed);
  fill("attempt", () => bytesToHex(randomBytes(ATTEMPT)));
  const button = /** @type {HTMLButtonElement | null} */ (form.querySelector("button[name=step]"));
  const step = document.createElement("input");
  [step.type, step.name, step.value] = ["hidden", "step", button?.value ?? ""];
  if (button) {
    form.prepend(step); // what the button would have sent
  }
  page.leave();
  form.submit();
}

/**
 * What is said about twelve words that are none.
 *
 * @param {Page} page
 * @param {Fault} fault
 */
function ofWords({ kit }, { reason, found = 0, word = "", neighbours = [] }) {
  if (reason === "count") {
    return found ? kit.say("replies.count", {}, found) : kit.say("replies.empty");
  }
  if (reason === "unknown") {
    const near = neighbours.length ? { near: kit.listed(neighbours) } : null;
    return kit.say(near ? "replies.unknown_near" : "replies.unknown", { word, ...near });
  }
  return kit.say("replies.checksum");
}
