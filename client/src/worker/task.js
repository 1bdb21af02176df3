/**
 * The tasks of the worker: seal and send, look up, open, withdraw.
 *
 * Words, keys and texts are only in memory, and gone when the page is closed.
 */

import { bytesToHex, randomBytes } from "@noble/hashes/utils.js";

import { Api, ApiError } from "./server_api.js";
import * as attachment from "../protocol/case/attachment.js";
import { Cleaner, cleanFiles } from "../pictures/cleaner.js";
import { followUp, report } from "../protocol/reporter/compose.js";
import { Malformed } from "../protocol/errors.js";
import { Hashing } from "./hashing.js";
import { validateReplies } from "../protocol/reporter/reply_validation.js";
import { FILE, useLists } from "../protocol/code/word_list_file.js";
import { assigned } from "../protocol/assigned.js";
import { readChunks } from "./file_stream.js";
import { ATTEMPT, CODE, derive, reference } from "../protocol/code/retrieval.js";
import { Manifests } from "./manifests.js";
import { retry, upload } from "./upload.js";
import * as words from "../protocol/code/words.js";

/** @import { Found, State } from "./server_api.js" */
/** @import { Attachment, Block } from "../protocol/case/attachment.js" */
/** @import { Message } from "../protocol/case/message_kinds.js" */
/** @import { Draft, Finish } from "../protocol/reporter/compose.js" */
/** @import { Conversation } from "../protocol/reporter/reply_validation.js" */
/** @import { Reporter } from "../protocol/code/retrieval.js" */
/** @import { TaskOptions } from "./upload.js" */
/** @import { Language } from "../protocol/code/words.js" */
/** @import { SignedManifest } from "../protocol/trust/manifest.js" */

const BATCH = 4; // blocks in one request
const PICTURES = "pictures.js"; // the script that cleans pictures
const UPLOAD = 16; // bytes of an upload's id
const DROP_TIMEOUT = 10_000; // milliseconds

/**
 * The ids of the blocks whose upload has begun, and whether it has failed.
 *
 * @typedef {{ ids: Uint8Array[], isOver: boolean }} Started
 *
 * What a worker knows before it asks the server: the manifest that came with the page, once it was verified.
 *
 * @typedef {{ inForce: SignedManifest | null }} Prepared
 *
 * Whether metadata is removed from pictures, also where that changes how they look, and whether files that cannot be
 * cleaned are sent as they are.
 *
 * @typedef {{ pictures: boolean, altered: boolean, others: boolean }} Cleaning
 *
 * The server's origin, the path of the program's own files, the pinned roots, the server's day, and the page's language.
 *
 * @typedef {{ origin: string, folder: string, roots: string[], day: string, language: string }} Environment
 *
 * The arguments of a task; `typed` are the words.
 *
 * @typedef {object} Question
 * @property {Environment} environment
 * @property {Draft} [draft]
 * @property {File[]} [files]
 * @property {Cleaning} [cleaning]
 * @property {string} [typed]
 * @property {Language} [language]
 * @property {Attachment} [attachment]
 * @property {Message} [reply] one that was left closed
 * @property {Record<string, string>} [places] words that were typed back, by their place from 1
 * @property {{ manifest: string, signature: string }} [published] as they came with the page
 * @property {string} [lists] the lists of words, one word a line
 *
 * What is stored under the words.  `state` and `day` are the report's, null when only replies are left.
 *
 * @typedef {Conversation & { state: State | null, day: string | null }} CaseView
 */

/** One task; each public method is one that the page can ask for. */
export class Task {
  /**
   * @param {Question} question
   * @param {TaskOptions} options
   * @param {(done: number, total: number) => void} onProgress in blocks
   * @param {Prepared} prepared
   */
  constructor(question, options, onProgress, prepared) {
    this._prepared = prepared;
    this._question = question;
    this._options = options;
    this._onProgress = onProgress;
    this._api = new Api(question.environment.origin, options.signal);
    this._manifests = new Manifests(question.environment, (path) => this._get(path));
  }

  /**
   * Seal and store a report with its files; then its words, and the ids of its readers and of those left out.
   *
   * The manifest is the one that came with the page; the server refuses the report if another is in force by now.
   */
  async report() {
    const { environment, language } = this._question;
    const reporter = derive(randomBytes(CODE));
    if (this._prepared.inForce) {
      this._manifests.beginWith(this._prepared.inForce);
    }
    const signed = await this._manifests.sealing();
    const { serial } = signed.manifest;
    const ids = await this._send((draft) => report(draft, reporter, signed, environment.day), serial);
    return { ...(await this._words(reporter, language)), ...ids };
  }

