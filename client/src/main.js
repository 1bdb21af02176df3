/** Entry point of whistle.js, which runs both as the page's script and as the worker that the page starts. */

import { start } from "./page/page.js";
import { serve } from "./worker/worker.js";

/** @import { Scope } from "./worker/worker.js" */

if (typeof document === "undefined") {
  serve(/** @type {Scope} */ (/** @type {unknown} */ (self)));
} else {
  start(/** @type {HTMLScriptElement} */ (document.currentScript));
}
