/**
 * Decides which messages in a reporter's reply places are valid replies, and reads the slip (SPEC 3, 4).
 *
 * A message that is not signed by a reviewer who may answer in its place is counted, never shown.
 */

import { bytesToHex } from "@noble/hashes/utils.js";

import * as envelope from "../case/envelope.js";
import { Forged, Malformed, ProtocolError } from "../errors.js";
import { isNotice } from "../case/message_kinds.js";
import * as manifest from "../trust/manifest.js";
import * as message from "../case/message.js";
import { PLACES, placeIds } from "../code/retrieval.js";
import { PublicKey } from "../trust/minisign.js";
import { compare, isPlaceOf } from "./missing_replies.js";
import * as receipts from "./receipts.js";

/** @import { Found } from "../../worker/server_api.js" */
/** @import { Attachment } from "../case/attachment.js" */
/** @import { Message } from "../case/message_kinds.js" */
/** @import { Reviewer } from "../trust/manifest.js" */
/** @import { Signed } from "../case/message.js" */
/** @import { ManifestChain } from "../trust/manifest_chain.js" */
/** @import { Named } from "./missing_replies.js" */
/** @import { Reporter } from "../code/retrieval.js" */

/**
 * What the envelopes of a lookup hold, null if they cannot be opened.
 *
 * @type {WeakMap<Found, Signed | null>}
 */
const OPENED = new WeakMap();
const ROOM = 8_388_608; // bytes of the `rest` of one reviewer's replies that are opened at once, the shortest first

/**
 * What somebody keeps: what is stated, and the `.minisig` beside it.
 *
 * @typedef {{ text: string, signature: string }} Statement
 *
 * A reply place.
 *
 * @typedef {{ lane: number, n: number }} ReplyPlace
 *
 * A valid reply: the server's day, its author, the message, its receipt if its author signed that, and its hash.
 *
 * @typedef {{ day: string, reviewer: Reviewer, reply: Message, receipt: Statement | null, hash: string,
 *   place: ReplyPlace }} FoundReply
 *
 * A reviewer who was let in later: `by` whom, and on which day of the server.
 *
 * @typedef {{ reviewer: Reviewer, by: Reviewer, day: string }} BroughtIn
 *
 * A reply by `author` of which `by` knows: it is not there or, if it `differs`, another one is in its place.
 *
 * @typedef {{ author: Reviewer, by: Reviewer, differs: boolean }} MissingReply
 *
 * What is verified of a case.  `replies` have content; `notices` only say who reads the case.  `late` counts the
 * messages in reply places that are not valid or incomplete; `missing` says of which replies others know that are not
 * there.
 *
 * @typedef {object} Conversation
 * @property {Message | null} slip
 * @property {FoundReply[]} replies
 * @property {FoundReply[]} notices
 * @property {BroughtIn[]} broughtIn
 * @property {number} late
 * @property {MissingReply[]} missing
 *
 * Returns the content of an attachment; raises if it is incomplete or altered.
 *
 * @typedef {(record: Attachment) => Promise<Uint8Array>} Fetch
 */

/**
 * Validate everything under a reporter's ids; the server never returns the report's own body.
 *
 * @param {Found[]} entries
 * @param {Reporter} reporter
 * @param {ManifestChain} manifests
 * @param {number} slots
 * @param {Fetch} fetch
 * @param {string} today
 * @returns {Promise<Conversation>}
 */
export async function validateReplies(entries, reporter, manifests, slots, fetch, today) {
  const byId = new Map(entries.filter(({ body }) => body.length).map((each) => [bytesToHex(each.id), each]));
  const slip = openSlip(byId.get(bytesToHex(reporter.slipId)), reporter, slots);
  const checked = new ReplyValidator(reporter, manifests, slip, slots).validate(byId);
  const { valid: whole, incomplete } = await opened(checked.valid, fetch);
  const valid = withoutRepeated(whole);
  const late = checked.unreadable.length + incomplete;
  const notices = valid.filter(({ reply }) => isNotice(reply));
  const replies = valid.filter(({ reply }) => !isNotice(reply));
  const missing = missingReplies(compare(checked.all, checked.unreadable, slip, slots, today), manifests);
  return { slip, replies, notices, late, missing, broughtIn: broughtIn(slip, [...notices, ...replies], manifests) };
}

/**
 * @param {Found | undefined} entry
 * @param {Reporter} reporter
 * @param {number} slots
 */
