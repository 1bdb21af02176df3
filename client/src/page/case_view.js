/** The case page filled in: its state and facts, the replies, and the forms of the steps that its state allows. */

import { fill, isolate, repeat } from "./kit.js";
import { audienceLine, caseAudienceLine } from "./readers.js";

/** @import { Kit } from "./kit.js" */
/** @import { Page } from "./page.js" */
/** @import { Attachment } from "../protocol/case/attachment.js" */
/** @import { Person } from "./readers.js" */

const DAY = 86_400_000; // milliseconds
const WEEK = 7; // days
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** @typedef {any} View the answer of PageRequest.open */

/**
 * The page of a case.
 *
 * @param {Page} page
 * @param {View} view
 */
export function renderCase(page, view) {
  const { kit } = page;
  const part = kit.page("case", {
    state: stateText(page, view),
    reading: caseAudienceLine(kit, view, isOver(view)),
    whom: audienceLine(kit, nextAudience(view)),
  });
  const [replies, state, advice, more] = part.querySelectorAll("section");
  const [fact, plan] = state.querySelectorAll("ul li");
  repeat(fact, facts(page, view), (item, text) => item.replaceChildren(text));
  const steps = view.sent && view.state !== "removed" && !view.way ? kit.settings.plan : [];
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
  if (!view.way || !view.next.length) {
    advice.remove();
  }
  if (isOver(view)) {
    [replies, advice, more].forEach((section) => section.remove());
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
 * Fill in the article of one reply.
 *
 * @param {Page} page
 * @param {Element} item
 * @param {any} reply
 */
export function fillReply({ kit }, item, { from, day, text, rest, language, have, attachments = [], receipt, index, lane, n }) {
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
  fillReceipt(/** @type {Element} */ (item.querySelector(".receipt")), receipt);
  const arrived = kit.message("case.arrived", { day: isolate(kit.day(have.day)) }, have.count);
  fill(item, { from: isolate(from), day: kit.day(day), text: rest ? kit.message("case.long") : (text ?? ""), language, arrived });
}

/**
 * Show the receipt that came with a reply, and what saves it; nothing if none came.
 *
 * @param {Element} part
 * @param {{ text: string, signature: string } | null} receipt
 */
function fillReceipt(part, receipt) {
  if (!receipt) {
    part.remove();
    return;
  }
  /** @type {Element} */ (part.querySelector("pre")).textContent = receipt.text;
  const [statement, signature] = part.querySelectorAll("a");
  statement.setAttribute("href", saved(receipt.text));
  signature.setAttribute("href", saved(receipt.signature));
}

/**
 * The address of a small text file that the page itself holds.
 *
 * @param {string} text
 */
function saved(text) {
  return `data:text/plain;charset=utf-8,${encodeURIComponent(text)}`;
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
export function offerOthers({ kit }, part, view, step) {
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
export function removeUnavailable(part, { state, hasSlip, next }) {
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
export function nextAudience({ next, instead, without }) {
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
