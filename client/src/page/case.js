/** The way back: the case as the worker found and checked it, and what somebody who came back may do. */

import { safeName } from "../protocol/file_names.js";
import { apart, fill, repeat } from "./kit.js";
import { say } from "./progress_panel.js";
import { follow, named, ofCase, reading, told } from "./readers.js";
import { filesOf, fit } from "./report.js";
import { showWords } from "./words.js";

/** @import { Kit } from "./kit.js" */
/** @import { Page } from "./page.js" */
/** @import { Attachment } from "../protocol/case/attachment.js" */
/** @import { Person, Reading } from "./readers.js" */

const DAY = 86_400_000; // milliseconds
const WEEK = 7; // days
const LARGEST = 268_435_456; // bytes of a file that a browser is asked to hold
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const ENDING = /\.[A-Za-z0-9]{1,8}$/; // of a file's name

/** @typedef {any} View as PageTask.open gives it */

/**
 * Open the case of the words that were typed, or once more of those that opened it.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function open(page, form) {
  const box = /** @type {HTMLTextAreaElement | null} */ (form.querySelector("textarea[name=words]"));
  const typed = box ? box.value : page.typed;
  const view = await page.work(form, "look", "open", { typed });
  if (view) {
    [page.typed, page.view] = [typed, view];
    page.show(caseOf(page, view));
    follow(page);
    page.sealed();
  } else if (view === null) {
    if (!box) {
      page.show(page.kit.page("replies"));
    }
    page.problems([{ field: "words", text: page.kit.say("replies.nothing") }]);
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
  return add(page, form, String(given.get("text")).trim(), reading(page, given));
}

/**
 * Whether the readers are to be asked to stop.
 *
 * @param {Page} page
 */
export function confirmStop(page) {
  page.show(page.kit.page("stop", { reading: told(page.kit, { ...page.view, readers: page.view.next }) }));
  page.sealed();
}

/**
 * Ask the readers to stop: those who had the case, and nobody who came after them.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export function stop(page, form) {
  return add(page, form, page.kit.say("stop.message").textContent ?? "");
}

/**
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {string} text
 * @param {Reading | null} [chosen] where none who had the case may be left
 */
async function add(page, form, text, chosen) {
  const draft = { language: document.documentElement.lang, text, readers: chosen?.readers.map(({ id }) => id) ?? [] };
  const files = filesOf(page, new FormData(form));
  const sent = await page.work(form, "send", "add", { typed: page.typed, draft, ...files }, () => fit(page, files));
  if (sent) {
    const { readers, without } = named(page, sent);
    page.show(page.kit.page("sent", { reading: told(page.kit, { readers, without: chosen?.without ?? without }) }));
  }
}

/**
 * Take the report back.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function withdraw(page, form) {
  const outcome = await page.work(form, "look", "withdraw", { typed: page.typed });
  if (outcome === "withdrawn") {
    page.show(page.kit.page("withdrawn"));
    page.forget();
  } else if (outcome === "collected") {
    const part = page.kit.page("late");
    choices(part, { ...page.view, state: outcome });
    page.show(part);
  } else if (outcome) {
    await open(page, form);
  }
}

/**
 * Offer new words.
 *
 * @param {Page} page
 */
export function exposed(page) {
  const part = page.kit.page("exposed", { whom: told(page.kit, whom(page.view)) });
  if (!page.view.next.length) {
    instead(page, part, page.view, "renew");
  }
  page.show(part);
  follow(page);
  page.sealed();
}

