/**
 * Pictures without what is hidden in them: place, time, device, comments, previews.
 *
 * JPEG and PNG alone, told by their content.  Nothing is decoded by a browser, since Tor Browser gives no true pixels
 * back: each part is read for what it says, and the file written anew.  Whatever is not read has no room in it.
 */

import * as jpeg from "./jpeg.js";
import { Bytes, Unclean, keepLook, letAlter, startsWith } from "./picture.js";
import * as png from "./png.js";

const READERS = [jpeg, png];

/**
 * The picture without what is hidden in it.
 *
 * Unclean when it is no JPEG or PNG, or damaged, or animated; or, unless `altered`, if browsers would then show it
 * otherwise than before.
 *
 * @param {Blob} file
 * @param {boolean} [altered]
 */
export async function clean(file, altered = false) {
  const bytes = new Bytes(file);
  for (const { START, read } of READERS) {
    if (startsWith(await bytes.from(0, START.length), START)) {
      return read(bytes, altered ? letAlter : keepLook);
    }
  }
  throw new Unclean("neither JPEG nor PNG");
}

/**
 * What this program's worker is asked, and what it answers.
 *
 * @typedef {{ file: File, altered: boolean }} Asked
 * @typedef {{ clean: Blob } | { alters: boolean } | { failed: true }} Answered
 *
 * The part of a worker that is needed here.
 *
 * @typedef {{ postMessage: (answer: Answered) => void, onmessage: ((event: { data: Asked }) => void) | null }} Scope
 */

/**
 * Clean whatever comes in.
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
