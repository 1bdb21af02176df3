/** The twelve words of a report that is stored: shown, asked back, and forgotten with the page. */

import { fill, repeat } from "./kit.js";
import { named, told } from "./readers.js";

/** @import { Page } from "./page.js" */
/** @import { Ids } from "./readers.js" */

const COUNT = 12; // words
const ASKED = 3;

/**
 * Words as the worker gives them; with who will read the report, when it was sent just now.
 *
 * @typedef {{ words: string[], numbers: number[], reference: string } & Partial<Ids>} Shown
 */

/**
 * The page of the words.
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
    page.reading = named(page, { readers, without });
  }
  const part = page.kit.page("words", { list, reference: shown.reference, reading: reading(page) });
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
  reload.replaceChildren(page.kit.say("script.reload"));
  part.querySelector(".code")?.before(reload);
  page.show(part, { guarded: true });
}

/**
 * The words once more, in the list that was chosen.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 * @param {boolean} [wrong]
 */
export async function again(page, form, wrong = false) {
  const list = new FormData(form).get("list") || page.list;
  const shown = await page.work(form, "look", "words", { typed: page.typed, language: list });
  if (shown) {
    showWords(page, shown, { wrong, list: String(list) });
  }
}

/**
 * Ask three of the words back.
 *
 * @param {Page} page
 */
export function keep(page) {
  const part = page.kit.page("keep", { list: page.list });
  const fields = [...part.querySelectorAll(".field")];
  while (fields.length > ASKED) {
    const [out] = fields.splice(crypto.getRandomValues(new Uint32Array(1))[0] % fields.length, 1);
    out.remove();
  }
  page.show(part, { guarded: true });
}

/**
 * Done, when three words were typed right; else the words again.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export async function kept(page, form) {
  /** @type {Record<number, string>} */
  const places = {};
  for (let place = 1; place <= COUNT; place++) {
    const typed = String(new FormData(form).get(`word-${place}`) ?? "");
    if (typed.trim()) {
      places[place] = typed;
    }
  }
  const good = await page.work(form, "look", "matches", { typed: page.typed, places });
  if (good) {
    page.show(page.kit.page("kept", { reading: reading(page) }));
    page.forget();
  } else if (good === false) {
    await again(page, form, true);
  }
}

/**
 * Done, for somebody who will not come back.
 *
 * @param {Page} page
 */
export function leave(page) {
  page.show(page.kit.page("left", { reading: reading(page) }));
  page.forget();
}

/** @param {Page} page */
function reading({ kit, reading }) {
  return reading && told(kit, reading);
}