/**
 * Move to new words.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function renew(page, form) {
  const given = new FormData(form);
  const own = String(given.get("text")).trim();
  const text = [page.kit.say("exposed.message").textContent, own].filter(Boolean).join("\n\n");
  const draft = { language: document.documentElement.lang, text, without: given.getAll("without").map(String) };
  const shown = await page.work(form, "send", "renew", { typed: page.typed, draft, language: page.list });
  if (shown) {
    showWords(page, shown);
  }
}

/**
 * Open a file of a reply; only one that was wholly checked is handed over.
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
  if (attachment.size > LARGEST) {
    say(form, page.kit.say("script.too_large", { name }));
    return;
  }
  const content = await page.work(form, "download", "download", { attachment });
  if (content) {
    const saved = `file-${place + 1}${ENDING.exec(name)?.[0] ?? ""}`; // browsers list what they have saved
    save(content, saved);
    say(form, page.kit.say("script.opened", { name, saved }));
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
function caseOf(page, view) {
  const { kit } = page;
  const part = kit.page("case", {
    state: stateOf(page, view),
    reading: ofCase(kit, view, isOver(view)),
    whom: told(kit, whom(view)),
  });
  const [replies, state, more] = part.querySelectorAll("section");
  const [facts, plan] = state.querySelectorAll("ul li");
  repeat(facts, factsOf(page, view), (item, fact) => item.replaceChildren(fact));
  const steps = view.sent && view.state !== "removed" ? kit.settings.plan : [];
  repeat(plan, steps, (item, { days, text, doneBy }) => {
    const done = view.done[doneBy];
    const day = apart(kit.day(done ?? later(view.sent, days)));
    item.classList.toggle("done", Boolean(done));
    item.replaceChildren(kit.say(done ? "case.plan_done" : "case.plan_step", { day, text }));
  });
  if (!steps.length) {
    state.querySelectorAll("h3, h3 + ul").forEach((each) => each.remove());
  }
  const none = document.createElement("p");
  none.append(kit.say("case.none"));
  const late = /** @type {Element} */ (replies.querySelector(".notice"));
  late.replaceChildren(...(view.late ? [kit.say("case.late", {}, view.late)] : []));
  late.toggleAttribute("hidden", !view.late);
  if (!view.replies.length) {
    late.before(none);
  }
  if (isOver(view)) {
    [replies, more].forEach((section) => section.remove());
    part.querySelectorAll("form").forEach((form) => form.remove());
    return part;
  }
  const numbered = view.replies.map((/** @type {any} */ reply, /** @type {number} */ index) => ({ ...reply, index }));
  repeat(replies.querySelector("article"), numbered, (item, reply) => fillReply(page, item, reply));
  ways(page, more, view);
  choices(part, view);
  return part;
}

/**
 * Whether the report was removed, and nothing else is left of the case.
 *
 * @param {View} view
 */
function isOver({ state, replies, late }) {
  return state === "removed" && !replies.length && !late;
}

/**
 * @param {Page} page
 * @param {Element} item
 * @param {any} reply
 */
function fillReply({ kit }, item, { from, day, text, language, have, attachments = [], index, lane, n }) {
  repeat(item.querySelector("form"), attachments, (form, /** @type {Attachment} */ { name, size }) => {
    fill(form, { name: apart(name), size: apart(kit.size(size)) });
  });
  item.querySelectorAll("form").forEach((form, place) => {
    form.dataset.file = `${index}-${place}`;
    /** @type {HTMLInputElement} */ (form.querySelector("[name=file]")).value = `${lane}-${n}-${place}`;
  });
  if (!attachments.length) {
    item.querySelector(".files")?.remove();
  }
  const arrived = kit.say("case.arrived", { day: apart(kit.day(have.day)) }, have.count);
  fill(item, { from: apart(from), day: kit.day(day), text: text ?? "", language, arrived });
}

/**
 * The box for a follow-up as this case needs it: its readers, or whoever is there instead, or nobody.
 *
 * @param {Page} page
 * @param {Element} more
 * @param {View} view
 */
function ways(page, more, view) {
  const { isOpen, next, instead: others } = view;
  if (!isOpen || !(next.length || others.length)) {
    more.replaceWith(page.kit.page(isOpen ? "nobody" : "closed"));
  } else if (!next.length) {
    instead(page, more, view, "follow-up");
  }
}

