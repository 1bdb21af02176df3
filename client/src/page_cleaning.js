/** The choice to send pictures without what is hidden in them; nothing is cleaned, or sent uncleaned, unasked. */

import { clearProblems } from "./page_panel.js";
import { filesOf } from "./page_tell.js";

/** @import { Page } from "./page.js" */
/** @import { Fault } from "./worker.js" */

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
  const [pictures, others] = part.querySelectorAll("input");
  [pictures.checked, others.checked] = [cleaning.pictures, cleaning.others];
  const show = () => others.parentElement?.toggleAttribute("hidden", !(cleaning.pictures && cleaning.others));
  pictures.onchange = () => {
    cleaning.pictures = pictures.checked;
    show();
  };
  others.onchange = () => (cleaning.others = others.checked);
  show();
  field.after(part);
}

/**
 * Say which files cannot be cleaned, and offer to send them as they are.
 *
 * @param {Page} page
 * @param {Fault} fault
 */
export function unclean(page, { names = [] }) {
  page.main.querySelector(".tick:has(#clean-others)")?.removeAttribute("hidden");
  page.problems([{ field: "files", text: page.kit.say("script.unclean", { names: page.kit.listed(names) }) }]);
}

/**
 * Whether a form may go the plain way, which cleans nothing; says so if not.
 *
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
export function goesPlain(page, form) {
  const isHeld = page.cleaning.pictures && filesOf(page, new FormData(form)).files.length > 0;
  if (isHeld) {
    clearProblems(page.main);
    page.problems([{ field: "files", text: page.kit.say("script.unclean_plain") }]);
  }
  return !isHeld;
}
