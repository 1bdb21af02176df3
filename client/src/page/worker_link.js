/** The page's end of the line to the worker, which seals and opens; the page itself holds no key. */

/** @import { Ask, Fault, Outgoing } from "../worker/worker.js" */

/**
 * What is told on the way: progress in blocks, a wait in seconds and why, or that the last request is made.
 *
 * @typedef {object} News
 * @property {(done: number, total: number) => void} [onProgress]
 * @property {(seconds: number, why: string) => void} [onWait]
 * @property {() => void} [onLast]
 */

/** Why something came to nothing; `fault` says it in a form that the pages have words for. */
export class Failed extends Error {
  /** @param {Fault} fault */
  constructor(fault) {
    super(fault.kind);
    this.fault = fault;
  }
}

/** A worker that is asked several things at a time. */
export class Line {
  /**
   * @param {string} program where it is
   * @param {object} place of the Task
   */
  constructor(program, place) {
    this._place = place;
    this._count = 0;
    /** @type {Map<number, (said: Partial<Outgoing>) => void>} */
    this._listeners = new Map();
    this._worker = new Worker(program);
    this._worker.onmessage = ({ data }) => this._listeners.get(data.number)?.(data);
    this._worker.onerror = () => this._listeners.forEach((told) => told({ fault: { kind: "fault" } }));
  }

  /**
   * Ask; `end` gives up, and the answer then fails as `cancelled`.
   *
   * @param {Ask} ask
   * @param {object} [question] without its place
   * @param {News} [news]
   * @returns {{ answer: Promise<any>, end: () => void }}
   */
  ask(ask, question = {}, { onProgress, onWait, onLast } = {}) {
    const number = ++this._count;
    const answer = new Promise((resolve, reject) => {
      this._listeners.set(number, ({ progress, wait, last, fault, answer }) => {
        if (progress) {
          onProgress?.(progress.done, progress.total);
        } else if (wait) {
          onWait?.(wait.seconds, wait.why);
        } else if (last) {
          onLast?.();
        } else {
          this._listeners.delete(number);
          fault ? reject(new Failed(fault)) : resolve(answer);
        }
      });
    });
    this._worker.postMessage({ number, ask, question: { ...question, place: this._place } });
    return { answer, end: () => this._worker.postMessage({ number, cancel: true }) };
  }

  /** End the worker and whatever it knows. */
  close() {
    this._worker.terminate();
  }
}
