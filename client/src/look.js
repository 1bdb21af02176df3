/** Entry point of look.js, the page's half of looking at a file. */

import { start } from "./viewer/page.js";

const root = /** @type {HTMLElement | null} */ (document.querySelector("#look"));
if (root) {
  start(root);
}
