/** The one file that a page loads; the same file is the worker that the page starts. */

import { start } from "./page/page.js";
import { serve } from "./worker/worker.js";

/** @import { Scope } from "./worker/worker.js" */

if (typeof document === "undefined") {
  serve(/** @type {Scope} */ (/** @type {unknown} */ (self)));
} else {
  start(/** @type {HTMLScriptElement} */ (document.currentScript));
}
