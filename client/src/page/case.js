/** The case page: what the worker found and verified under the words, and the steps a returning reporter can take. */

import { safeName } from "../protocol/file_names.js";
import { fill, isolate, repeat } from "./kit.js";
import { showNotice } from "./notices.js";
import { audienceLine, audienceOf, caseAudienceLine, chosenAudience, followBoxes } from "./readers.js";
import { checkFiles, filesOf } from "./report.js";
import { showWords } from "./words.js";

/** @import { Kit } from "./kit.js" */
/** @import { Page } from "./page.js" */
/** @import { Attachment } from "../protocol/case/attachment.js" */
/** @import { Audience, Person } from "./readers.js" */

const DAY = 86_400_000; // milliseconds
const WEEK = 7; // days
const MAX_DOWNLOAD = 268_435_456; // bytes; the browser holds the whole file in memory
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const EXTENSION = /\.[A-Za-z0-9]{1,8}$/;

/** @typedef {any} View the answer of PageRequest.open */

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
  return sendMessage(page, form, String(given.get("text")).trim(), chosenAudience(page, given));
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
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} text
 * @param {Audience | null} [chosen] set when none of the case's own readers may be left
 */
async function sendMessage(page, form, text, chosen) {
  const draft = { language: document.documentElement.lang, text, readers: chosen?.readers.map(({ id }) => id) ?? [] };
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
  const draft = { language: document.documentElement.lang, text, without: given.getAll("without").map(String) };
  const shown = await page.run(form, "send", "renew", { typed: page.typed, draft, language: page.list });
  if (shown) {
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

/**
 * @param {Page} page
 * @param {View} view
 */
function renderCase(page, view) {
  const { kit } = page;
  const part = kit.page("case", {
    state: stateText(page, view),
    reading: caseAudienceLine(kit, view, isOver(view)),
    whom: audienceLine(kit, nextAudience(view)),
  });
  const [replies, state, more] = part.querySelectorAll("section");
  const [fact, plan] = state.querySelectorAll("ul li");
  repeat(fact, facts(page, view), (item, text) => item.replaceChildren(text));
  const steps = view.sent && view.state !== "removed" ? kit.settings.plan : [];
  repeat(plan, steps, (item, { days, text, doneBy }) => {
    const done = view.done[doneBy];
    const day = isolate(kit.day(done ?? addDays(view.sent, days)));
    item.classList.toggle("done", Boolean(done));
    item.replaceChildren(kit.message(done ? "case.plan_done" : "case.plan_step", { day, text }));
  });
  if (!steps.length) {
    state.querySelectorAll("h3, h3 + ul").forEach((element) => element.remove());
  }
  const none = document.createElement("p");
  none.append(kit.message("case.none"));
  const late = /** @type {Element} */ (replies.querySelector(".notice"));
  late.replaceChildren(...(view.late ? [kit.message("case.late", {}, view.late)] : []));
  late.toggleAttribute("hidden", !view.late);
  if (!view.replies.length) {
    late.before(none);
  }
  const absent = /** @type {Element} */ (replies.querySelector(".absent"));
  repeat(absent.querySelector("p"), view.missing, (line, /** @type {any} */ { key, names }) => {
    line.replaceChildren(kit.message(`case.${key}`, names));
  });
  if (!view.missing.length) {
    absent.remove();
  }
  if (isOver(view)) {
    [replies, more].forEach((section) => section.remove());
    part.querySelectorAll("form").forEach((form) => form.remove());
    return part;
  }
  const numbered = view.replies.map((/** @type {any} */ reply, /** @type {number} */ index) => ({ ...reply, index }));
  repeat(replies.querySelector("article"), numbered, (item, reply) => fillReply(page, item, reply));
  fillFollowUp(page, more, view);
  removeUnavailable(part, view);
  return part;
}

/**
 * Whether the report was removed and no reply is left.
 *
 * @param {View} view
 */
function isOver({ state, replies, late, missing }) {
  return state === "removed" && !replies.length && !late && !missing.length;
}

/**
 * @param {Page} page
 * @param {Element} item
 * @param {any} reply
 */
function fillReply({ kit }, item, { from, day, text, rest, language, have, attachments = [], index, lane, n }) {
  const closed = /** @type {HTMLFormElement} */ (item.querySelector("form:has([name=reply])"));
  closed.dataset.reply = String(index);
  /** @type {HTMLInputElement} */ (closed.querySelector("[name=reply]")).value = `${lane}-${n}`;
  repeat(item.querySelector("form:has([name=file])"), attachments, (form, /** @type {Attachment} */ { name, size }) => {
    fill(form, { name: isolate(name), size: isolate(kit.size(size)) });
  });
  /** @type {NodeListOf<HTMLFormElement>} */ (item.querySelectorAll("form:has([name=file])")).forEach((form, place) => {
    form.dataset.file = `${index}-${place}`;
    /** @type {HTMLInputElement} */ (form.querySelector("[name=file]")).value = `${lane}-${n}-${place}`;
  });
  if (!attachments.length) {
    item.querySelector(".files")?.remove();
  }
  if (!rest) {
    closed.remove();
  }
  const arrived = kit.message("case.arrived", { day: isolate(kit.day(have.day)) }, have.count);
  fill(item, { from: isolate(from), day: kit.day(day), text: rest ? kit.message("case.long") : (text ?? ""), language, arrived });
}

/**
 * Fit the follow-up form to the case: sent to its readers, to other readers, or replaced when there are none.
 *
 * @param {Page} page
 * @param {Element} more
 * @param {View} view
 */
function fillFollowUp(page, more, view) {
  const { isOpen, next, instead: others } = view;
  if (!isOpen || !(next.length || others.length)) {
    more.replaceWith(page.kit.page(isOpen ? "nobody" : "closed"));
  } else if (!next.length) {
    offerOthers(page, more, view, "follow-up");
  }
}

/**
 * Offer other readers where none of the case's own is left, each with a box to leave them out.
 *
 * @param {Page} page
 * @param {ParentNode} part
 * @param {View} view
 * @param {string} step
 */
function offerOthers({ kit }, part, view, step) {
  const ids = view.instead.map((/** @type {Person} */ { id }) => id);
  const people = kit.page(`instead-${step}`);
  const others = [...people.querySelectorAll("input")].filter(({ value }) => !ids.includes(value));
  others.forEach((box) => box.closest(".tick")?.remove());
  people.querySelectorAll(".group:not(:has(input))").forEach((group) => group.remove());
  const [first] = people.querySelectorAll("input");
  people.querySelector(`[for="${first.id}"]`)?.setAttribute("for", "without"); // target of the error summary's link
  first.id = "without";
  part.querySelector(".field:has(#files), .sealing")?.before(people); // the server requires files to be the last fields
  part.querySelector("form .reading")?.setAttribute("aria-live", "polite");
}

/**
 * Remove the forms of steps that the case's state does not allow.
 *
 * @param {ParentNode} part
 * @param {View} view
 */
function removeUnavailable(part, { state, hasSlip, next }) {
  const offered = { withdraw: state === "waiting", stop: state === "collected" && next.length, exposed: hasSlip };
  for (const [step, isOffered] of Object.entries(offered)) {
    if (!isOffered) {
      part.querySelector(`[value=${step}]`)?.closest("form")?.remove();
    }
  }
}

/**
 * Who the next message goes to: the case's readers, or the other readers when none is left.
 *
 * @param {View} view
 */
function nextAudience({ next, instead, without }) {
  return { readers: next.length ? next : instead, without };
}

/**
 * @param {Page} page
 * @param {View} view
 */
function stateText({ kit }, { state, stateDay, replies }) {
  const day = stateDay && isolate(kit.day(stateDay));
  const picked = replies.length ? "answered" : "collected";
  return kit.message(`case.${state === "collected" ? picked : (state ?? "gone")}`, { day });
}

/**
 * The facts below the state, one line each: sent, next pick-up, last day, reference.
 *
 * @param {Page} page
 * @param {View} view
 */
function facts({ kit, environment }, view) {
  const days = [...view.replies.map((/** @type {any} */ { day }) => day), ...(view.replies.length ? [] : [view.sent])];
  const [first] = days.filter(Boolean).sort();
  const over = isOver(view);
  const { kept, leapt } = kit.settings;
  const due = over || leapt ? "" : nextPickUp(kit, environment.day, view.collection);
  const lines = {
    sent: view.sent && { day: kit.day(view.sent) },
    pickup: due && { day: due },
    last_day: first && !over && !leapt && { day: kit.day(addDays(first, kept)) },
    reference: { reference: view.reference },
  };
  return Object.entries(lines).flatMap(([key, values]) => (values ? [kit.message(`case.${key}`, values)] : []));
}

/**
 * The day of the next planned pick-up; on such a day the following one too, since today's may be over.
 *
 * @param {Kit} kit
 * @param {string} today
 * @param {string[]} collection
 */
function nextPickUp(kit, today, collection) {
  const day = nextDay(today, collection);
  if (!day || day !== today) {
    return day && kit.day(day, true);
  }
  const after = /** @type {string} */ (nextDay(addDays(today, 1), collection));
  return kit.message("case.today", { today: kit.weekday(today), day: kit.day(after, true) });
}

/**
 * The next day, today included, on which a pick-up is planned.
 *
 * @param {string} today
 * @param {string[]} collection
 */
function nextDay(today, collection) {
  const days = Array.from({ length: WEEK }, (_, ahead) => addDays(today, ahead));
  return days.find((day) => collection.includes(WEEKDAYS[new Date(day).getUTCDay()]));
}

/**
 * @param {string} day
 * @param {number} days
 */
function addDays(day, days) {
  return new Date(Date.parse(day) + days * DAY).toISOString().slice(0, 10);
}