function openSlip(entry, reporter, slots) {
  if (!entry) {
    return null;
  }
  try {
    const signed = envelope.open(entry.body, [reporter.mailbox], slots);
    message.check(signed, reporter.verifyKey);
    const own = signed.message.kind === "slip" && signed.message.case === bytesToHex(reporter.case);
    return own ? signed.message : null;
  } catch (error) {
    return unlessProtocol(error);
  }
}

/** Validates the messages in the reply places of one reporter. */
export class ReplyValidator {
  /**
   * @param {Reporter} reporter
   * @param {ManifestChain} manifests
   * @param {Message | null} slip
   * @param {number} slots
   */
  constructor(reporter, manifests, slip, slots) {
    this._reporter = reporter;
    this._manifests = manifests;
    this._slip = slip;
    this._slots = slots;
    /** @type {Map<string, ReplyPlace>} */
    this._places = new Map();
    for (let lane = 0; lane < 2 * slots; lane++) {
      placeIds(reporter.replies, lane).forEach((id, n) => this._places.set(bytesToHex(id), { lane, n }));
    }
  }

  /**
   * The valid replies and notices by day, lane and place, and all of them by hash; and the places of invalid messages.
   *
   * @param {Map<string, Found>} byId
   */
  validate(byId) {
    /** @type {Map<string, FoundReply>} */
    const valid = new Map();
    /** @type {number[]} */
    const unreadable = [];
    for (const [id, entry] of byId) {
      const place = this._places.get(id);
      const reply = place && this._validOrNull(entry, place);
      if (reply) {
        valid.set(reply.hash, reply);
      } else if (place) {
        unreadable.push(place.lane * PLACES + place.n);
      }
    }
    const ordered = [...valid.values()].sort(byDay);
    const all = new Map(ordered.map(({ hash, reply }) => [hash, reply]));
    return { all, unreadable, valid: ordered };
  }

  /**
   * @param {Found} entry
   * @param {ReplyPlace} place
   */
  _validOrNull(entry, place) {
    try {
      return this._read(entry, place);
    } catch (error) {
      return unlessProtocol(error);
    }
  }

  /**
   * @param {Found} entry
   * @param {ReplyPlace} place
   * @returns {FoundReply}
   */
  _read(entry, place) {
    const { day } = entry;
    const signed = this._open(entry);
    const reviewer = this.check(signed, place, day);
    const reply = signed.message;
    return { day, reviewer, reply, receipt: this.receipt(reply, day), hash: message.hash(signed), place };
  }

  /**
   * What a reply that was stored on a day states of the report, if its author has signed it (SPEC 4.12).
   *
   * @param {Message} reply
   * @param {string} day
   */
  receipt({ receipt, from, case: name }, day) {
    const valid = this._manifests.signingKeys(from, day).map(bytesToHex);
    const keys = (this._manifests.reviewer(from)?.signing ?? []).map(({ key }) => PublicKey.fromText(key));
    return receipts.checked(receipt, name, keys.filter(({ key }) => valid.includes(bytesToHex(key))));
  }

  /**
   * The message in an envelope.  Opening takes long, and there may be a thousand: by other manifests, it is not repeated.
   *
   * @param {Found} entry
   */
  _open(entry) {
    if (!OPENED.has(entry)) {
      try {
        OPENED.set(entry, envelope.open(entry.body, [this._reporter.mailbox], this._slots));
      } catch (error) {
        unlessProtocol(error);
        OPENED.set(entry, null);
      }
    }
    const signed = OPENED.get(entry);
    if (!signed) {
      throw new Malformed("an envelope that cannot be opened");
    }
    return signed;
  }

  /**
   * The author of a reply, if it counts in the place where it was stored; Malformed or Forged if it does not.
   *
   * @param {Signed} signed
   * @param {ReplyPlace} place
   * @param {string} stored the day on which the server stored it
   */
  check(signed, { lane, n }, stored) {
    const reply = signed.message;
    const named = reply.case === bytesToHex(this._reporter.case) && reply.to === this._reporter.mailbox.recipient.text;
    if (reply.kind !== "reply" || !named || reply.lane !== lane || reply.n !== n) {
      throw new Malformed("a reply is not for this place");
    }
    this._checkWriter(reply, lane);
    const reviewer = this._manifests.reviewer(reply.from);
    const day = reply.day > stored ? reply.day : stored;
    if (!reviewer || !this._manifests.signingKeys(reply.from, day).some((key) => isSignedBy(signed, key))) {
      throw new Forged("a reply is not signed by the reviewer it names");
    }
    return reviewer;
  }

