/** The steps that a returning reporter can take, from what the worker found and verified under the words. */

import { safeName } from "../protocol/file_names.js";
import { fillReply, nextAudience, offerOthers, removeUnavailable, renderCase } from "./case_view.js";
import { showNotice } from "./notices.js";
import { audienceLine, audienceOf, chosenAudience, followBoxes } from "./readers.js";
import { answersOf, checkFiles, filesOf } from "./report.js";
import { showWords } from "./words.js";

/** @import { Page } from "./page.js" */
/** @import { Attachment } from "../protocol/case/attachment.js" */
/** @import { Audience } from "./readers.js" */

const MAX_DOWNLOAD = 268_435_456; // bytes; the browser holds the whole file in memory
const EXTENSION = /\.[A-Za-z0-9]{1,8}$/;

/**
 * Open the case of the words in the form; without a words field, reopen the current case.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function open(page, form) {
  if (form.dataset.reply) {
    return showReply(page, form, Number(form.dataset.reply));
  }
  const box = /** @type {HTMLTextAreaElement | null} */ (form.querySelector("textarea[name=words]"));
  const typed = box ? box.value : page.typed;
  const view = await page.run(form, "look", "open", { typed });
  if (view) {
    [page.typed, page.view] = [typed, view];
    page.show(renderCase(page, view));
    followBoxes(page);
    page.showSealed();
  } else if (view === null) {
    if (!box) {
      page.show(page.kit.page("replies"));
    }
    page.showProblems([{ field: "words", text: page.kit.message("replies.nothing") }]);
  }
}

/**
 * Open a reply that was left closed, in its place.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {number} index
 */
async function showReply(page, form, index) {
  const whole = await page.run(form, "look", "content", { reply: page.view.replies[index] });
  if (whole) {
    page.view.replies[index] = whole;
    const item = /** @type {Element} */ (page.kit.page("case").querySelector("article"));
    fillReply(page, item, { ...whole, index });
    form.closest("article")?.replaceWith(item);
  }
}

/**
 * Send a follow-up.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export function followUp(page, form) {
  const given = new FormData(form);
  return sendMessage(page, form, String(given.get("text")).trim(), chosenAudience(page, given), answersOf(form, given));
}

/**
 * Ask for confirmation before asking the readers to stop.
 *
 * @param {Page} page
 */
export function confirmStop(page) {
  page.show(page.kit.page("stop", { reading: audienceLine(page.kit, { ...page.view, readers: page.view.next }) }));
  page.showSealed();
}

/**
 * Ask the present readers of the case to stop; nobody else is told.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export function stop(page, form) {
  return sendMessage(page, form, page.kit.message("stop.message").textContent ?? "");
}

/**
 * Make a request for advice a report.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export function makeReport(page, form) {
  return sendMessage(page, form, page.kit.message("advice.message").textContent ?? "", null, { way: "report" });
}

/**
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} text
 * @param {Audience | null} [chosen] set when none of the case's own readers may be left
 * @param {Record<string, string>} [answers]
 */
async function sendMessage(page, form, text, chosen, answers) {
  const draft = { language: document.documentElement.lang, text, answers, readers: chosen?.readers.map(({ id }) => id) ?? [] };
  const files = filesOf(page, new FormData(form));
  const sent = await page.run(form, "send", "add", { typed: page.typed, draft, ...files }, () => checkFiles(page, files));
  if (sent) {
    const { readers, without } = audienceOf(page, sent);
    page.show(page.kit.page("sent", { reading: audienceLine(page.kit, { readers, without: chosen?.without ?? without }) }));
  }
}

/**
 * Withdraw the report, unless it has been collected.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function withdraw(page, form) {
  const outcome = await page.run(form, "look", "withdraw", { typed: page.typed });
  if (outcome === "withdrawn") {
    page.show(page.kit.page("withdrawn"));
    page.forget();
  } else if (outcome === "collected") {
    const part = page.kit.page("late");
    removeUnavailable(part, { ...page.view, state: outcome });
    page.show(part);
  } else if (outcome) {
    await open(page, form);
  }
}

/**
 * Offer new words to a reporter whose words may have been seen.
 *
 * @param {Page} page
 */
export function exposed(page) {
  const part = page.kit.page("exposed", { whom: audienceLine(page.kit, nextAudience(page.view)) });
  if (!page.view.way) {
    part.querySelector("#advice")?.remove();
  }
  if (!page.view.next.length) {
    offerOthers(page, part, page.view, "renew");
  }
  page.show(part);
  followBoxes(page);
  page.showSealed();
}

/**
 * Continue the case under new words.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function renew(page, form) {
  const given = new FormData(form);
  const own = String(given.get("text")).trim();
  const text = [page.kit.message("exposed.message").textContent, own].filter(Boolean).join("\n\n");
  const answers = { way: given.get("way") ? "" : (page.view.way ?? "") };
  const draft = { language: document.documentElement.lang, text, answers, without: given.getAll("without").map(String) };
  const shown = await page.run(form, "send", "renew", { typed: page.typed, draft, language: page.list });
  if (shown) {
    page.asksAdvice = Boolean(answers.way);
    showWords(page, shown);
  }
}

/**
 * Download a file of a reply; it is saved only after all of it has been verified.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function download(page, form) {
  const [reply, place] = (form.dataset.file ?? "").split("-").map(Number);
  /** @type {Attachment} */
  const attachment = page.view.replies[reply].attachments[place];
  const name = safeName(attachment.name);
  form.dataset.name = name;
  form.querySelector("[data-said]")?.remove();
  if (attachment.size > MAX_DOWNLOAD) {
    showNotice(form, page.kit.message("script.too_large", { name }));
    return;
  }
  const content = await page.run(form, "download", "download", { attachment });
  if (content) {
    const saved = `file-${place + 1}${EXTENSION.exec(name)?.[0] ?? ""}`; // the name stays in the browser's list of downloads
    save(content, saved);
    showNotice(form, page.kit.message("script.opened", { name, saved }));
  }
}

/**
 * @param {Blob} content
 * @param {string} name
 */
function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
