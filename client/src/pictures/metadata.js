/**
 * Removes metadata from pictures: place, time, device, comments, previews.
 *
 * JPEG and PNG only, recognised by their content.  The browser does not decode them, since Tor Browser does not return
 * true pixels: each part is parsed and the file is written anew, so that nothing that is not understood is copied.
 */

import { Bytes, startsWith } from "./bytes.js";
import { Unclean, allowAlteration, refuseAlteration } from "./errors.js";
import * as jpeg from "./jpeg.js";
import * as png from "./png.js";

const READERS = [jpeg, png];

/**
 * The picture without its metadata.
 *
 * Unclean if it is not a JPEG or PNG, damaged or animated; or, unless `altered`, if browsers would show the result
 * differently.
 *
 * @param {Blob} file
 * @param {boolean} [altered]
 */
export async function clean(file, altered = false) {
  const bytes = new Bytes(file);
  for (const { START, read } of READERS) {
    if (startsWith(await bytes.from(0, START.length), START)) {
      return read(bytes, altered ? allowAlteration : refuseAlteration);
    }
  }
  throw new Unclean("neither JPEG nor PNG");
}

/**
 * Messages to this script's worker, and its answers.
 *
 * @typedef {{ file: File, altered: boolean }} Asked
 * @typedef {{ clean: Blob } | { alters: boolean } | { failed: true }} Answered
 *
 * The part of a worker's global scope that is used here.
 *
 * @typedef {{ postMessage: (answer: Answered) => void, onmessage: ((event: { data: Asked }) => void) | null }} Scope
 */

/**
 * Clean the files that are posted to the worker.
 *
 * @param {Scope} scope
 */
export function serve(scope) {
  scope.onmessage = async ({ data: { file, altered } }) => {
    try {
      scope.postMessage({ clean: await clean(file, altered) });
    } catch (error) {
      scope.postMessage(error instanceof Unclean ? { alters: error.alters } : { failed: true });
    }
  };
}