  /** Seal and store a follow-up with its files; the ids of its readers and of those left out. */
  async followUp() {
    const [reporter, attempt] = [await this._reporter(), randomBytes(ATTEMPT)];
    const [view, signed] = await Promise.all([this._lookup(reporter), this._manifests.sealing()]);
    if (!view) {
      throw new ApiError("missing");
    }
    const { day } = this._question.environment;
    return this._send((draft) => followUp(draft, reporter, view, attempt, signed, day));
  }

  /** The case under the words; null if there is none. */
  async lookup() {
    const reporter = await this._reporter();
    const view = await this._lookup(reporter);
    return view && { ...view, reference: reference(reporter.case) };
  }

  /** A file of a reply; nothing of an altered file is returned. */
  async download() {
    const { attachment: record } = this._question;
    if (!record) {
      throw new RangeError("no attachment given");
    }
    const pieces = [];
    for await (const piece of attachment.open(record, this._fetchBodies(record))) {
      pieces.push(new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (piece)]));
    }
    return new Blob(pieces, { type: "application/octet-stream" });
  }

  /** Withdraw the report; `withdrawn`, `collected` or `unknown`. */
  async withdraw() {
    const reporter = await this._reporter();
    this._options.onLast?.();
    return this._retry(() => this._api.withdraw(reporter.reportToken));
  }

  /** The words in the language asked for. */
  async words() {
    return this._words(await this._reporter(), this._question.language);
  }

  /**
   * @template T
   * @param {() => Promise<T>} request
   */
  _retry(request) {
    return retry(request, this._options);
  }

  /** Use the lists of words that came with the page. */
  async lists() {
    useLists(this._question.lists ?? "");
  }

  /** Load the lists of words, unless the page has handed them over. */
  async _loadWordLists() {
    if (!words.loadedLanguages().length) {
      const script = await this._get(this._question.environment.folder + FILE);
      useLists(assigned(new TextDecoder().decode(script)));
    }
  }

  /** @param {string} path */
  _get(path) {
    return this._retry(() => this._api.get(path));
  }

  async _reporter() {
    await this._loadWordLists();
    return derive(words.decode(this._question.typed ?? ""));
  }

  /**
   * @param {Reporter} reporter
   * @param {Language} [language]
   */
  async _words({ code, case: name }, language = "en") {
    await this._loadWordLists();
    return { words: words.encode(code, language), numbers: words.numbers(code), reference: reference(name) };
  }

  /**
   * Look up and verify a reporter's case, and fetch today's manifest meanwhile; reads older ones until every signer is
   * known.  Null if nothing is stored.
   *
   * @param {Reporter} reporter
   * @returns {Promise<CaseView | null>}
   */
  async _lookup(reporter) {
    const known = this._prepared.inForce?.manifest.slots;
    const early = known ? this._everything(reporter.lookupIds(known)) : null;
    Promise.all([this._manifests.first(), early]).catch(() => {}); // what fails is told where it is awaited
    /** @type {Found[] | null} */
    let entries = null;
    /** @type {Conversation | null} */
    let conversation = null;
    /** @type {Map<string, Promise<Uint8Array>>} */
    const contents = new Map(); // of long replies, by their seeds: each is fetched once, however many manifests there are
    const fetch = (/** @type {Attachment} */ record) => {
      const content = contents.get(record.seed) ?? this._fetchWhole(record);
      contents.set(record.seed, content);
      return content;
    };
    for await (const manifests of this._manifests.chains()) {
      const { slots } = manifests.manifests[0].manifest;
      entries ??= (slots === known && (await early)) || (await this._everything(reporter.lookupIds(slots)));
      conversation = await validateReplies(entries, reporter, manifests, slots, fetch, this._question.environment.day);
      const { late, notices, replies } = conversation;
      if (!late && [...notices, ...replies].every(({ reviewer }) => !reviewer.retired)) {
        break; // older manifests can only add keys, or say when a reviewer left
      }
    }
    const id = bytesToHex(reporter.reportId);
    const { state = null, day = null } = entries?.find((entry) => bytesToHex(entry.id) === id) ?? {};
    return entries?.length && conversation ? { ...conversation, state, day } : null;
  }

  /**
   * What is stored under the ids of one reporter, with as many questions as it takes.
   *
   * @param {Uint8Array[]} ids sorted
   */
  async _everything(ids) {
    /** @type {Found[]} */
    const all = [];
    for (let goesOn = true; goesOn; ) {
      const after = all.slice(-1).map(({ id }) => id);
      const { entries, more } = await this._retry(() => this._api.lookup(ids, after));
      all.push(...entries);
      if (all.length > ids.length) {
        throw new ApiError("refused"); // no server finds more than was asked for
      }
      goesOn = more;
    }
    return all;
  }

  /**
   * Seal and upload the files, then seal and store the message; the ids of its readers and of those left out.
   *
   * @param {(draft: Draft) => Finish} begin checks the draft
   * @param {number} [serial] of the manifest, where it was not fetched just now
   */
  async _send(begin, serial) {
    const { draft, files: given = [], cleaning } = this._question;
    await this._loadWordLists();
    const finish = begin({ .../** @type {Draft} */ (draft), files: given.length });
    const files = cleaning?.pictures && given.length ? await this._cleanFiles(given, cleaning) : given;
    try {
      return await this._upload(files, finish, serial);
    } catch (error) {
      if (!(error instanceof ApiError) || error.kind !== "lost") {
        throw error;
      }
      return this._upload(files, finish, serial); // once more, with new blocks
    }
  }

  /**
   * Upload the files and store the message; if that fails, its blocks are deleted again.
   *
   * @param {File[]} files
   * @param {Finish} finish
   * @param {number} [serial]
   */
  async _upload(files, finish, serial) {
    /** @type {Started} */
    const started = { ids: [], isOver: false };
    try {
      return await this._uploadAll(files, finish, started, serial);
    } catch (error) {
      started.isOver = true;
      await this._drop(started.ids);
      throw error;
    }
  }

  /**
   * @param {File[]} files
   * @param {Finish} finish
   * @param {Started} started
   * @param {number} [serial]
   */
  async _uploadAll(files, finish, started, serial) {
    const { ids } = started;
    const total = files.reduce((sum, file) => sum + attachment.blocksFor(file.size), 0);
    const id = randomBytes(UPLOAD);
    let done = 0;
    /** @type {unknown} */
    let refusal = null;
    const begun = Date.now();
    const ready = total ? this._retry(() => this._api.ready()) : Promise.resolve(); // no more is uploaded once it fails
    const roundTrip = ready.then(() => Date.now() - begun).catch((fault) => ((refusal = fault), 0));
    const put = async (/** @type {Block} */ block) => {
      if (refusal) {
        throw refusal;
      }
      ids.push(block.id);
      await this._retry(() => this._api.putBlock(id, block));
      await (started.isOver ? this._drop([block.id]) : undefined); // others were dropped while it was on its way
      this._onProgress(++done, Math.max(total, done));
    };
    const attachments = await this._sealFiles(files, put, roundTrip);
    const { token, envelopes, blocks, readers, without } = finish(attachments);
    await Promise.all([ready, ...blocks.map(put)]); // the blocks of `rest`, a few at most
    this._options.onLast?.();
    await this._retry(() => this._api.store(token, envelopes, ids, serial));
    return { readers, without };
  }

  /**
   * @param {File[]} files
   * @param {Cleaning} how
   */
  async _cleanFiles(files, how) {
    const { origin, folder } = this._question.environment; // a whole address: this worker's own is none to start from
    const cleaner = new Cleaner(() => new Worker(`${origin}${folder}${PICTURES}`));
    this._options.signal?.addEventListener("abort", () => cleaner.close());
    try {
      return await cleanFiles(files, how, cleaner);
    } finally {
      cleaner.close();
    }
  }

  /**
   * Delete the blocks of a failed task from the server, which otherwise removes unclaimed blocks within a day.
   *
   * @param {Uint8Array[]} ids
   */
  async _drop(ids) {
    const api = new Api(this._question.environment.origin, undefined, DROP_TIMEOUT); // the task's own may be aborted
    await (ids.length ? api.drop(ids).catch(() => {}) : undefined);
  }

  /**
   * Seal files one after the other, uploading each block as soon as it is ready.
   *
   * @param {File[]} files
   * @param {(block: Block) => Promise<void>} put
   * @param {Promise<number>} roundTrip milliseconds
   */
  async _sealFiles(files, put, roundTrip) {
    const hashing = new Hashing();
    try {
      const attachments = [];
      for (const file of files) {
        const blocks = attachment.seal(readChunks(file), file.name, file.type, hashing.begin(file.size));
        attachments.push(await upload(blocks, put, roundTrip));
      }
      return attachments;
    } finally {
      hashing.close();
    }
  }

  /**
   * Fetch the bodies of an attachment's blocks, in order.
   *
   * @param {Attachment} record
   */
  async *_fetchBodies(record) {
    const ids = attachment.blockIds(record);
    for (let at = 0; at < ids.length; at += BATCH) {
      const bodies = await this._retry(() => this._api.blocks(ids.slice(at, at + BATCH)));
      for (const [place, body] of bodies.entries()) {
        if (!body) {
          throw new Malformed("an attachment is incomplete");
        }
        this._onProgress(at + place + 1, ids.length);
        yield body;
      }
    }
  }

  /** @param {Attachment} record */
  async _fetchWhole(record) {
    const bodies = [];
    for await (const body of this._fetchBodies(record)) {
      bodies.push(body);
    }
    return attachment.openWhole(record, bodies);
  }
}
