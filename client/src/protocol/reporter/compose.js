/**
 * Composes and seals what a reporter wrote: a report with its slip, or a follow-up.
 *
 * Refuses messages that nobody could read, that contain the twelve words, or that are empty (SPEC 2.3, 4).
 */

import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import * as continuation from "../case/continuation.js";
import * as envelope from "../case/envelope.js";
import { Malformed } from "../errors.js";
import { isShort } from "../schema.js";
import { isBlank } from "../invisible_text.js";
import { MAX_TEXT } from "../case/message_kinds.js";
import * as manifest from "../trust/manifest.js";
import * as message from "../case/message.js";
import { isArmored } from "./submission.js";
import { FormDigest } from "../code/retrieval.js";
import { holdsCode } from "../code/words.js";

/** @import { HybridRecipient } from "../age/index.js" */
/** @import { Attachment } from "../case/attachment.js" */
/** @import { Message } from "../case/message_kinds.js" */
/** @import { Manifest, SignedManifest } from "../trust/manifest.js" */
/** @import { Conversation } from "./reply_validation.js" */
/** @import { Submission } from "./submission.js" */
/** @import { Reporter } from "../code/retrieval.js" */

const SEALED = "browser";
const ADVICE = { way: "advice" }; // the answer of a request for advice, and what its slip says
const RESERVED = ["way", "urgent", "asked", "earlier"]; // ids of answers that are no content alone

/**
 * What a reporter wrote.  `readers`: the readers that the reporter chose; empty for those of the channel or, in a
 * follow-up, of the case.  `continues`: the keys of the old words and the slip under them, where the
 * case moves to new words; whom it left out stays left out (SPEC 4.6).
 *
 * @typedef {object} Draft
 * @property {string} [channel]
 * @property {string} language
 * @property {string} text
 * @property {Record<string, string>} [answers]
 * @property {string[]} [readers]
 * @property {string[]} [without]
 * @property {number} [files] how many attachments follow
 * @property {{ reporter: Reporter, slip: Message }} [continues]
 *
 * Seals a draft that has been checked, once its files are sealed.
 *
 * @typedef {(attachments: Attachment[]) => Sealed} Finish
 *
 * What to submit, the ids of its readers, and of those left out.
 *
 * @typedef {Submission & { readers: string[], without: string[] }} Sealed
 */

/** A draft cannot be sealed: `empty`, `holds-words`, `holds-sealed`, `nobody-left` or `too-long`. */
export class Refused extends Error {
  /** @param {"empty" | "holds-words" | "holds-sealed" | "nobody-left" | "too-long"} kind */
  constructor(kind) {
    super(`refused: ${kind}`);
    this.kind = kind;
  }
}

/**
 * The readers of a report to a channel when some are left out: reviewers, then the recovery identity if there is one.
 *
 * Empty when no reviewer is left, even if there is a recovery identity.
 *
 * @param {Manifest} current
 * @param {string} channel
 * @param {string[]} without
 */
export function readersOf(current, channel, without) {
  const readers = (manifest.channel(current, channel)?.readers ?? []).filter((id) => !without.includes(id));
  return withRecovery(current, readers, without);
}

/**
 * The readers of a follow-up: active readers of the slip and of every notice and reply, without those left out.
 *
 * Empty without a slip, since no reply can be trusted about who was left out (SPEC 4.7).
 *
 * @param {Conversation} conversation
 * @param {Manifest} current
 */
export function followUpReaders(conversation, current) {
  const { slip, notices, replies } = conversation;
  if (!slip) {
    return [];
  }
  const active = manifest.active(current).map(({ id }) => id);
  const named = [...slip.readers, ...[...notices, ...replies].flatMap(({ reply }) => reply.readers)];
  const readers = [...new Set(named)].filter((id) => active.includes(id) && !slip.without.includes(id));
  return withRecovery(current, readers.slice(0, current.slots - Number(Boolean(current.recovery))), slip.without);
}

/**
 * A report and its slip; the draft is checked before any file is sealed.
 *
 * @param {Draft} draft
 * @param {Reporter} reporter
 * @param {SignedManifest} signed
 * @param {string} day
 * @returns {Finish}
 */
export function report(draft, reporter, signed, day) {
  check(draft);
  const { channel = "", continues } = draft;
  const without = listed(signed.manifest, [...(draft.without ?? []), ...(continues?.slip.without ?? [])]);
  const picked = chosen(signed.manifest, draft.readers ?? [], without, day);
  const usual = readersOf(signed.manifest, channel, without);
  const readers = chosen(signed.manifest, picked.length ? picked : usual, without, day);
  const shared = common(draft, reporter, signed, day, readers, without);
  const whole = {
    ...shared,
    kind: "report",
    channel,
    text: normalizeLines(draft.text),
    answers: answersOf(draft),
    continues: continues && continuation.prove(continues.reporter, reporter.case),
  };
  const recipients = manifest.recipients(signed.manifest, readers, day);
  return (attachments) => {
    const { body, blocks } = seal({ ...whole, attachments }, reporter, signed, recipients);
    const way = draft.answers?.way === ADVICE.way ? ADVICE : {};
    const slip = seal({ ...shared, kind: "slip", channel, ...way }, reporter, signed, [reporter.mailbox.recipient]);
    return { token: reporter.reportToken, envelopes: [body, slip.body], blocks, readers, without };
  };
}

