/** The program that cleans pictures: a file of its own, since only those need it who send files. */

import { serve } from "./pictures/metadata.js";

/** @import { Scope } from "./pictures/metadata.js" */

serve(/** @type {Scope} */ (/** @type {unknown} */ (self)));
