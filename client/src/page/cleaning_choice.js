/** The choice to remove metadata from pictures: on by default; no file is sent uncleaned unless the reporter agrees. */

import { clearProblems } from "./notices.js";
import { filesOf } from "./report.js";

/** @import { Page } from "./page.js" */
/** @import { Fault } from "../worker/worker.js" */

/**
 * Further choices, by the ids of their boxes; each is shown once a file needs it.
 *
 * @type {Record<string, "altered" | "others">}
 */
const EXCEPTIONS = { "clean-altered": "altered", "clean-others": "others" };

/**
 * Show the choice below the page's file field once a file is chosen, with the boxes as they were last set.
 *
 * @param {Page} page
 */
export function offerCleaning(page) {
  const { cleaning, kit, main } = page;
  const field = main.querySelector(".field:has(#files)");
  if (!field || main.querySelector(".cleaning")) {
    return;
  }
  const input = /** @type {HTMLInputElement} */ (field.querySelector("#files"));
  if (!input.files?.length) {
    input.addEventListener("change", () => offerCleaning(page), { once: true });
    return;
  }
  const part = kit.page("cleaning");
  const box = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (part.querySelector(`#${id}`));
  const more = Object.entries(EXCEPTIONS).map(([id, name]) => ({ other: box(id), name }));
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
 * Name the files that cannot be cleaned or would look different, and offer to send them anyway.
 *
 * @param {Page} page
 * @param {Fault} fault
 */
export function showUnclean(page, { names = [], altered = [] }) {
  const groups = [
    { field: "files", id: "clean-others", key: "script.unclean", files: names },
    { field: "clean-altered", id: "clean-altered", key: "script.unclean_altered", files: altered },
  ].filter(({ files }) => files.length);
  groups.forEach(({ id }) => page.main.querySelector(`.tick:has(#${id})`)?.removeAttribute("hidden"));
  page.showProblems(
    groups.map(({ field, key, files }) => ({ field, text: page.kit.message(key, { names: page.kit.joined(files) }) })),
  );
}

/**
 * Whether the form may be submitted without script, which cleans nothing; false, with an error, while files are chosen
 * and the box to clean them is ticked.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export function maySubmitPlain(page, form) {
  const isTicked = Boolean(page.main.querySelector("#clean:checked"));
  const isBlocked = isTicked && filesOf(page, new FormData(form)).files.length > 0;
  if (isBlocked) {
    clearProblems(page.main);
    page.showProblems([{ field: "files", text: page.kit.message("script.unclean_plain") }]);
  }
  return !isBlocked;
}
