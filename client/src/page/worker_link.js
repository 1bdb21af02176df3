/** The page's side of the connection to the worker, which seals and opens; the page itself holds no key. */

/** @import { Ask, Fault, Outgoing } from "../worker/worker.js" */

/**
 * Called while a task runs.
 *
 * @typedef {object} Callbacks
 * @property {(done: number, total: number) => void} [onProgress] in blocks
 * @property {(seconds: number, why: string) => void} [onWait] until the next try, and why
 * @property {() => void} [onLast] before the last request, after which cancelling may come too late
 */

/** A task failed; `fault` says why, in kinds for which the pages have messages. */
export class TaskError extends Error {
  /** @param {Fault} fault */
  constructor(fault) {
    super(fault.kind);
    this.fault = fault;
  }
}

/** A worker that carries out several tasks at a time. */
export class WorkerLink {
  /**
   * @param {string} program URL of the worker's script
   * @param {object} environment sent with every question, as it then is
   */
  constructor(program, environment) {
    this._environment = environment;
    this._count = 0;
    /** @type {Map<number, (message: Partial<Outgoing>) => void>} */
    this._listeners = new Map();
    this._worker = new Worker(program);
    this._worker.onmessage = ({ data }) => this._listeners.get(data.number)?.(data);
    this._worker.onerror = () => this._listeners.forEach((listener) => listener({ fault: { kind: "fault" } }));
  }

  /**
   * Start a task; after `cancel` the answer rejects with `cancelled`.
   *
   * @param {Ask} ask
   * @param {object} [question] without its environment
   * @param {Callbacks} [callbacks]
   * @returns {{ answer: Promise<any>, cancel: () => void }}
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
          fault ? reject(new TaskError(fault)) : resolve(answer);
        }
      });
    });
    this._worker.postMessage({ number, ask, question: { ...question, environment: this._environment } });
    return { answer, cancel: () => this._worker.postMessage({ number, cancel: true }) };
  }

  /** Terminate the worker, and with it everything in its memory. */
  close() {
    this._worker.terminate();
  }
}
