/**
 * What each kind of message holds (SPEC 4): a table of fields for every kind, and what must hold between them.
 */

import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

import { HybridRecipient } from "../age/index.js";
import { ATTACHMENT, MAX_BLOCKS } from "./attachment.js";
import * as canonical from "../canonical.js";
import { Malformed } from "../errors.js";
import * as schema from "../schema.js";
import { ONCE, PLACES, caseOf } from "../code/retrieval.js";

/** @import { Attachment } from "./attachment.js" */

export const MAX_SLOTS = 16;
export const MAX_TEXT = 4_194_304; // characters
const MAX_ATTACHMENTS = 500;
export const MAX_REST = 16_777_216; // bytes; parsing JSON takes many times its length of memory
const MAX_LINE = 65_536; // bytes
const MAX_ORIGINALS = 10_000;
const MAX_RECEIPT = 1024; // characters of a minisign file
const RECIPIENT = 1_959; // characters of a hybrid recipient's text
const HASH = schema.hexadecimal(32);
const PEOPLE = schema.listOf(schema.identifier, 64, true);
const COUNT = schema.integer(0, canonical.MAX_INTEGER);
const POSITIVE = schema.integer(1, canonical.MAX_INTEGER);
const LANE = schema.integer(0, 2 * MAX_SLOTS - 1);

/**
 * The manifest that the sealer used.
 *
 * @typedef {{ serial: number, hash: string }} Keys
 *
 * The reporter's public keys; the name of the case commits to them.
 *
 * @typedef {{ sign: string, mailbox: string, replies: string }} Sender
 *
 * The case that a report continues under new words, with the old key's signature over the new case.
 *
 * @typedef {{ case: string, sign: string, signature: string }} Continues
 *
 * A reply that the author of a later one knows; `place` is lane × 64 + n.
 *
 * @typedef {{ day: string, from: string, hash: string, place: number }} Earlier
 *
 * A message inside a grant, as it was signed.
 *
 * @typedef {{ kind: string, line: string, signature: string }} Original
 *
 * What a message holds; which fields, KINDS says.
 *
 * @typedef {object} Message
 * @property {string} kind
 * @property {string} case
 * @property {string[]} readers
 * @property {string[]} without
 * @property {Keys} keys
 * @property {any} from a Sender in a reporter's message, an id in a reviewer's
 * @property {string} day
 * @property {"device" | "browser" | "arrival"} [sealed]
 * @property {string} [language]
 * @property {string} [channel]
 * @property {"advice" | ""} [way]
 * @property {string} [text]
 * @property {Attachment[]} [attachments]
 * @property {Attachment | null} [rest]
 * @property {Record<string, string> | null} [answers]
 * @property {Continues | null} [continues]
 * @property {string} [once]
 * @property {number} [seq]
 * @property {string | null} [prev]
 * @property {string[]} [seen]
 * @property {string} [to]
 * @property {number} [lane]
 * @property {number} [n]
 * @property {{ count: number, day: string }} [have]
 * @property {"acknowledgement" | "feedback" | "check-in" | ""} [mark]
 * @property {{ received: string, signature: string } | null} [receipt]
 * @property {string} [replaces]
 * @property {Earlier[]} [earlier]
 * @property {string} [status]
 * @property {string[]} [labels]
 * @property {string | null} [deadline]
 * @property {string} [claimed]
 * @property {{ days: string[] } | null} [check_ins]
 * @property {string | null} [again]
 * @property {string} [grantee]
 * @property {Original[]} [originals]
 * @property {{ first: string, last: string, cover: string } | null} [away]
 */

/**
 * The form of a hybrid recipient's text.
 *
 * @type {schema.Form}
 */
export function mailbox(value) {
  if (typeof value !== "string" || value.length !== RECIPIENT) {
    throw new Malformed("not a recipient");
  }
  return HybridRecipient.fromText(value).text;
}

