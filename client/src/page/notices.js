/** Notices and errors on the page, in the markup that the server's own pages use. */

/** @import { Kit } from "./kit.js" */

/**
 * Show a notice above a form, and move the focus to it.
 *
 * @param {HTMLFormElement} form
 * @param {string | Node} text
 */
export function showNotice(form, text) {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.dataset.said = "";
  notice.setAttribute("role", "status");
  notice.tabIndex = -1;
  notice.append(text);
  form.before(notice);
  notice.focus();
  return notice;
}

/**
 * Show errors in a summary at the top and beside each field.
 *
 * @param {Kit} kit
 * @param {Element} main
 * @param {{ field: string, text: Node }[]} problems
 */
export function showProblems(kit, main, problems) {
  const summary = /** @type {HTMLElement} */ (kit.page("summary").firstElementChild);
  const pattern = /** @type {Element} */ (summary.querySelector("li"));
  pattern.replaceWith(
    ...problems.map(({ field, text }) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `#${field}`;
      link.append(text.cloneNode(true));
      item.append(field ? link : text);
      return item;
    }),
  );
  problems.forEach(({ field, text }) => showFieldError(main, field, text));
  main.prepend(summary);
  summary.focus();
  summary.scrollIntoView();
}

/**
 * Remove notices and errors, also those that the server rendered.
 *
 * @param {Element} main
 */
export function clearProblems(main) {
  main.querySelectorAll(".summary, .error, [data-said]").forEach((element) => element.remove());
  for (const element of main.querySelectorAll("[aria-describedby$=-error]")) {
    element.setAttribute("aria-describedby", (element.getAttribute("aria-describedby") ?? "").replace(/ ?\S+-error$/, ""));
    element.removeAttribute("aria-invalid");
  }
}

/**
 * @param {Element} main
 * @param {string} field
 * @param {Node} text
 */
function showFieldError(main, field, text) {
  const control = field && main.querySelector(`#${field}`);
  if (!control) {
    return;
  }
  const described = control.closest("fieldset") ?? control;
  const error = document.createElement("p");
  error.className = "error";
  error.id = `${field}-error`;
  error.append(text.cloneNode(true));
  const place = described === control ? (control.closest(".tick") ?? control) : described.querySelector(".group, .tick");
  place?.before(error);
  described.setAttribute("aria-describedby", `${described.getAttribute("aria-describedby") ?? ""} ${error.id}`.trim());
  if (described === control) {
    described.setAttribute("aria-invalid", "true");
  }
}