/**
 * A follow-up to the case's readers, or to `draft.readers`; `attempt` is 32 random bytes, fresh for each message.
 *
 * @param {Draft} draft
 * @param {Reporter} reporter
 * @param {Conversation} conversation
 * @param {Uint8Array} attempt
 * @param {SignedManifest} signed
 * @param {string} day
 * @returns {Finish}
 */
export function followUp(draft, reporter, conversation, attempt, signed, day) {
  check(draft, reporter.code);
  const without = conversation.slip?.without ?? listed(signed.manifest, draft.without ?? []);
  const picked = chosen(signed.manifest, draft.readers ?? [], without, day);
  const usual = followUpReaders(conversation, signed.manifest);
  const readers = chosen(signed.manifest, picked.length ? picked : usual, without, day);
  const shared = common(draft, reporter, signed, day, readers, without);
  const whole = {
    ...shared,
    kind: "follow-up",
    text: normalizeLines(draft.text),
    answers: answersOf(draft),
    once: reporter.once(attempt),
  };
  const recipients = manifest.recipients(signed.manifest, readers, day);
  return (attachments) => {
    const { body, blocks } = seal({ ...whole, attachments }, reporter, signed, recipients);
    const token = reporter.followUpToken(attempt, digestOf(draft.text, attachments));
    return { token, envelopes: [body], blocks, readers, without };
  };
}

/**
 * The fields that all messages of a submission share.
 *
 * @param {Draft} draft
 * @param {Reporter} reporter
 * @param {SignedManifest} signed
 * @param {string} day
 * @param {string[]} readers
 * @param {string[]} without
 */
function common(draft, reporter, signed, day, readers, without) {
  if (!readers.some((id) => id !== manifest.RECOVERY)) {
    throw new Refused("nobody-left");
  }
  return {
    case: bytesToHex(reporter.case),
    readers,
    without,
    keys: manifest.keys(signed),
    from: message.sender(reporter),
    sealed: /** @type {"browser"} */ (SEALED),
    day,
    language: draft.language,
  };
}

/**
 * @param {Message} whole
 * @param {Reporter} reporter
 * @param {SignedManifest} signed
 * @param {HybridRecipient[]} recipients
 */
function seal(whole, reporter, signed, recipients) {
  const { slots } = signed.manifest;
  const { folded, blocks } = fold(whole, slots);
  return { body: envelope.seal(message.sign(folded, reporter.signing), recipients, slots), blocks };
}

/**
 * @param {Message} whole
 * @param {number} slots
 */
function fold(whole, slots) {
  try {
    return envelope.fold(whole, slots);
  } catch (error) {
    throw error instanceof Malformed ? new Refused("too-long") : error;
  }
}

/**
 * @param {Draft} draft
 * @param {Uint8Array} [code] whose words must not be in the text; without it, any words
 */
function check({ text, answers = {}, files = 0 }, code) {
  const texts = [text, ...Object.values(answers)];
  const written = [text, ...Object.entries(answers).flatMap(([id, each]) => (RESERVED.includes(id) ? [] : [each]))];
  if (!files && written.every(isBlank)) {
    throw new Refused("empty");
  }
  if (!texts.every((each) => isShort(each, MAX_TEXT))) {
    throw new Refused("too-long");
  }
  if (texts.some(isArmored)) {
    throw new Refused("holds-sealed");
  }
  if (texts.some((each) => holdsCode(each, code))) {
    throw new Refused("holds-words");
  }
}

/**
 * The digest of a follow-up, as of the form that would hold it (SPEC 2.4).
 *
 * @param {string} text
 * @param {Attachment[]} attachments
 */
function digestOf(text, attachments) {
  const form = new FormDigest();
  form.field("text", utf8ToBytes(text));
  for (const { name, sha256 } of attachments) {
    form.file(name, hexToBytes(sha256));
  }
  return form.digest();
}

/**
 * The readers who can be sealed to on a day and were not left out, at most as many as there are slots.
 *
 * @param {Manifest} current
 * @param {string[]} readers
 * @param {string[]} without
 * @param {string} day
 */
function chosen(current, readers, without, day) {
  const offered = manifest.offered(current, day).map(({ id }) => id);
  const able = [...offered, ...(current.recovery ? [manifest.RECOVERY] : [])].filter((id) => !without.includes(id));
  return [...new Set(readers)].filter((id) => able.includes(id)).slice(0, current.slots);
}

/**
 * The ids that are in the manifest, each once, sorted.
 *
 * @param {Manifest} current
 * @param {string[]} ids
 */
function listed(current, ids) {
  const everyone = [...current.reviewers.map(({ id }) => id), ...(current.recovery ? [manifest.RECOVERY] : [])];
  return everyone.filter((id) => ids.includes(id)).sort();
}

/**
 * @param {Manifest} current
 * @param {string[]} readers
 * @param {string[]} without
 */
function withRecovery(current, readers, without) {
  const added = current.recovery && !without.includes(manifest.RECOVERY) ? [manifest.RECOVERY] : [];
  return readers.length ? [...readers, ...added] : [];
}

/**
 * The answers that are not blank.
 *
 * @param {Draft} draft
 */
function answersOf({ answers = {} }) {
  const given = Object.entries(answers).filter(([, text]) => !isBlank(text));
  return Object.fromEntries(given.map(([id, text]) => [id, normalizeLines(text)]));
}

/**
 * The text with LF line ends; browsers send CR LF.
 *
 * @param {string} text
 */
function normalizeLines(text) {
  return text.replace(/\r\n?/g, "\n");
}
