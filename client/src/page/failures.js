/** What the page says when a task fails, and what it then offers; what was typed stays in the form. */

import { bytesToHex, randomBytes } from "@noble/hashes/utils.js";

import { maySubmitPlain, showUnclean } from "./cleaning_choice.js";
import { fragment } from "./kit.js";
import { clearProblems, showNotice } from "./notices.js";
import { changeChannel } from "./report.js";
import { TaskError } from "./worker_link.js";

/** @import { Page } from "./page.js" */
/** @import { Kit } from "./kit.js" */
/** @import { Fault } from "../worker/worker.js" */

const ATTEMPT = 32; // bytes

/**
 * Faults that the reporter can fix: the field, and the message.
 *
 * @type {Record<string, [string, string]>}
 */
const FIXABLE = {
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
/**
 * Messages for the other kinds of fault; any kind not listed is `refused`.
 *
 * @type {Record<string, string>}
 */
const REASONS = { malformed: "forged", forged: "forged", expired: "expired", differs: "differs", fault: "fault" };

/**
 * Say why a task failed, and what can be done.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} mode
 * @param {Fault} fault
 */
export async function showFailure(page, form, mode, fault) {
  const { kind, reason, isLate } = fault;
  if (kind === "plain") {
    submitPlain(page, form);
  } else if (kind === "cancelled") {
    const twice = mode === "send" ? [" ", page.kit.message("script.twice")] : [];
    showNotice(form, fragment(...(isLate ? [page.kit.message("script.too_late"), ...twice] : [page.kit.message("script.cancelled")])));
  } else if (reason) {
    page.showProblems([{ field: "words", text: wordsErrorText(page, fault) }]);
  } else if (mode === "download" && kind === "malformed") {
    showNotice(form, page.kit.message("script.damaged", { name: form.dataset.name ?? "" }));
  } else if (kind === "unclean") {
    showUnclean(page, fault);
  } else if (FIXABLE[kind]) {
    await showFixable(page, form, kind);
  } else {
    offerRetry(page, form, mode, fault);
  }
}

/**
 * Say that the program could not be loaded, in the texts that the page's script element carries, since the kit is
 * missing.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} text
 * @param {string} plain the label of the button
 */
export function showNotLoaded(page, form, text, plain) {
  const part = document.createElement("section");
  const paragraph = document.createElement("p");
  const button = document.createElement("button");
  part.className = "summary";
  part.setAttribute("role", "alert");
  paragraph.textContent = text;
  button.type = "button";
  button.textContent = plain;
  button.onclick = () => submitPlain(page, form);
  part.append(paragraph, button);
  form.before(part);
  page.restart();
}

/**
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} kind
 */
async function showFixable(page, form, kind) {
  const { kit, main } = page;
  const { files, upload } = kit.settings;
  const [field, key] = FIXABLE[kind];
  const text = fragment(kit.message(key, { count: files, size: kit.size(upload) }));
  const place = form.querySelector(".field:has(#files)") ?? form.lastElementChild;
  if (kind === "renewed") {
    try {
      await page.renew();
      await changeChannel(page, form, String(new FormData(form).get("channel")));
    } catch (error) {
      offerRetry(page, form, "send", faultOf(error));
      return;
    }
  } else if (kind === "nobody-left" && !main.querySelector("#other")) {
    place?.before(kit.page("outside"), ...(form.querySelector("[name=shown]") ? [otherChannels(page, form)] : []));
  }
  page.showProblems([{ field: main.querySelector(`#${field || "_"}`) ? field : "", text }]);
}

/**
 * The choice of another channel for the same text; an empty string where there is only one.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
function otherChannels(page, form) {
  const part = page.kit.page("other");
  const choices = part.querySelectorAll("input");
  if (choices.length < 2) {
    return "";
  }
  /** @type {HTMLElement} */ (part.querySelector("[data-do]")).onclick = () => {
    const chosen = [...choices].find(({ checked }) => checked);
    if (chosen) {
      clearProblems(page.main);
      changeChannel(page, form, chosen.value).catch((error) => offerRetry(page, form, "send", faultOf(error)));
    }
  };
  return part;
}

/**
 * Offer to try again or to submit the form without script.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} mode
 * @param {Fault} fault
 */
function offerRetry(page, form, mode, { kind, wait = 0 }) {
  const { kit } = page;
  const isLimited = kind === "limited";
  const heading = kit.message(isLimited ? "notice.limit" : "script.failed");
  const why = isLimited ? limitText(kit, wait) : kit.message(`script.${REASONS[kind] ?? "refused"}`);
  const name = mode === "send" ? "failed-send" : "failed-look";
  const part = /** @type {HTMLElement} */ (kit.page(name, { heading, why }).firstElementChild);
  const [again, plain] = /** @type {NodeListOf<HTMLElement>} */ (part.querySelectorAll("[data-do]"));
  again.onclick = () => {
    page.restart();
    form.requestSubmit();
  };
  plain.onclick = () => submitPlain(page, form);
  if (isLimited) {
    plain.remove(); // the same limit applies without script
  }
  form.before(part);
  part.focus();
  part.scrollIntoView();
}

/**
 * @param {Kit} kit
 * @param {number} wait seconds, 0 where the server did not say
 */
function limitText(kit, wait) {
  return wait ? kit.message("notice.limit_text", { wait: kit.duration(wait) }) : kit.message("notice.busy_text");
}

/**
 * @param {unknown} error
 * @returns {Fault}
 */
function faultOf(error) {
  return error instanceof TaskError ? error.fault : { kind: "refused" };
}

/**
 * Submit the form to the server as a browser without script would; the server then does the sealing.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
function submitPlain(page, form) {
  if (!maySubmitPlain(page, form)) {
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
    form.prepend(step); // form.submit() does not send the button's value
  }
  page.allowLeaving();
  form.submit();
}

/**
 * The message for words that are not a retrieval code.
 *
 * @param {Page} page
 * @param {Fault} fault
 */
function wordsErrorText({ kit }, { reason, found = 0, word = "", neighbours = [] }) {
  if (reason === "count") {
    return found ? kit.message("replies.count", {}, found) : kit.message("replies.empty");
  }
  if (reason === "unknown") {
    const near = neighbours.length ? { near: kit.joined(neighbours) } : null;
    return kit.message(near ? "replies.unknown_near" : "replies.unknown", { word, ...near });
  }
  return kit.message("replies.checksum");
}
