/**
 * Pictures are cleaned in a worker of their own, whose program can ask no server and is loaded for any file, so that
 * loading it tells nothing of what kind the files are.
 */

import { Unclean } from "./picture.js";

/** @import { Answered, Asked } from "./metadata.js" */

/** @typedef {{ postMessage: (asked: Asked) => void, terminate: () => void, onmessage: any, onerror: any }} Other */

/** Cleans one file after the other; `close` it in the end. */
export class Cleaner {
  /** @param {() => Other} start a worker that does what `serve` of metadata.js does */
  constructor(start) {
    /** @type {Other | null} */
    this._worker = null;
    this._answered = (/** @type {Answered} */ _) => {};
    try {
      this._worker = start();
    } catch {
      // no worker within a worker: an older browser
    }
  }

  /**
   * The file without what is hidden in it; Unclean where that cannot be.
   *
   * @param {File} file
   * @param {boolean} altered
   */
  async clean(file, altered) {
    const worker = this._worker;
    if (!worker) {
      throw new Unclean("no worker");
    }
    const answer = await new Promise((/** @type {(answer: Answered) => void} */ resolve) => {
      this._answered = resolve;
      worker.onmessage = (/** @type {{ data: Answered }} */ { data }) => resolve(data);
      worker.onerror = () => resolve({ failed: true });
      worker.postMessage({ file, altered });
    });
    if ("failed" in answer) {
      throw new Error("the program that cleans pictures has failed");
    }
    if ("alters" in answer) {
      throw new Unclean("a picture that cannot be cleaned", answer);
    }
    return new File([answer.clean], file.name, { type: file.type });
  }

  /** Whatever is under way fails. */
  close() {
    this._worker?.terminate();
    this._answered({ failed: true });
  }
}

/**
 * All files, each cleaned or, with `others`, as it was where it cannot be; Unclean with their names otherwise.
 *
 * With `altered` also those that then look different; else Unclean with the names of these too.
 *
 * @param {File[]} files
 * @param {{ altered: boolean, others: boolean }} how
 * @param {Cleaner} cleaner
 */
export async function cleaned(files, { altered, others }, cleaner) {
  const found = [];
  /** @type {{ names: string[], altered: string[] }} */
  const held = { names: [], altered: [] };
  for (const file of files) {
    try {
      found.push(await cleaner.clean(file, altered));
    } catch (error) {
      if (!(error instanceof Unclean)) {
        throw error;
      }
      found.push(file);
      held[error.alters ? "altered" : "names"].push(file.name);
    }
  }
  if (held.altered.length || (held.names.length && !others)) {
    throw new Unclean("files that cannot be cleaned", { ...held, names: others ? [] : held.names });
  }
  return found;
}
