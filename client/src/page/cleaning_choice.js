/** The choice to send pictures without what is hidden in them: on unless unticked; nothing goes uncleaned unasked. */

import { clearProblems } from "./progress_panel.js";
import { filesOf } from "./report.js";

/** @import { Page } from "./page.js" */
/** @import { Fault } from "../worker/worker.js" */

/**
 * What else can be chosen once it matters, by the ids of its boxes.
 *
 * @type {Record<string, "altered" | "others">}
 */
const MORE = { "clean-altered": "altered", "clean-others": "others" };

/**
 * Offer it below the files of the page, as it was chosen before.
 *
 * @param {Page} page
 */
export function offer({ cleaning, kit, main }) {
  const field = main.querySelector(".field:has(#files)");
  if (!field || main.querySelector(".cleaning")) {
    return;
  }
  const part = kit.page("cleaning");
  const box = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (part.querySelector(`#${id}`));
  const more = Object.entries(MORE).map(([id, name]) => ({ other: box(id), name }));
  const pictures = box("clean");
  const show = () => {
    more.forEach(({ other, name }) => other.parentElement?.toggleAttribute("hidden", !(cleaning.pictures && cleaning[name])));
  };
  pictures.checked = cleaning.pictures;
  pictures.onchange = () => {
    cleaning.pictures = pictures.checked;
    show();
  };
  for (const { other, name } of more) {
    other.checked = cleaning[name];
    other.onchange = () => (cleaning[name] = other.checked);
  }
  show();
  field.after(part);
}

/**
 * Say which files cannot be cleaned, or would look different, and offer to send them so.
 *
 * @param {Page} page
 * @param {Fault} fault
 */
export function unclean(page, { names = [], altered = [] }) {
  const told = [
    { field: "files", id: "clean-others", key: "script.unclean", files: names },
    { field: "clean-altered", id: "clean-altered", key: "script.unclean_altered", files: altered },
  ].filter(({ files }) => files.length);
  told.forEach(({ id }) => page.main.querySelector(`.tick:has(#${id})`)?.removeAttribute("hidden"));
  page.problems(
    told.map(({ field, key, files }) => ({ field, text: page.kit.say(key, { names: page.kit.listed(files) }) })),
  );
}

/**
 * Whether a form may go the plain way, which cleans nothing; says so where somebody saw a box that says otherwise.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export function goesPlain(page, form) {
  const isTicked = Boolean(page.main.querySelector("#clean:checked"));
  const isHeld = isTicked && filesOf(page, new FormData(form)).files.length > 0;
  if (isHeld) {
    clearProblems(page.main);
    page.problems([{ field: "files", text: page.kit.say("script.unclean_plain") }]);
  }
  return !isHeld;
}
