/**
 * What a page has done for it: sealing and sending, looking, opening, taking back.
 *
 * Words, keys and texts stay in memory and are gone when the page is.
 */

import { bytesToHex, randomBytes } from "@noble/hashes/utils.js";

import { Api, ApiError } from "./server_api.js";
import * as attachment from "../protocol/case/attachment.js";
import { Cleaner, cleaned } from "../pictures/cleaner.js";
import { followUp, report } from "../protocol/reporter/compose.js";
import { Expired, Malformed } from "../protocol/errors.js";
import { Hashing } from "./hashing.js";
import { judge } from "../protocol/reporter/reply_validation.js";
import * as lists from "../protocol/code/word_list_files.js";
import * as manifest from "../protocol/trust/manifest.js";
import { PublicKey } from "../protocol/trust/minisign.js";
import { piecesOf } from "./file_stream.js";
import { ATTEMPT, CODE, derive, reference, thingId } from "../protocol/code/retrieval.js";
import { Succession } from "../protocol/trust/manifest_chain.js";
import { again, upload } from "./upload.js";
import * as words from "../protocol/code/words.js";

/** @import { Found, State } from "./server_api.js" */
/** @import { Attachment, Block } from "../protocol/case/attachment.js" */
/** @import { Draft, Finish } from "../protocol/reporter/compose.js" */
/** @import { Conversation } from "../protocol/reporter/reply_validation.js" */
/** @import { Manifest } from "../protocol/trust/manifest.js" */
/** @import { Reporter } from "../protocol/code/retrieval.js" */
/** @import { Course } from "./upload.js" */
/** @import { Language } from "../protocol/code/words.js" */

const TOGETHER = 4; // blocks in one answer
const PICTURES = "pictures.js"; // the program that cleans them
const DROPPING = 10_000; // milliseconds

/**
 * Whether pictures are sent without what is hidden in them, also those that then look different, and whether what
 * cannot be cleaned is sent as it is.
 *
 * @typedef {{ pictures: boolean, altered: boolean, others: boolean }} Cleaning
 *
 * Where and when: the server, the folder of the program's own files, the pinned roots, and today.
 *
 * @typedef {{ origin: string, folder: string, roots: string[], day: string }} Place
 *
 * What a page asks for; `typed` are the words.
 *
 * @typedef {object} Question
 * @property {Place} place
 * @property {Draft} [draft]
 * @property {File[]} [files]
 * @property {Cleaning} [cleaning]
 * @property {string} [typed]
 * @property {Language} [language]
 * @property {Attachment} [attachment]
 * @property {Record<string, string>} [places] words that were typed, by their place
 *
 * What the words find.  `state` and `day` are the report's; null when only replies are left of it.
 *
 * @typedef {Conversation & { state: State | null, day: string | null }} CaseView
 */

/** One thing that a page asks for. */
export class Task {
  /**
   * @param {Question} question
   * @param {Course} course
   * @param {(done: number, total: number) => void} onProgress in blocks
   */
  constructor(question, course, onProgress) {
    this._question = question;
    this._course = course;
    this._onProgress = onProgress;
    this._api = new Api(question.place.origin, course.signal);
  }

  /** Seal a report with its files and have it kept; only then are there words, and ids of who will read it. */
  async report() {
    const reporter = derive(randomBytes(CODE));
    const known = await this._sealing();
    const ids = await this._send((draft) => report(draft, reporter, known, this._question.place.day));
    return { ...(await this._words(reporter)), ...ids };
  }

  /** Seal a follow-up with its files and have it kept; by ids, who will read it and who was left out. */
  async followUp() {
    const [reporter, attempt] = [await this._reporter(), randomBytes(ATTEMPT)];
    const known = await this._sealing();
    const view = await this._look(reporter);
    if (!view) {
      throw new ApiError("missing");
    }
    const { day } = this._question.place;
    return this._send((draft) => followUp(draft, reporter, view, attempt, known, day));
  }