/**
 * Whoever is there instead of the case's readers, each with a box to leave them out.
 *
 * @param {Page} page
 * @param {ParentNode} part
 * @param {View} view
 * @param {string} step
 */
function instead({ kit }, part, view, step) {
  const ids = view.instead.map((/** @type {Person} */ { id }) => id);
  const people = kit.page(`instead-${step}`);
  const others = [...people.querySelectorAll("input")].filter(({ value }) => !ids.includes(value));
  others.forEach((box) => box.closest(".tick")?.remove());
  people.querySelectorAll(".group:not(:has(input))").forEach((group) => group.remove());
  const [first] = people.querySelectorAll("input");
  people.querySelector(`[for="${first.id}"]`)?.setAttribute("for", "without"); // where a problem's link leads
  first.id = "without";
  part.querySelector(".field:has(#files), .sealing")?.before(people); // nothing may come after files
  part.querySelector("form .reading")?.setAttribute("aria-live", "polite");
}

/**
 * @param {ParentNode} part
 * @param {View} view
 */
function choices(part, { state, hasSlip, next }) {
  const offered = { withdraw: state === "waiting", stop: state === "collected" && next.length, exposed: hasSlip };
  for (const [step, isOffered] of Object.entries(offered)) {
    if (!isOffered) {
      part.querySelector(`[value=${step}]`)?.closest("form")?.remove();
    }
  }
}

/**
 * Whom the next message goes to: those who read the case, or whoever is there instead.
 *
 * @param {View} view
 */
function whom({ next, instead, without }) {
  return { readers: next.length ? next : instead, without };
}

/**
 * @param {Page} page
 * @param {View} view
 */
function stateOf({ kit }, { state, stateDay, replies }) {
  const day = stateDay && apart(kit.day(stateDay));
  const picked = replies.length ? "answered" : "collected";
  return kit.say(`case.${state === "collected" ? picked : (state ?? "gone")}`, { day });
}

/**
 * What is known beside the state, a line each.
 *
 * @param {Page} page
 * @param {View} view
 */
function factsOf({ kit, place }, view) {
  const days = [...view.replies.map((/** @type {any} */ { day }) => day), ...(view.replies.length ? [] : [view.sent])];
  const [first] = days.filter(Boolean).sort();
  const over = isOver(view);
  const { kept, leapt } = kit.settings;
  const due = over || leapt ? "" : planned(kit, place.day, view.collection);
  const lines = {
    sent: view.sent && { day: kit.day(view.sent) },
    pickup: due && { day: due },
    last_day: first && !over && !leapt && { day: kit.day(later(first, kept)) },
    reference: { reference: view.reference },
  };
  return Object.entries(lines).flatMap(([key, values]) => (values ? [kit.say(`case.${key}`, values)] : []));
}

/**
 * The day of the next planned pick-up.  On such a day also the next: today's may be over.
 *
 * @param {Kit} kit
 * @param {string} today
 * @param {string[]} collection
 */
function planned(kit, today, collection) {
  const day = nextDay(today, collection);
  if (!day || day !== today) {
    return day && kit.day(day, true);
  }
  const after = /** @type {string} */ (nextDay(later(today, 1), collection));
  return kit.say("case.today", { today: kit.weekday(today), day: kit.day(after, true) });
}

/**
 * The next day, today included, on which a courier is due.
 *
 * @param {string} today
 * @param {string[]} collection
 */
function nextDay(today, collection) {
  const days = Array.from({ length: WEEK }, (_, ahead) => later(today, ahead));
  return days.find((day) => collection.includes(WEEKDAYS[new Date(day).getUTCDay()]));
}

/**
 * @param {string} day
 * @param {number} days
 */
function later(day, days) {
  return new Date(Date.parse(day) + days * DAY).toISOString().slice(0, 10);
}
