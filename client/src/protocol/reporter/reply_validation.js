/**
 * What in the reply places of one reporter is a reply, and what the slip says (SPEC 3, 4).
 *
 * Whatever lies in a reply's place and is not signed by a reviewer who may answer there is counted, never shown.
 */

import { bytesToHex } from "@noble/hashes/utils.js";

import * as envelope from "../case/envelope.js";
import { Malformed, NotForMe, ProtocolError } from "../errors.js";
import { isNotice } from "../case/message_kinds.js";
import * as manifest from "../trust/manifest.js";
import * as message from "../case/message.js";
import { replyTokens, thingId } from "../code/retrieval.js";

/** @import { Found } from "../../worker/server_api.js" */
/** @import { Attachment } from "../case/attachment.js" */
/** @import { Message } from "../case/message_kinds.js" */
/** @import { Reviewer } from "../trust/manifest.js" */
/** @import { Signed } from "../case/message.js" */
/** @import { Succession } from "../trust/manifest_chain.js" */
/** @import { Reporter } from "../code/retrieval.js" */

const WHOLE = 32; // blocks, 8 MiB, of a reply's `rest` at most

/**
 * Where a reply lies.
 *
 * @typedef {{ lane: number, n: number }} Place
 *
 * A reply that holds: the server's day, who wrote it, what it says, and the hash that names it.
 *
 * @typedef {{ day: string, reviewer: Reviewer, reply: Message, hash: string, place: Place }} FoundReply
 *
 * Somebody who reads the case and was not among the report's readers, by the word of `by`, on a server's day.
 *
 * @typedef {{ reviewer: Reviewer, by: Reviewer, day: string }} BroughtIn
 *
 * What is proven of what lies under somebody's words.  `replies` are those with content; `notices` only tell who reads
 * the case.  `late` counts what lies in a reply's place and does not hold, or has not wholly arrived.
 *
 * @typedef {object} Conversation
 * @property {Message | null} slip
 * @property {FoundReply[]} replies
 * @property {FoundReply[]} notices
 * @property {BroughtIn[]} broughtIn
 * @property {number} late
 *
 * Gives the content of an attachment, whole; raises where it has not wholly arrived or is altered.
 *
 * @typedef {(record: Attachment) => Promise<Uint8Array>} Fetch
 */

/**
 * The conversation that things under a reporter's ids make; the report's own body is never among them.
 *
 * @param {Found[]} found
 * @param {Reporter} reporter
 * @param {Succession} manifests
 * @param {number} slots
 * @param {Fetch} fetch
 * @returns {Promise<Conversation>}
 */
export async function judge(found, reporter, manifests, slots, fetch) {
  const things = new Map(found.filter(({ body }) => body.length).map((each) => [bytesToHex(each.id), each]));
  const slip = openSlip(things.get(bytesToHex(thingId(reporter.slipToken))), reporter, slots);
  const { held, late } = await new Judge(reporter, manifests, slip, slots, fetch).all(things);
  const notices = held.filter(({ reply }) => isNotice(reply));
  const replies = held.filter(({ reply }) => !isNotice(reply));
  return { slip, replies, notices, late, broughtIn: broughtIn(slip, [...notices, ...replies], manifests) };
}

/**
 * @param {Found | undefined} found
 * @param {Reporter} reporter
 * @param {number} slots
 */
function openSlip(found, reporter, slots) {
  if (!found) {
    return null;
  }
  try {
    const signed = envelope.open(found.body, [reporter.mailbox], slots);
    message.check(signed, reporter.verifyKey);
    const own = signed.message.kind === "slip" && signed.message.case === bytesToHex(reporter.case);
    return own ? signed.message : null;
  } catch (error) {
    return unlessProtocol(error);
  }
}

/** Decides what in the reply places of one reporter is a reply. */
class Judge {
  /**
   * @param {Reporter} reporter
   * @param {Succession} manifests
   * @param {Message | null} slip
   * @param {number} slots
   * @param {Fetch} fetch
   */
  constructor(reporter, manifests, slip, slots, fetch) {
    this._reporter = reporter;
    this._manifests = manifests;
    this._slip = slip;
    this._slots = slots;
    this._fetch = fetch;
    /** @type {Map<string, Place>} */
    this._places = new Map();
    for (let lane = 0; lane < 2 * slots; lane++) {
      replyTokens(reporter.replies, lane).forEach((token, n) => {
        this._places.set(bytesToHex(thingId(token)), { lane, n });
      });
    }
  }