const KEYS = { name: "Keys", fields: { serial: POSITIVE, hash: HASH } };
const SENDER = { name: "Sender", fields: { sign: HASH, mailbox, replies: HASH } };
const CONTINUES = { name: "Continues", fields: { case: HASH, sign: HASH, signature: schema.base64Of(64) } };
const RECEIPT = { name: "Receipt", fields: { received: schema.day, signature: schema.text(MAX_RECEIPT) } };
const HAVE = { name: "Have", fields: { count: POSITIVE, day: schema.day } };
const CHECK_INS = { name: "CheckIns", fields: { days: schema.listOf(schema.day, 16, true) } };
const EARLIER = {
  name: "Earlier",
  fields: { day: schema.day, from: schema.identifier, hash: HASH, place: schema.integer(0, 2 * MAX_SLOTS * PLACES - 1) },
};
const AWAY = {
  name: "Away",
  fields: { first: schema.day, last: schema.day, cover: schema.identifier },
  defaults: { cover: "" },
  check: (/** @type {{ first: string, last: string }} */ { first, last }) => {
    if (last < first) {
      throw new Malformed("an absence ends before it begins");
    }
  },
};
const ORIGINAL = {
  name: "Original",
  fields: { kind: schema.text(16), line: schema.text(MAX_LINE), signature: schema.base64Of(64) },
};

/** What every kind holds. */
const COMMON = { case: HASH, readers: PEOPLE, without: PEOPLE, keys: schema.record(KEYS) };

/** What a message that people write holds; `rest` stands for all of it when line 1 would be too long. */
const BODY = {
  text: schema.text(MAX_TEXT),
  attachments: schema.listOf(schema.record(ATTACHMENT), MAX_ATTACHMENTS),
  rest: schema.record(ATTACHMENT),
};
const BODY_DEFAULTS = { text: "", attachments: [], rest: null };

/** What the reporter's messages hold. */
const BY_REPORTER = {
  from: schema.record(SENDER),
  sealed: schema.oneOf("device", "browser", "arrival"),
  day: schema.day,
  language: schema.identifier,
};

/** What the reviewers' messages hold: their chain in the case, and what they had seen. */
const BY_REVIEWER = {
  from: schema.identifier,
  day: schema.day,
  seq: COUNT,
  prev: schema.nullable(HASH),
  seen: schema.listOf(HASH, 64, true),
};

/** What moves into `rest`. */
export const CONTENT = {
  text: BODY.text,
  answers: schema.mapping(schema.identifier, schema.text(MAX_TEXT), 64),
  attachments: BODY.attachments,
  originals: schema.listOf(schema.record(ORIGINAL), MAX_ORIGINALS),
};

/** @type {Record<string, schema.Kind>} */
const RECORDS = {
  report: {
    name: "Report",
    fields: {
      ...COMMON,
      ...BY_REPORTER,
      ...BODY,
      channel: schema.identifier,
      answers: CONTENT.answers,
      continues: schema.record(CONTINUES),
    },
    defaults: { ...BODY_DEFAULTS, answers: null, continues: null },
  },
  "follow-up": {
    name: "FollowUp",
    fields: { ...COMMON, ...BY_REPORTER, ...BODY, answers: CONTENT.answers, once: schema.hexadecimal(ONCE) },
    defaults: { ...BODY_DEFAULTS, answers: null, once: "" },
  },
  slip: {
    name: "Slip",
    fields: { ...COMMON, ...BY_REPORTER, channel: schema.identifier, way: schema.oneOf("advice") },
    defaults: { way: "" },
  },
  reply: {
    name: "Reply",
    fields: {
      ...COMMON,
      ...BY_REVIEWER,
      ...BODY,
      to: mailbox,
      lane: LANE,
      n: schema.integer(0, PLACES - 1),
      have: schema.record(HAVE),
      language: schema.identifier,
      mark: schema.oneOf("acknowledgement", "feedback", "check-in"),
      receipt: schema.record(RECEIPT),
      replaces: HASH,
      earlier: schema.listOf(schema.record(EARLIER), 64),
    },
    defaults: { ...BODY_DEFAULTS, mark: "", receipt: null, replaces: "", earlier: [] },
  },
  note: {
    name: "Note",
    fields: { ...COMMON, ...BY_REVIEWER, ...BODY, answers: CONTENT.answers, again: schema.day, away: schema.record(AWAY) },
    defaults: { ...BODY_DEFAULTS, answers: null, again: null, away: null },
  },
  status: {
    name: "Status",
    fields: {
      ...COMMON,
      ...BY_REVIEWER,
      status: schema.oneOf("new", "triage", "open", "waiting", "closed"),
      labels: schema.listOf(schema.text(64), 16, true),
      deadline: schema.day,
      claimed: schema.identifier,
      check_ins: schema.record(CHECK_INS),
      text: schema.text(4096),
    },
    defaults: { labels: [], deadline: null, claimed: "", check_ins: null, text: "" },
  },
  grant: {
    name: "Grant",
    fields: {
      ...COMMON,
      ...BY_REVIEWER,
      ...BODY,
      grantee: schema.identifier,
      lane: LANE,
      originals: CONTENT.originals,
    },
    defaults: { ...BODY_DEFAULTS, originals: [] },
  },
};

