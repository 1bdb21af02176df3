/**
 * Entry point of whistle.js, which runs both as the page's script and as the worker that the page starts.
 *
 * The build makes the program a function `whistle`, whose text becomes the worker: it is loaded once, though no browser
 * is to keep it.
 */

import { start } from "./page/page.js";
import { serve } from "./worker/worker.js";

/** @import { Scope } from "./worker/worker.js" */

if (typeof document === "undefined") {
  serve(/** @type {Scope} */ (/** @type {unknown} */ (self)));
} else {
  const text = `(${/** @type {any} */ (globalThis).whistle})()`;
  const worker = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  start(/** @type {HTMLScriptElement} */ (document.currentScript), worker);
}
