/**
 * Entry point of viewer.js, the program inside the frame in which a stranger's file is looked at.
 *
 * The frame has no origin, network, storage or parent: it is given bytes once, and answers with pixels.
 */

import { serve } from "./viewer/frame.js";

// The one way to the network that no policy closes in every browser, taken away before any file is here.
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "mozRTCPeerConnection"]) {
  delete (/** @type {Record<string, unknown>} */ (/** @type {unknown} */ (window)))[name];
}
serve(window);
