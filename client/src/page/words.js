/** The twelve words of a stored report: shown, checked, and forgotten with the page. */

import { fill, repeat } from "./kit.js";
import { audienceLine, audienceOf } from "./readers.js";

/** @import { Page } from "./page.js" */
/** @import { Ids } from "./readers.js" */

const COUNT = 12; // words
const ASKED = 3; // words to type back

/**
 * The worker's answer with the words; with the audience when the report was just sent.
 *
 * @typedef {{ words: string[], numbers: number[], reference: string } & Partial<Ids>} Shown
 */

/**
 * Show the words.
 *
 * @param {Page} page
 * @param {Shown} shown
 * @param {{ wrong?: boolean, list?: string }} [how]
 */
export function showWords(page, shown, { wrong = false, list = page.list } = {}) {
  page.list = list;
  page.typed = shown.numbers.join(" ");
  const { readers, without } = shown;
  if (readers && without) {
    page.reading = audienceOf(page, { readers, without });
  }
  const part = page.kit.page("words", { list, reference: shown.reference, reading: audience(page) });
  const words = shown.words.map((word, place) => ({ word, number: shown.numbers[place], place }));
  repeat(part.querySelector("ol li"), words, (item, { word, number, place }) => {
    item.setAttribute("value", String(place + 1));
    fill(item, { word, number });
  });
  if (!wrong) {
    part.querySelector("[role=alert]")?.remove();
  }
  /** @type {HTMLSelectElement} */ (part.querySelector("#list")).value = list;
  const reload = /** @type {Element} */ (part.lastElementChild);
  reload.className = "notice";
  reload.replaceChildren(page.kit.message("script.reload"));
  part.querySelector(".code")?.before(reload);
  page.show(part, { guarded: true });
}

/**
 * Show the words again, in the language that was chosen.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {boolean} [wrong]
 */
export async function showAgain(page, form, wrong = false) {
  const list = new FormData(form).get("list") || page.list;
  const shown = await page.run(form, "look", "words", { typed: page.typed, language: list });
  if (shown) {
    showWords(page, shown, { wrong, list: String(list) });
  }
}

/**
 * Ask for three of the words, chosen at random.
 *
 * @param {Page} page
 */
export function askBack(page) {
  const part = page.kit.page("keep", { list: page.list });
  const fields = [...part.querySelectorAll(".field")];
  while (fields.length > ASKED) {
    const [out] = fields.splice(crypto.getRandomValues(new Uint32Array(1))[0] % fields.length, 1);
    out.remove();
  }
  page.show(part, { guarded: true });
}

/**
 * Finish if three words were typed correctly; otherwise show the words again.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function checkAsked(page, form) {
  /** @type {Record<number, string>} */
  const places = {};
  for (let place = 1; place <= COUNT; place++) {
    const typed = String(new FormData(form).get(`word-${place}`) ?? "");
    if (typed.trim()) {
      places[place] = typed;
    }
  }
  const good = await page.run(form, "look", "matches", { typed: page.typed, places });
  if (good) {
    const part = page.kit.page("kept", { reading: audience(page) });
    part.querySelectorAll(".step").forEach((step) => page.asksAdvice && step.remove()); // the plan is for reports
    page.show(part);
    page.forget();
  } else if (good === false) {
    await showAgain(page, form, true);
  }
}

/**
 * Finish without a check, for a reporter who will not come back.
 *
 * @param {Page} page
 */
export function skipCheck(page) {
  page.show(page.kit.page("left", { reading: audience(page) }));
  page.forget();
}

/** @param {Page} page */
function audience({ kit, reading }) {
  return reading && audienceLine(kit, reading);
}
