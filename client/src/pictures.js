/** Entry point of pictures.js, the worker that cleans pictures; separate because only reports with files need it. */

import { serve } from "./pictures/metadata.js";

/** @import { Scope } from "./pictures/metadata.js" */

serve(/** @type {Scope} */ (/** @type {unknown} */ (self)));