  /** What lies under the words; null if nothing does. */
  async look() {
    const reporter = await this._reporter();
    const view = await this._look(reporter);
    return view && { ...view, reference: reference(reporter.case) };
  }

  /** A file of a reply, whole: nothing of an altered one is given. */
  async download() {
    const { attachment: record } = this._question;
    if (!record) {
      throw new RangeError("which file?");
    }
    const pieces = [];
    for await (const piece of attachment.open(record, this._bodies(record))) {
      pieces.push(new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (piece)]));
    }
    return new Blob(pieces, { type: "application/octet-stream" });
  }

  /** Take the report back. */
  async withdraw() {
    const reporter = await this._reporter();
    this._course.onLast?.();
    return this._again(() => this._api.withdraw([reporter.reportToken, reporter.slipToken]));
  }

  /** The words once more, in a language. */
  async words() {
    return this._words(await this._reporter());
  }

  /**
   * @template T
   * @param {() => Promise<T>} request
   */
  _again(request) {
    return again(request, this._course);
  }

  /** @param {Language[]} [wanted] */
  async _lists(wanted) {
    const { folder } = this._question.place;
    await lists.load((name) => this._again(() => this._api.get(folder + name)), wanted);
  }

  async _reporter() {
    await this._lists();
    return derive(words.decode(this._question.typed ?? ""));
  }

  /** @param {Reporter} reporter */
  async _words({ code, case: name }) {
    const language = this._question.language ?? "en";
    await this._lists([language]);
    return { words: words.encode(code, language), numbers: words.numbers(code), reference: reference(name) };
  }

  /** The manifest with which one may seal today; Expired if there is none. */
  async _sealing() {
    return (await this._begun()).sealing(this._question.place.day);
  }

  /** The manifest in force today, over or not; Expired if none has begun. */
  async _inForce() {
    return (await this._begun()).current(this._question.place.day);
  }

  async _begun() {
    for await (const manifests of this._manifests()) {
      if (manifests.hasBegun(this._question.place.day)) {
        return manifests;
      }
    }
    throw new Expired("no manifest has begun");
  }

  /**
   * What lies under a reporter's ids, by as many manifests as it takes to know who signed; null if nothing does.
   *
   * @param {Reporter} reporter
   * @returns {Promise<CaseView | null>}
   */
  async _look(reporter) {
    /** @type {Found[] | null} */
    let found = null;
    /** @type {Conversation | null} */
    let conversation = null;
    for await (const manifests of this._manifests()) {
      const { slots } = manifests.known[0].manifest;
      found ??= await this._again(() => this._api.look(reporter.lookIds(slots)));
      conversation = await judge(found, reporter, manifests, slots, (record) => this._whole(record));
      const { late, notices, replies } = conversation;
      if (!late && [...notices, ...replies].every(({ reviewer }) => !reviewer.retired)) {
        break; // older manifests could only add keys, or tell since when somebody is away
      }
    }
    const id = bytesToHex(thingId(reporter.reportToken));
    const { state = null, day = null } = found?.find((each) => bytesToHex(each.id) === id) ?? {};
    return found?.length && conversation ? { ...conversation, state, day } : null;
  }

  /** The newest manifest, then together with each one before it. */
  async *_manifests() {
    const known = [await this._manifest("manifest.json")];
    for (;;) {
      yield new Succession(known);
      const last = known[known.length - 1];
      const { hash, before } = await this._before(last.manifest);
      if (!before || before.hash !== hash) {
        return;
      }
      manifest.checkNext(before, last);
      known.push(before);
    }
  }

  /**
   * The manifest before one, if the server has it, and the hash that it must have.
   *
   * @param {Manifest} found
   */
  async _before({ serial, previous }) {
    try {
      return { hash: previous, before: previous ? await this._manifest(`manifest-${serial - 1}.json`) : null };
    } catch (error) {
      if (error instanceof ApiError && error.kind === "missing") {
        return { hash: previous, before: null };
      }
      throw error;
    }
  }

  /** @param {string} name */
  async _manifest(name) {
    const roots = this._question.place.roots.map(PublicKey.fromText);
    const [data, signature] = [await this._get(`/${name}`), await this._get(`/${name}.minisig`)];
    return manifest.verify(data, signature, roots);
  }

  /** @param {string} path */
  _get(path) {
    return this._again(() => this._api.get(path));
  }

  /**
   * Seal files as they are read, then what goes with them, and have all of it kept; by ids, who it was sealed to and
   * who was left out.
   *
   * @param {(draft: Draft) => Finish} begin
   */
  async _send(begin) {
    const { draft, files: given = [], cleaning } = this._question;
    await this._lists();
    const finish = begin({ .../** @type {Draft} */ (draft), files: given.length });
    const files = cleaning?.pictures && given.length ? await this._cleaned(given, cleaning) : given;
    await this._again(() => this._api.ready()); // before anything of it is sent
    /** @type {Uint8Array[]} */
    const ids = [];
    try {
      return await this._put(files, finish, ids);
    } catch (error) {
      await this._drop(ids);
      throw error;
    }
  }

  /**
   * @param {File[]} files
   * @param {Finish} finish
   * @param {Uint8Array[]} ids of the blocks that were begun
   */
  async _put(files, finish, ids) {
    const total = files.reduce((sum, file) => sum + attachment.blocksFor(file.size), 0);
    let done = 0;
    const put = async (/** @type {Block} */ block) => {
      ids.push(block.id);
      await this._again(() => this._api.putBlock(block));
      this._onProgress(++done, Math.max(total, done));
    };
    const attachments = await this._sealed(files, put);
    const { tokens, envelopes, blocks, readers, without } = finish(attachments);
    await Promise.all(blocks.map(put)); // of `rest`, a few at most
    this._course.onLast?.();
    await this._again(() => this._api.store(tokens, envelopes, ids));
    return { readers, without };
  }

  /**
   * @param {File[]} files
   * @param {Cleaning} how
   */
  async _cleaned(files, how) {
    const cleaner = new Cleaner(() => new Worker(`${this._question.place.folder}${PICTURES}`));
    this._course.signal?.addEventListener("abort", () => cleaner.close());
    try {
      return await cleaned(files, how, cleaner);
    } finally {
      cleaner.close();
    }
  }

  /**
   * What is given up does not stay on the server; where this does not reach it either, the server removes it in a day.
   *
   * @param {Uint8Array[]} ids
   */
  async _drop(ids) {
    const api = new Api(this._question.place.origin, undefined, DROPPING); // the other may have been ended
    await (ids.length ? api.drop(ids).catch(() => {}) : undefined);
  }

  /**
   * Seal files one after the other, each block put as soon as it is ready.
   *
   * @param {File[]} files
   * @param {(block: Block) => Promise<void>} put
   */
  async _sealed(files, put) {
    const hashing = new Hashing();
    try {
      const attachments = [];
      for (const file of files) {
        const blocks = attachment.seal(piecesOf(file), file.name, file.type, hashing.begin(file.size));
        attachments.push(await upload(blocks, put));
      }
      return attachments;
    } finally {
      hashing.close();
    }
  }

  /**
   * The bodies of an attachment's blocks, a few at a time.
   *
   * @param {Attachment} record
   */
  async *_bodies(record) {
    const ids = attachment.blockIds(record);
    for (let at = 0; at < ids.length; at += TOGETHER) {
      const bodies = await this._again(() => this._api.blocks(ids.slice(at, at + TOGETHER)));
      for (const [place, body] of bodies.entries()) {
        if (!body) {
          throw new Malformed("an attachment has not wholly arrived");
        }
        this._onProgress(at + place + 1, ids.length);
        yield body;
      }
    }
  }

  /** @param {Attachment} record */
  async _whole(record) {
    const bodies = [];
    for await (const body of this._bodies(record)) {
      bodies.push(body);
    }
    return attachment.openWhole(record, bodies);
  }
}
