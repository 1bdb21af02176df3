/** The program that cleans pictures: a file of its own, since only those need it who send files. */

import { serve } from "./metadata.js";

/** @import { Scope } from "./metadata.js" */

serve(/** @type {Scope} */ (/** @type {unknown} */ (self)));
