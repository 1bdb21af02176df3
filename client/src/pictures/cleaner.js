/**
 * Cleans pictures in a worker of their own, whose script makes no requests.  It is loaded for any file, so that loading
 * it does not reveal what kind of files a report has.
 */

import { Unclean } from "./errors.js";

/** @import { Answered, Asked } from "./metadata.js" */

/** @typedef {{ postMessage: (asked: Asked) => void, terminate: () => void, onmessage: any, onerror: any }} CleaningWorker */

/** Cleans one file after the other; must be closed. */
export class Cleaner {
  /** @param {() => CleaningWorker} start starts a worker that runs `serve` of metadata.js */
  constructor(start) {
    /** @type {CleaningWorker | null} */
    this._worker = null;
    this._answered = (/** @type {Answered} */ _) => {};
    try {
      this._worker = start();
    } catch {
      // older browsers have no workers within workers
    }
  }

  /**
   * The file without its metadata; Unclean if it cannot be cleaned.
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
      throw new Error("the picture cleaner has failed");
    }
    if ("alters" in answer) {
      throw new Unclean("a picture that cannot be cleaned", answer);
    }
    return new File([answer.clean], file.name, { type: file.type });
  }

  /** Terminate the worker; what is under way fails. */
  close() {
    this._worker?.terminate();
    this._answered({ failed: true });
  }
}

/**
 * Clean all files.  Unclean, with the names, if any would look different and `altered` is false, or cannot be cleaned
 * and `others` is false; with `others` such files are returned as they are.
 *
 * @param {File[]} files
 * @param {{ altered: boolean, others: boolean }} how
 * @param {Cleaner} cleaner
 */
export async function cleanFiles(files, { altered, others }, cleaner) {
  const results = [];
  /** @type {{ names: string[], altered: string[] }} */
  const refused = { names: [], altered: [] };
  for (const file of files) {
    try {
      results.push(await cleaner.clean(file, altered));
    } catch (error) {
      if (!(error instanceof Unclean)) {
        throw error;
      }
      results.push(file);
      refused[error.alters ? "altered" : "names"].push(file.name);
    }
  }
  if (refused.altered.length || (refused.names.length && !others)) {
    throw new Unclean("files that cannot be cleaned", { ...refused, names: others ? [] : refused.names });
  }
  return results;
}