  /**
   * A reader of the report writes in their own lane, a reviewer who was let in later in one from `slots` (SPEC 3.3).
   *
   * @param {Message} reply
   * @param {number} lane
   */
  _checkWriter(reply, lane) {
    if (!this._slip) {
      return;
    }
    const { without } = this._slip;
    const agreed = without.length === reply.without.length && without.every((id) => reply.without.includes(id));
    if (!agreed || !isPlaceOf(this._slip, this._slots, lane, reply.from)) {
      throw new Malformed("a reply leaves out others than the report, or is not for this place");
    }
  }
}

/**
 * The replies with their `rest` opened, as far as there is room for each reviewer's, so that nobody's displace those of
 * others; what stays closed keeps its `rest`.  And the number of those that are incomplete.
 *
 * @param {FoundReply[]} replies
 * @param {Fetch} fetch
 */
async function opened(replies, fetch) {
  /** @type {Map<string, number>} */
  const left = new Map();
  const gone = new Set();
  const long = replies.flatMap((each) => (each.reply.rest ? [{ each, rest: each.reply.rest }] : []));
  for (const { each, rest } of long.sort((one, other) => one.rest.size - other.rest.size)) {
    const { from } = each.reply;
    const room = (left.get(from) ?? ROOM) - rest.size;
    left.set(from, room);
    try {
      each.reply = room < 0 ? each.reply : message.withContent(each.reply, await fetch(rest));
    } catch (error) {
      gone.add(unlessProtocol(error) ?? each);
    }
  }
  return { valid: replies.filter((each) => !gone.has(each)), incomplete: gone.size };
}

/**
 * Reviewers named by a notice or a reply who were not among the report's readers, with the first message that does.
 *
 * @param {Message | null} slip
 * @param {FoundReply[]} replies
 * @param {ManifestChain} manifests
 * @returns {BroughtIn[]}
 */
function broughtIn(slip, replies, manifests) {
  /** @type {Map<string, FoundReply>} */
  const first = new Map();
  for (const each of slip ? replies : []) {
    each.reply.readers.filter((id) => !first.has(id)).forEach((id) => first.set(id, each));
  }
  return [...first].flatMap(([id, { reviewer: by, day }]) => {
    const reviewer = slip?.readers.includes(id) || id === manifest.RECOVERY ? undefined : manifests.reviewer(id);
    return reviewer ? { reviewer, by, day } : [];
  });
}

/**
 * What is missing or differs, as far as a manifest lists the author.
 *
 * @param {Named[]} named
 * @param {ManifestChain} manifests
 * @returns {MissingReply[]}
 */
function missingReplies(named, manifests) {
  return named.flatMap(({ differs, ...ids }) => {
    const [author, by] = [ids.author, ids.by].map((id) => manifests.reviewer(id));
    return author && by ? { author, by, differs } : [];
  });
}

/**
 * The replies without those that were sent again; others stay, so that nobody takes back what they said.
 *
 * @param {FoundReply[]} replies
 */
function withoutRepeated(replies) {
  const byHash = new Map(replies.map((each) => [each.hash, each]));
  const gone = replies.flatMap(({ reply }) => {
    const old = byHash.get(String(reply.replaces));
    return old && repeats(reply, old.reply) ? [old] : [];
  });
  return replies.filter((each) => !gone.includes(each));
}

/**
 * Whether a reply is another one, by the same author, sent again for another place, perhaps in new blocks (SPEC 4.8).
 *
 * @param {Message} reply
 * @param {Message} other
 */
function repeats(reply, other) {
  const content = (/** @type {Message} */ { from, text, attachments = [], rest, mark, receipt, language }) => [
    [from, text, rest?.sha256, mark, language, receipt?.received, receipt?.signature],
    attachments.map(({ name, type, size, sha256 }) => [name, type, size, sha256]),
  ];
  return JSON.stringify(content(reply)) === JSON.stringify(content(other));
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
 * Null for protocol errors; any other error is a bug and is raised again.
 *
 * @param {unknown} error
 */
function unlessProtocol(error) {
  if (error instanceof ProtocolError) {
    return null;
  }
  throw error;
}