  /**
   * The replies and notices by day, lane and place, without those that were replaced; and how many things do not hold.
   *
   * @param {Map<string, Found>} things
   */
  async all(things) {
    /** @type {Map<string, FoundReply>} */
    const held = new Map();
    let late = 0;
    for (const [id, thing] of things) {
      const place = this._places.get(id);
      const reply = place && (await this._tried(thing, place));
      if (reply) {
        held.set(reply.hash, reply);
      } else if (place) {
        late++;
      }
    }
    for (const { reply } of [...held.values()]) {
      const old = held.get(String(reply.replaces));
      if (old?.reply.from === reply.from) {
        held.delete(String(reply.replaces));
      }
    }
    return { held: [...held.values()].sort(byDay), late };
  }

  /**
   * @param {Found} thing
   * @param {Place} place
   */
  async _tried(thing, place) {
    try {
      return await this._read(thing, place);
    } catch (error) {
      return unlessProtocol(error);
    }
  }

  /**
   * @param {Found} thing
   * @param {Place} place
   * @returns {Promise<FoundReply>}
   */
  async _read({ body, day }, place) {
    const signed = envelope.open(body, [this._reporter.mailbox], this._slots);
    const reviewer = this._checked(signed, place);
    return { day, reviewer, reply: await this._withRest(signed.message), hash: message.hash(signed), place };
  }

  /**
   * Who wrote a reply, which must be for this place and this reporter and signed by whom it names.
   *
   * @param {Signed} signed
   * @param {Place} place
   */
  _checked(signed, { lane, n }) {
    const reply = signed.message;
    const named = reply.case === bytesToHex(this._reporter.case) && reply.to === this._reporter.mailbox.recipient.text;
    if (reply.kind !== "reply" || !named || reply.lane !== lane || reply.n !== n) {
      throw new Malformed("a reply is not for this place");
    }
    this._checkWriter(reply, lane);
    const reviewer = this._manifests.reviewer(reply.from);
    if (!reviewer || !this._manifests.signingKeys(reply.from, reply.day).some((key) => isSignedBy(signed, key))) {
      throw new NotForMe("a reply is not signed by whom it names");
    }
    return reviewer;
  }

  /**
   * Lanes below `slots` belong to the report's readers, in their order; those above to who was let in later.
   *
   * @param {Message} reply
   * @param {number} lane
   */
  _checkWriter(reply, lane) {
    if (!this._slip) {
      return;
    }
    const { readers, without } = this._slip;
    const agreed = without.length === reply.without.length && without.every((id) => reply.without.includes(id));
    if (!agreed || without.includes(reply.from)) {
      throw new Malformed("a reply disagrees with the report about who was left out");
    }
    const mine = lane < this._slots ? readers[lane] === reply.from : lane - this._slots < readers.length;
    if (!mine) {
      throw new Malformed("a reply stands in a place of somebody else");
    }
  }

  /** @param {Message} reply */
  async _withRest(reply) {
    if (!reply.rest) {
      return reply;
    }
    if (reply.rest.blocks > WHOLE) {
      throw new Malformed("a reply's rest is too large");
    }
    return message.withContent(reply, await this._fetch(reply.rest));
  }
}

/**
 * Reviewers who are named by a notice or a reply and were not among the report's readers, by the first of these.
 *
 * @param {Message | null} slip
 * @param {FoundReply[]} told
 * @param {Succession} manifests
 * @returns {BroughtIn[]}
 */
function broughtIn(slip, told, manifests) {
  /** @type {Map<string, FoundReply>} */
  const first = new Map();
  for (const found of slip ? told : []) {
    found.reply.readers.filter((id) => !first.has(id)).forEach((id) => first.set(id, found));
  }
  return [...first].flatMap(([id, { reviewer: by, day }]) => {
    const reviewer = slip?.readers.includes(id) || id === manifest.RECOVERY ? undefined : manifests.reviewer(id);
    return reviewer ? { reviewer, by, day } : [];
  });
}

/**
 * @param {Signed} signed
 * @param {Uint8Array} key
 */
function isSignedBy(signed, key) {
  try {
    message.check(signed, key);
    return true;
  } catch (error) {
    return Boolean(unlessProtocol(error));
  }
}

/**
 * @param {FoundReply} one
 * @param {FoundReply} other
 */
function byDay(one, other) {
  const days = Number(one.day > other.day) - Number(one.day < other.day);
  return days || one.place.lane - other.place.lane || one.place.n - other.place.n;
}

/**
 * Null for what the protocol refuses; anything else is a fault of ours and goes on.
 *
 * @param {unknown} error
 */
function unlessProtocol(error) {
  if (error instanceof ProtocolError) {
    return null;
  }
  throw error;
}
