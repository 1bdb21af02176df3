/** The line that says who will read a message and who was left out; beside Send it is updated with the boxes. */

import { RECOVERY } from "../protocol/trust/manifest.js";
import { fragment, isolate, refill } from "./kit.js";

/** @import { Page } from "./page.js" */
/** @import { Kit } from "./kit.js" */

/**
 * A reviewer's id, with name and role as pages show them.
 *
 * @typedef {{ id: string, shown: string }} Person
 *
 * Who will read a message, and who was left out.
 *
 * @typedef {{ readers: Person[], without: Person[] }} Audience
 *
 * The same by ids, as in a sealed message.
 *
 * @typedef {{ readers: string[], without: string[] }} Ids
 */

/**
 * The line for a message that is about to be sent.
 *
 * @param {Kit} kit
 * @param {Audience} audience
 */
export function audienceLine(kit, { readers, without }) {
  // a message to the recovery key alone is never sent
  const isRead = readers.some(({ id }) => id !== RECOVERY);
  return line(isRead ? kit.message("reading.will", { names: joinedNames(kit, readers) }) : kit.message("reading.nobody"), leftOut(kit, without));
}

/**
 * The audience by name, from what the page already knows: after a message is stored nothing more is fetched.
 *
 * @param {Page} page
 * @param {Ids} ids
 * @returns {Audience}
 */
export function audienceOf({ signedList, view }, { readers, without }) {
  const { next = [], instead = [], without: before = [] } = view ?? {};
  /** @type {Person[]} */
  const people = [...(signedList?.people ?? []), ...next, ...instead, ...before];
  const person = (/** @type {string} */ id) => people.find((one) => one.id === id) ?? { id, shown: id };
  return { readers: readers.map(person), without: without.map(person) };
}

/**
 * The line of a case: who can read the report, who was left out, who was let in later; null when the case is over.
 *
 * @param {Kit} kit
 * @param {any} view
 * @param {boolean} isOver
 */
export function caseAudienceLine(kit, { hasSlip, readers, without, broughtIn }, isOver) {
  if (!hasSlip) {
    return isOver ? null : kit.message("case.no_slip");
  }
  const later = broughtIn.flatMap((/** @type {any} */ { name, by, day }) => [
    " ",
    kit.message("reading.later", { name: isolate(name), by: isolate(by), day: kit.day(day) }),
  ]);
  return line(kit.message("reading.can", { names: joinedNames(kit, readers) }), leftOut(kit, without), ...later);
}

/**
 * Update the line beside Send whenever a box of its form changes.
 *
 * @param {Page} page
 */
export function followBoxes(page) {
  const place = /** @type {HTMLElement | null} */ (page.main.querySelector(".reading[aria-live]"));
  const form = /** @type {HTMLFormElement | null} */ (place?.closest("form"));
  const update = () => {
    const chosen = form && chosenAudience(page, new FormData(form));
    const audience = chosen && audienceLine(page.kit, chosen);
    if (audience && audience.textContent !== place?.textContent) {
      const said = document.createElement("span");
      said.append(audience);
      refill(place, said); // a live region: every replacement is read aloud
    }
  };
  if (form) {
    form.onchange = update;
    update();
  }
}

/**
 * Who would read the form if it were sent now; null until the manifest is verified.
 *
 * @param {Page} page
 * @param {FormData} given
 * @returns {Audience | null}
 */
export function chosenAudience({ signedList, view }, given) {
  const ticked = given.getAll("without");
  const isIn = (/** @type {Person} */ { id }) => !ticked.includes(id);
  if (given.get("step") !== "send") {
    const unticked = view.instead.filter((/** @type {Person} */ person) => !isIn(person));
    return { readers: view.instead.filter(isIn), without: [...view.without, ...unticked] };
  }
  if (!signedList) {
    return null;
  }
  const ids = [...(signedList.channels[String(given.get("channel"))] ?? []), RECOVERY];
  const readers = ids.flatMap((id) => signedList.people.filter((person) => person.id === id)).filter(isIn);
  return { readers, without: signedList.people.filter((person) => !isIn(person)) };
}

/**
 * @param {Kit} kit
 * @param {Person[]} people
 */
function joinedNames(kit, people) {
  return kit.joined(
    people.map(({ id, shown }) => (id === RECOVERY ? kit.message("reading.reserve", { name: shown }) : isolate(shown))),
  );
}

/**
 * @param {Kit} kit
 * @param {Person[]} without
 */
function leftOut(kit, without) {
  return without.length ? kit.message("reading.out", { names: joinedNames(kit, without) }) : kit.message("reading.nobody_out");
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
