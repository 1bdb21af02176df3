/** The report form: its content goes to the worker, never to the server. */

import { isWhole } from "../protocol/reporter/submission.js";
import { showWords } from "./words.js";
import { TaskError } from "./worker_link.js";

/** @import { Page, SignedList } from "./page.js" */

const ANSWER = "answer-";
const MAX_ID = 32; // letters
const BOX = /^(checkbox|radio)$/;

/**
 * Whether the form holds nothing but a report that was sealed on another device, which may be submitted as it is.
 *
 * A partial one, or one with anything else in the form, is refused later, since it may be plaintext.
 *
 * @param {HTMLFormElement} form
 */
export function isSealed(form) {
  const given = new FormData(form);
  const others = [...given].filter(([name]) => name === "without" || name === "files" || name.startsWith(ANSWER));
  const isEmpty = (/** @type {FormDataEntryValue} */ value) => !(typeof value === "string" ? value.trim() : value.name || value.size);
  return isWhole(String(given.get("text") ?? "")) && others.every(([, value]) => isEmpty(value));
}

/**
 * Seal and store the report; then show its words.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function send(page, form) {
  const given = new FormData(form);
  const files = filesOf(page, given);
  const question = { draft: draftOf(form, given), ...files, language: page.list };
  const shown = await page.run(form, "send", "report", question, (signedList) => {
    checkList(signedList, form);
    checkFiles(page, files);
  });
  if (shown) {
    page.asksAdvice = question.draft.answers.way === "advice";
    showWords(page, shown);
  }
}

/**
 * The chosen files, and whether to clean them.
 *
 * @param {Page} page
 * @param {FormData} given
 */
export function filesOf({ cleaning }, given) {
  const files = /** @type {File[]} */ (given.getAll("files"));
  return { files: files.filter(({ name, size }) => name || size), cleaning };
}

/**
 * Check the files against the limits of the server's own form, before any is sealed.
 *
 * @param {Page} page
 * @param {{ files: File[] }} chosen
 */
export function checkFiles({ kit }, { files }) {
  if (files.length > kit.settings.files) {
    throw new TaskError({ kind: "too-many" });
  }
  if (files.reduce((sum, { size }) => sum + size, 0) > kit.settings.upload) {
    throw new TaskError({ kind: "too-big" });
  }
}

/**
 * Switch to another channel's form and copy the fields over; none of their content leaves the page, and as much is
 * asked of the server whichever the channel.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} channel
 */
export async function changeChannel(page, form, channel) {
  const way = /** @type {string} */ (new FormData(form).get("way"));
  const parsed = await page.fetch({ step: "tell", channel: channel.padEnd(MAX_ID), way });
  if (!form.isConnected) {
    return; // the form was sent meanwhile
  }
  const main = document.importNode(/** @type {Element} */ (parsed.querySelector("main")), true);
  const next = /** @type {HTMLFormElement} */ (main.querySelector("form"));
  for (const field of /** @type {Iterable<any>} */ (form.elements)) {
    const { type } = field;
    const value = BOX.test(type) ? `[value="${CSS.escape(field.value)}"]` : "";
    const same = /** @type {any} */ (next.querySelector(`[name="${field.name}"]${value}`));
    if (same && type !== "hidden") {
      const held = type === "file" ? "files" : "value";
      same[held] = field[held];
      same.checked = field.checked;
    }
  }
  page.show(main.childNodes);
  page.showSealed();
}

/**
 * @param {HTMLFormElement} form
 * @param {FormData} given
 */
function draftOf(form, given) {
  const text = (/** @type {string} */ name) => String(given.get(name) ?? "").trim();
  const answers = answersOf(form, given);
  const asked = text("asked").split("\n").filter((line) => answers[line.split(/[ =]/)[0]]);
  return {
    channel: text("channel"),
    language: document.documentElement.lang,
    text: text("text"),
    answers: {
      ...answers,
      asked: asked.join("\n"),
      ...(text("way") === "advice" ? { way: "advice" } : {}),
      ...(text("urgent") ? { urgent: "yes" } : {}),
    },
    without: given.getAll("without").map(String),
  };
}

/**
 * What the controls of each question make together, of those that the style shows: no condition shows the others.
 *
 * @param {HTMLFormElement} form
 * @param {FormData} given
 * @returns {Record<string, string>}
 */
export function answersOf(form, given) {
  const shown = [...given.keys()].filter(
    (name) => name.startsWith(ANSWER) && form.querySelector(`[name="${name}"]`)?.getClientRects().length,
  );
  const made = (/** @type {string} */ name) => given.getAll(name).map((value) => String(value).trim()).filter(Boolean).join(" ");
  return Object.fromEntries(shown.map((name) => [name.slice(ANSWER.length), made(name)]));
}

/**
 * Raise unless the readers on the page are those of the manifest: the page may be outdated (`renewed`) or forged.
 *
 * @param {SignedList} signedList
 * @param {HTMLFormElement} form
 */
function checkList({ serial, people, channels }, form) {
  const given = new FormData(form);
  if (given.get("keys") !== String(serial)) {
    throw new TaskError({ kind: "renewed" });
  }
  const boxes = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=without]")]);
  const onPage = boxes.map((box) => {
    const label = /** @type {Element} */ (box.nextElementSibling);
    return `${box.value} ${label.querySelector("bdi")?.textContent} ${Boolean(box.closest(".reads"))}`;
  });
  const readers = channels[String(given.get("channel"))] ?? [];
  const inManifest = people.map(({ id, shown }) => `${id} ${shown} ${readers.includes(id)}`);
  if (onPage.sort().join("\n") !== inManifest.sort().join("\n")) {
    throw new TaskError({ kind: "differs" });
  }
}