/** The kinds of message, by name. */
export const KINDS = new Map(
  Object.entries(RECORDS).map(([kind, fields]) => [
    kind,
    { ...fields, check: (/** @type {any} */ message) => checkMessage({ ...message, kind }) },
  ]),
);

/**
 * The table of a kind; Malformed for an unknown one.
 *
 * @param {unknown} name
 * @returns {schema.Kind}
 */
export function kindOf(name) {
  const kind = KINDS.get(/** @type {string} */ (name));
  if (!kind) {
    throw new Malformed("a message of an unknown kind");
  }
  return kind;
}

/**
 * Whether a message is the reporter's.
 *
 * @param {Message} message
 */
export function isByReporter(message) {
  return "sealed" in kindOf(message.kind).fields;
}

/**
 * What must hold between the fields of a message.
 *
 * @param {Message} message
 */
export function checkMessage(message) {
  if (message.readers.some((id) => message.without.includes(id))) {
    throw new Malformed("a message names someone as reader and as left out");
  }
  checkBody(message);
  if (isByReporter(message) ? caseOfSender(message.from) !== message.case : (message.seq === 0) !== !message.prev) {
    throw new Malformed("a message's case or place in its chain is not that of its sender");
  }
  if (message.kind === "grant" && !message.readers.includes(String(message.grantee))) {
    throw new Malformed("a grant is not sealed to its grantee");
  }
  if (message.mark ? isNotice(message) : message.receipt) {
    throw new Malformed("a reply has a mark without content, or a receipt without a mark");
  }
}

/**
 * Whether a reply has no content: it then only tells who reads the case.
 *
 * @param {Message} message
 */
export function isNotice({ text, attachments = [], rest }) {
  return !(text || attachments.length || rest);
}

/**
 * What must hold between content, attachments and `rest`.
 *
 * @param {Message} message
 */
function checkBody({ rest, text, answers, attachments = [], originals = [] }) {
  if (rest && (text || answers || attachments.length || originals.length)) {
    throw new Malformed("a message's rest and its content exclude each other");
  }
  if (rest && (rest.kind !== "rest" || rest.size > MAX_REST || rest.name || rest.type !== "application/json")) {
    throw new Malformed("a message's rest is of another kind or type, too long or named");
  }
  if (attachments.some((each) => each.kind !== "file")) {
    throw new Malformed("a message's attachments are files");
  }
  if (attachments.reduce((sum, each) => sum + each.blocks, 0) > MAX_BLOCKS) {
    throw new Malformed("a message's attachments are too large together");
  }
}

/**
 * The name of the case that these keys make, in hexadecimal.
 *
 * @param {Sender} keys
 */
function caseOfSender(keys) {
  const raw = HybridRecipient.fromText(keys.mailbox).raw;
  return bytesToHex(caseOf(hexToBytes(keys.sign), raw, hexToBytes(keys.replies)));
}
