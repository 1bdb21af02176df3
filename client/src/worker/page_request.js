/** The requests that only a page makes: the self-test, a case with names to show, new words, the check of words. */

import { bytesToHex, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { ApiError } from "./server_api.js";
import { followUpReaders, readersOf, report } from "../protocol/reporter/compose.js";
import { Expired, Malformed } from "../protocol/errors.js";
import * as message from "../protocol/case/message.js";
import * as manifest from "../protocol/trust/manifest.js";
import { PublicKey } from "../protocol/trust/minisign.js";
import { CODE, derive, reference } from "../protocol/code/retrieval.js";
import { Task } from "./task.js";
import * as words from "../protocol/code/words.js";

/** @import { Manifest, Reviewer } from "../protocol/trust/manifest.js" */

const CASE_OF_ZEROS = "79c35dc1088cf22ac1da4ea398b5941849aeeee986ca3d35661dba3bbbd4af54";
const FILE_KEY = new Uint8Array(16).fill(7);

/** A task as the page asks for it: what it returns is ready to show. */
export class PageRequest extends Task {
  /**
   * Test this program and verify the manifest that came with the page; the fingerprint, people and channels for the
   * page.
   */
  async begin() {
    testSelf();
    const { environment, published } = this._question;
    const { roots, day } = environment;
    if (published) {
      this._manifests.beginWith(this._manifests.verify(utf8ToBytes(published.manifest), utf8ToBytes(published.signature)));
    }
    const signed = await this._manifests.current(); // also one too old to seal by: replies can be read
    this._prepared.inForce = signed;
    const { manifest: current } = signed;
    const people = manifest.offered(current, day).map((each) => this._person(each));
    return {
      digits: manifest.fingerprint(roots.map(PublicKey.fromText)),
      serial: current.serial,
      people: current.recovery ? [...people, { id: manifest.RECOVERY, shown: current.recovery.name }] : people,
      channels: Object.fromEntries(current.channels.map(({ id, readers }) => [id, readers])),
    };
  }

  /** The case under the words, with people's names; null if there is none. */
  async open() {
    const reporter = await this._reporter();
    const view = await this._lookup(reporter);
    if (!view) {
      return null;
    }
    const { slip, replies, broughtIn, late, missing, state, day } = view;
    const days = (/** @type {string[]} */ ...marks) => {
      return replies.filter(({ reply }) => marks.includes(reply.mark ?? "")).map(({ day }) => day);
    };
    const { readers = [], without = [] } = slip ?? {};
    const { current, named } = await this._names([...readers, ...without]);
    const next = followUpReaders(view, current);
    const instead = slip ? readersOf(current, slip.channel ?? "", without) : [];
    return {
      state,
      stateDay: day,
      sent: slip?.day ?? null,
      hasSlip: Boolean(slip),
      way: slip?.way,
      readers: readers.map(named),
      without: without.map(named),
      broughtIn: broughtIn.map(({ reviewer, by, day }) => ({ name: this._shown(reviewer), by: this._shown(by), day })),
      done: { acknowledgement: days("acknowledgement", "feedback").sort()[0], feedback: days("feedback").sort()[0] },
      late,
      missing: missing.map(({ author, by, differs }) => ({
        key: author.id === by.id ? "absent_own" : differs ? "differs" : "absent",
        names: { author: this._shown(author), by: this._shown(by) },
      })),
      next: next.map(named),
      instead: next.length ? [] : instead.map(named),
      isOpen: manifest.standing(current, this._question.environment.day) !== "closed",
      collection: current.collection,
      reference: reference(reporter.case),
      replies: replies
        .map(({ day, reviewer, reply, receipt }) => ({ ...reply, receipt, day, from: this._shown(reviewer) }))
        .reverse(),
    };
  }

  /** A reply with its content, which was too much to be opened with its author's other long ones. */
  async content() {
    const { reply } = this._question;
    if (!reply?.rest) {
      throw new RangeError("no closed reply given");
    }
    return message.withContent(reply, await this._fetchWhole(reply.rest));
  }

  /** Send a follow-up; the ids of its readers and of those left out. */
  async add() {
    return this.followUp();
  }

  /**
   * Send a report under new words that continues the case, to the same readers; if none is left, to the channel's
   * present ones.
   */
  async renew() {
    const old = await this._reporter();
    const view = await this._lookup(old);
    if (!view?.slip) {
      throw new ApiError("missing");
    }
    const { channel = "", without: before } = view.slip;
    const signed = await this._manifests.sealing();
    const same = followUpReaders(view, signed.manifest);
    const without = same.length ? before : [...before, ...(this._question.draft?.without ?? [])];
    const readers = same.length ? same : readersOf(signed.manifest, channel, without);
    const reporter = derive(randomBytes(CODE));
    const more = { channel, without, readers, continues: { reporter: old, slip: view.slip } };
    const ids = await this._send((draft) => report({ ...draft, ...more }, reporter, signed, this._question.environment.day));
    return { ...(await this._words(reporter, this._question.language)), ...ids };
  }

  /** Whether at least three of the words were typed correctly, in any language or as numbers. */
  async matches() {
    const { code } = await this._reporter();
    const places = Object.entries(this._question.places ?? {});
    return places.length >= 3 && words.LANGUAGES.some((language) => fits(code, places, language));
  }

  /**
   * The manifest in force, and a function from ids to names; reads older manifests until every id is known.
   *
   * @param {string[]} ids
   */
  async _names(ids) {
    const { day } = this._question.environment;
    let last;
    for await (const manifests of this._manifests.chains()) {
      last = manifests;
      if (manifests.hasBegun(day) && ids.every((id) => id === manifest.RECOVERY || manifests.reviewer(id))) {
        break;
      }
    }
    if (!last) {
      throw new Expired("no manifest");
    }
    const manifests = last;
    const { manifest: current } = manifests.current(day);
    const named = (/** @type {string} */ id) => {
      const reviewer = manifest.reviewer(current, id) ?? manifests.reviewer(id);
      return reviewer ? this._person(reviewer) : { id, shown: (id === manifest.RECOVERY && current.recovery?.name) || id };
    };
    return { current, named };
  }

  /** @param {Reviewer} reviewer */
  _person(reviewer) {
    return { id: reviewer.id, shown: this._shown(reviewer) };
  }

  /**
   * A reviewer's name and role in the page's language; the role alone if it is the name, as an office's is.
   *
   * @param {Reviewer} reviewer
   */
  _shown({ name, role, roles }) {
    const title = roles[this._question.environment.language] ?? role;
    if (name === role || !name) {
      return title;
    }
    return title ? `${name} (${title})` : name;
  }
}

/**
 * Whether the words typed at some places are those of the code.
 *
 * @param {Uint8Array} code
 * @param {[string, string][]} places
 * @param {words.Language} language
 */
function fits(code, places, language) {
  const whole = words.encode(code, language);
  places.forEach(([place, typed]) => (whole[Number(place) - 1] = typed));
  try {
    return bytesToHex(words.decode(whole.join(" "))) === bytesToHex(code);
  } catch (error) {
    if (error instanceof Malformed) {
      return false;
    }
    throw error;
  }
}

/** Raise if this browser derives wrong keys, or cannot open what it sealed. */
function testSelf() {
  const who = derive(new Uint8Array(CODE));
  const opened = who.mailbox.unwrap([who.mailbox.recipient.wrap(FILE_KEY)]);
  if (bytesToHex(who.case) !== CASE_OF_ZEROS || !opened || bytesToHex(opened) !== bytesToHex(FILE_KEY)) {
    throw new Error("this browser computes wrongly");
  }
}
