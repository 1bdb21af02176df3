/** The line that says who will read a message and who was left out; beside Send it follows the boxes. */

import { RECOVERY } from "../protocol/trust/manifest.js";
import { apart, fragment } from "./kit.js";

/** @import { Page } from "./page.js" */
/** @import { Kit } from "./kit.js" */

/**
 * Somebody by id, with name and role as pages show them.
 *
 * @typedef {{ id: string, shown: string }} Person
 *
 * Who will read a message, and who was left out.
 *
 * @typedef {{ readers: Person[], without: Person[] }} Reading
 *
 * The same by ids, as a message was sealed.
 *
 * @typedef {{ readers: string[], without: string[] }} Ids
 */

/**
 * @param {Kit} kit
 * @param {Reading} reading
 */
export function told(kit, { readers, without }) {
  // nothing is sealed to the key in reserve alone
  const isRead = readers.some(({ id }) => id !== RECOVERY);
  return line(isRead ? kit.say("reading.will", { names: listed(kit, readers) }) : kit.say("reading.nobody"), out(kit, without));
}

/**
 * People by their ids, from what the page knows: once a message is kept nothing more is fetched for it.
 *
 * @param {Page} page
 * @param {Ids} ids
 * @returns {Reading}
 */
export function named({ begun, view }, { readers, without }) {
  const { next = [], instead = [], without: before = [] } = view ?? {};
  /** @type {Person[]} */
  const known = [...(begun?.people ?? []), ...next, ...instead, ...before];
  const person = (/** @type {string} */ id) => known.find((each) => each.id === id) ?? { id, shown: id };
  return { readers: readers.map(person), without: without.map(person) };
}

/**
 * In the first lines of a case: who can read the report, who was left out, who was let in later; null when all is over.
 *
 * @param {Kit} kit
 * @param {any} view
 * @param {boolean} isOver
 */
export function ofCase(kit, { hasSlip, readers, without, broughtIn }, isOver) {
  if (!hasSlip) {
    return isOver ? null : kit.say("case.no_slip");
  }
  const later = broughtIn.flatMap((/** @type {any} */ { name, by, day }) => [
    " ",
    kit.say("reading.later", { name: apart(name), by: apart(by), day: kit.day(day) }),
  ]);
  return line(kit.say("reading.can", { names: listed(kit, readers) }), out(kit, without), ...later);
}

/**
 * Keep the line beside Send true to the boxes of its form, from now on.
 *
 * @param {Page} page
 */
export function follow(page) {
  const place = page.main.querySelector(".reading[aria-live]");
  const form = /** @type {HTMLFormElement | null} */ (place?.closest("form"));
  const say = () => {
    const chosen = form && reading(page, new FormData(form));
    const said = chosen && told(page.kit, chosen);
    if (said && said.textContent !== place?.textContent) {
      place?.replaceChildren(said); // what is said anew is spoken
    }
  };
  if (form) {
    form.onchange = say;
    say();
  }
}

/**
 * Who will read what the form would send now; null while the signed list is not known.
 *
 * @param {Page} page
 * @param {FormData} given
 * @returns {Reading | null}
 */
export function reading({ begun, view }, given) {
  const ticked = given.getAll("without");
  const isIn = (/** @type {Person} */ { id }) => !ticked.includes(id);
  if (given.get("step") !== "send") {
    const out = view.instead.filter((/** @type {Person} */ each) => !isIn(each));
    return { readers: view.instead.filter(isIn), without: [...view.without, ...out] };
  }
  if (!begun) {
    return null;
  }
  const named = [...(begun.channels[String(given.get("channel"))] ?? []), RECOVERY];
  const readers = named.flatMap((id) => begun.people.filter((each) => each.id === id)).filter(isIn);
  return { readers, without: begun.people.filter((each) => !isIn(each)) };
}

/**
 * @param {Kit} kit
 * @param {Person[]} people
 */
function listed(kit, people) {
  return kit.listed(
    people.map(({ id, shown }) => (id === RECOVERY ? kit.say("reading.reserve", { name: shown }) : apart(shown))),
  );
}

/**
 * @param {Kit} kit
 * @param {Person[]} without
 */
function out(kit, without) {
  return without.length ? kit.say("reading.out", { names: listed(kit, without) }) : kit.say("reading.nobody_out");
}

/**
 * @param {Node} first
 * @param {...(string | Node)} more
 */
function line(first, ...more) {
  const strong = document.createElement("strong");
  strong.append(first);
  return fragment(strong, " ", ...more);
}
