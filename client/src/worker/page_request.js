/** The worker's part of what only a page asks for: a check of itself, a case made ready to show, new words. */

import { bytesToHex, randomBytes } from "@noble/hashes/utils.js";

import { ApiError } from "./server_api.js";
import { followUpReaders, readersOf, report } from "../protocol/reporter/compose.js";
import { Expired, Malformed } from "../protocol/errors.js";
import * as manifest from "../protocol/trust/manifest.js";
import { PublicKey } from "../protocol/trust/minisign.js";
import { CODE, derive, reference } from "../protocol/code/retrieval.js";
import { Task } from "./task.js";
import * as words from "../protocol/code/words.js";

/** @import { Known, Manifest, Reviewer } from "../protocol/trust/manifest.js" */

const CASE_OF_ZEROS = "79c35dc1088cf22ac1da4ea398b5941849aeeee986ca3d35661dba3bbbd4af54";
const FILE_KEY = new Uint8Array(16).fill(7);

/** What the worker does for a page. */
export class PageTask extends Task {
  /** @param {ConstructorParameters<typeof Task>} given */
  constructor(...given) {
    super(...given);
    /** @type {Map<string, Promise<Known>>} */
    this._read = new Map();
  }

  /** Check the program and the list of readers; what the page compares itself with. */
  async begin() {
    checkSelf();
    const { roots, day } = this._question.place;
    const { manifest: found } = await this._inForce(); // reading goes on when nothing may be sealed any more
    const people = manifest.offered(found, day).map(person);
    return {
      digits: manifest.fingerprint(roots.map(PublicKey.fromText)),
      serial: found.serial,
      people: found.recovery ? [...people, { id: manifest.RECOVERY, shown: found.recovery.name }] : people,
      channels: Object.fromEntries(found.channels.map(({ id, readers }) => [id, readers])),
    };
  }

  /** What lies under the words, by names; null if nothing does. */
  async open() {
    const reporter = await this._reporter();
    const view = await this._look(reporter);
    if (!view) {
      return null;
    }
    const { slip, replies, broughtIn, late, state, day } = view;
    const days = (/** @type {string[]} */ ...marks) => {
      return replies.filter(({ reply }) => marks.includes(reply.mark ?? "")).map((found) => found.day);
    };
    const { readers = [], without = [] } = slip ?? {};
    const { found, named } = await this._named([...readers, ...without]);
    const next = followUpReaders(view, found);
    const instead = slip ? readersOf(found, slip.channel ?? "", without) : [];
    return {
      state,
      stateDay: day,
      sent: slip?.day ?? null,
      hasSlip: Boolean(slip),
      readers: readers.map(named),
      without: without.map(named),
      broughtIn: broughtIn.map(({ reviewer, by, day }) => ({ name: shown(reviewer), by: shown(by), day })),
      done: { acknowledgement: days("acknowledgement", "feedback").sort()[0], feedback: days("feedback").sort()[0] },
      late,
      next: next.map(named),
      instead: next.length ? [] : instead.map(named),
      isOpen: manifest.standing(found, this._question.place.day) !== "closed",
      collection: found.collection,
      reference: reference(reporter.case),
      replies: replies.map(({ day, reviewer, reply }) => ({ ...reply, day, from: shown(reviewer) })).reverse(),
    };
  }

  /** Add to the case; by ids, who will read it and who was left out. */
  async add() {
    return this.followUp();
  }

  /** A report under new words that continues the case, to the same readers; where none is left, to the present ones. */
  async renew() {
    const old = await this._reporter();
    const view = await this._look(old);
    if (!view?.slip) {
      throw new ApiError("missing");
    }
    const { channel = "", without: before } = view.slip;
    const known = await this._sealing();
    const same = followUpReaders(view, known.manifest);
    const without = same.length ? before : [...before, ...(this._question.draft?.without ?? [])];
    const readers = same.length ? same : readersOf(known.manifest, channel, without);
    const reporter = derive(randomBytes(CODE));
    const more = { channel, without, readers, continues: old };
    const ids = await this._send((draft) => report({ ...draft, ...more }, reporter, known, this._question.place.day));
    return { ...(await this._words(reporter)), ...ids };
  }

  /** Whether some of the words were typed right, in any of the lists or as their numbers. */
  async matches() {
    const { code } = await this._reporter();
    const places = Object.entries(this._question.places ?? {});
    return places.length >= 3 && words.LANGUAGES.some((language) => fits(code, places, language));
  }

  /** @param {string} name */
  _manifest(name) {
    const found = this._read.get(name) ?? super._manifest(name);
    this._read.set(name, found);
    return found;
  }

  /**
   * The manifest in force, and how people are called by as many manifests as it takes.
   *
   * @param {string[]} ids
   */
  async _named(ids) {
    const { day } = this._question.place;
    let last;
    for await (const manifests of this._manifests()) {
      last = manifests;
      if (manifests.hasBegun(day) && ids.every((id) => id === manifest.RECOVERY || manifests.reviewer(id))) {
        break;
      }
    }
    if (!last) {
      throw new Expired("no manifest");
    }
    const manifests = last;
    const { manifest: found } = manifests.current(day);
    const named = (/** @type {string} */ id) => {
      const reviewer = manifest.reviewer(found, id) ?? manifests.reviewer(id);
      return reviewer ? person(reviewer) : { id, shown: (id === manifest.RECOVERY && found.recovery?.name) || id };
    };
    return { found, named };
  }
}

/** @param {Reviewer} reviewer */
function person(reviewer) {
  return { id: reviewer.id, shown: shown(reviewer) };
}

/**
 * A reviewer's name and role; once where they are the same.
 *
 * @param {Reviewer} reviewer
 */
function shown({ name, role }) {
  return role === "" || role === name ? name : `${name} (${role})`;
}

/**
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

/** Malformed where keys come out other than they must, or what is sealed does not open. */
function checkSelf() {
  const who = derive(new Uint8Array(CODE));
  const opened = who.mailbox.unwrap([who.mailbox.recipient.wrap(FILE_KEY)]);
  if (bytesToHex(who.case) !== CASE_OF_ZEROS || !opened || bytesToHex(opened) !== bytesToHex(FILE_KEY)) {
    throw new Error("this browser computes wrongly");
  }
}
