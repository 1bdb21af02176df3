/** The form of a report: what it holds goes to the worker, and nothing of it to the server. */

import { Failed } from "./worker_link.js";
import { showWords } from "./words.js";
import { isWhole } from "../protocol/reporter/submission.js";

/** @import { Begun, Page } from "./page.js" */

const ANSWER = "answer-";

/**
 * Whether the form holds a report that was sealed on another device, and nothing else: the server takes that as it is.
 *
 * Whatever only looks like a part of one, or has something beside it, is refused here instead: it may be open text.
 *
 * @param {HTMLFormElement} form
 */
export function isSealed(form) {
  const given = new FormData(form);
  const beside = [...given].filter(([name]) => name === "without" || name === "files" || name.startsWith(ANSWER));
  const isEmpty = (/** @type {FormDataEntryValue} */ each) => !(typeof each === "string" ? each.trim() : each.name || each.size);
  return isWhole(String(given.get("text") ?? "")) && beside.every(([, each]) => isEmpty(each));
}

/**
 * Seal what the form holds and have it kept; then show the words.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function send(page, form) {
  const given = new FormData(form);
  const files = filesOf(page, given);
  const question = { draft: draftOf(given), ...files, language: page.list };
  const shown = await page.work(form, "send", "report", question, (begun) => {
    compare(begun, form);
    fit(page, files);
  });
  if (shown) {
    showWords(page, shown);
  }
}

/**
 * The files that were chosen, and whether they are to be cleaned.
 *
 * @param {Page} page
 * @param {FormData} given
 */
export function filesOf({ cleaning }, given) {
  const files = /** @type {File[]} */ (given.getAll("files"));
  return { files: files.filter(({ name, size }) => name || size), cleaning };
}

/**
 * Files must be as few and as small as the server's own form takes them; that is told before any is sealed.
 *
 * @param {Page} page
 * @param {{ files: File[] }} chosen
 */
export function fit({ kit }, { files }) {
  if (files.length > kit.settings.files) {
    throw new Failed({ kind: "too-many" });
  }
  if (files.reduce((sum, { size }) => sum + size, 0) > kit.settings.upload) {
    throw new Failed({ kind: "too-big" });
  }
}

/**
 * Other readers for the same text: the form of another channel, without a word of it leaving the page.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} channel
 */
export async function renew(page, form, channel) {
  const found = await page.fetch({ step: "tell", channel, way: String(new FormData(form).get("way")) });
  if (!form.isConnected) {
    return; // it was sent meanwhile, and the words are shown in its place
  }
  const main = document.importNode(/** @type {Element} */ (found.querySelector("main")), true);
  const next = /** @type {HTMLFormElement} */ (main.querySelector("form"));
  for (const field of /** @type {Iterable<any>} */ (form.elements)) {
    const same = /** @type {any} */ (next.querySelector(`[name="${field.name}"]${byValue(field)}`));
    if (!same || field.type === "hidden" || !field.name) {
      continue;
    }
    if (field.type === "checkbox") {
      same.checked = field.checked;
    } else {
      same[field.type === "file" ? "files" : "value"] = field[field.type === "file" ? "files" : "value"];
    }
  }
  page.show(main.childNodes);
  page.sealed();
}

/** @param {HTMLInputElement} field */
function byValue(field) {
  return field.type === "checkbox" ? `[value="${CSS.escape(field.value)}"]` : "";
}

/** @param {FormData} given */
function draftOf(given) {
  const text = (/** @type {string} */ name) => String(given.get(name) ?? "").trim();
  const names = [...given.keys()].filter((name) => name.startsWith(ANSWER));
  const answers = Object.fromEntries(names.map((name) => [name.slice(ANSWER.length), text(name)]));
  return {
    channel: text("channel"),
    language: document.documentElement.lang,
    text: text("text"),
    answers: text("way") === "advice" ? { ...answers, way: "advice" } : answers,
    without: given.getAll("without").map(String),
  };
}

/**
 * The page must show the readers whom the signed list has: else it is another list's page, or a lie.
 *
 * @param {Begun} begun
 * @param {HTMLFormElement} form
 */
function compare({ serial, people, channels }, form) {
  const given = new FormData(form);
  if (given.get("keys") !== String(serial)) {
    throw new Failed({ kind: "renewed" });
  }
  const boxes = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=without]")]);
  const told = boxes.map((box) => {
    const label = /** @type {Element} */ (box.nextElementSibling);
    return `${box.value} ${label.querySelector("bdi")?.textContent} ${Boolean(box.closest(".reads"))}`;
  });
  const readers = channels[String(given.get("channel"))] ?? [];
  const known = people.map(({ id, shown }) => `${id} ${shown} ${readers.includes(id)}`);
  if (told.sort().join("\n") !== known.sort().join("\n")) {
    throw new Failed({ kind: "differs" });
  }
}
