/** The messages: their canonical JSON, their signature, and content that moves into `rest` (SPEC 4). */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import * as base64 from "../base64.js";
import * as canonical from "../canonical.js";
import { Forged, Malformed } from "../errors.js";
import * as schema from "../schema.js";
import { CONTENT, caseOfSender, checkMessage, isByReporter, kindOf } from "./message_kinds.js";
import * as signing from "../signing.js";

/** @import { Attachment } from "./attachment.js" */
/** @import { Continues, Message, Original, Sender } from "./message_kinds.js" */
/** @import { Reporter } from "../code/retrieval.js" */

const LABEL = "whistle/v1 ";
const LABEL_CONTINUES = "whistle/v1 continues\n";
const VERSION = 1;

/**
 * A message with the exact bytes that were signed.
 *
 * @typedef {{ line: Uint8Array, signature: Uint8Array, message: Message }} Signed
 */

/**
 * Line 1 of a message.
 *
 * @param {Message} message
 */
export function encode(message) {
  return canonical.dumps({ v: VERSION, kind: message.kind, ...schema.toJson(kindOf(message.kind), message) });
}

/**
 * The message of a line 1; Malformed unless it is canonical and has just the fields of its kind.
 *
 * @param {Uint8Array} line
 * @returns {Message}
 */
export function parse(line) {
  const { v, kind, ...fields } = Object(canonical.loads(line));
  if (v !== VERSION) {
    throw new Malformed("not a message of version 1");
  }
  return { kind, ...schema.parse(kindOf(kind), fields) };
}

/**
 * Sign a message with a seed of 32 bytes; Malformed if nobody could read it.
 *
 * @param {Message} message
 * @param {Uint8Array} seed
 * @returns {Signed}
 */
export function sign(message, seed) {
  const line = encode(message);
  return { line, signature: signing.sign(seed, signedBytes(message.kind, line)), message: parse(line) };
}

/**
 * Raise Forged unless the signature is by `verifyKey`.
 *
 * @param {Signed} signed
 * @param {Uint8Array} verifyKey
 */
export function check({ line, signature, message }, verifyKey) {
  signing.verify(verifyKey, signedBytes(message.kind, line), signature);
}

/**
 * Raise Forged unless a reporter's message is signed by the key that it names.
 *
 * @param {Signed} signed
 */
export function checkReporter(signed) {
  if (!isByReporter(signed.message)) {
    throw new Malformed("not a message of a reporter");
  }
  check(signed, hexToBytes(signed.message.from.sign));
}

/**
 * SHA-256 of line 1, in hexadecimal: the message's name in chains.
 *
 * @param {Signed} signed
 */
export function hash({ line }) {
  return bytesToHex(sha256(line));
}

/**
 * The message that stands inside a grant, its signature not yet checked.
 *
 * @param {Original} inside
 * @returns {Signed}
 */
export function fromOriginal(inside) {
  const line = utf8ToBytes(inside.line);
  const message = parse(line);
  if (message.kind !== inside.kind) {
    throw new Malformed("an original is of another kind than it says");
  }
  return { line, signature: schema.unbase64(inside.signature), message };
}

/**
 * The proof that the holder of the old words began the new case, named by 32 bytes.
 *
 * @param {Reporter} old
 * @param {Uint8Array} newCase
 * @returns {Continues}
 */
export function continueCase(old, newCase) {
  const signature = signing.sign(old.signing, concatBytes(utf8ToBytes(LABEL_CONTINUES), old.case, newCase));
  return { case: bytesToHex(old.case), sign: bytesToHex(old.verifyKey), signature: base64.encode(signature) };
}

/**
 * Raise Forged unless the sender of the old case signed that the new one continues it.
 *
 * @param {Continues} continues
 * @param {Sender} old
 * @param {string} newCase
 */
export function checkContinues(continues, old, newCase) {
  if (continues.case !== caseOfSender(old) || continues.sign !== old.sign) {
    throw new Forged("the case that it says it continues has other keys");
  }
  const told = concatBytes(utf8ToBytes(LABEL_CONTINUES), hexToBytes(continues.case), hexToBytes(newCase));
  signing.verify(hexToBytes(continues.sign), told, schema.unbase64(continues.signature));
}

/**
 * How a reporter's messages name their keys.
 *
 * @param {Reporter} reporter
 * @returns {Sender}
 */
export function sender(reporter) {
  return {
    sign: bytesToHex(reporter.verifyKey),
    mailbox: reporter.mailbox.recipient.text,
    replies: bytesToHex(reporter.replies),
  };
}

/**
 * Whether a message is of a kind that people write, whose content may move into `rest`.
 *
 * @param {Message} message
 */
export function isBody(message) {
  return "rest" in kindOf(message.kind).fields;
}

/**
 * What `rest` holds: the message's text, answers, attachments and originals as canonical JSON.
 *
 * @param {Message} message
 */
export function contentOf(message) {
  const kind = kindOf(message.kind);
  const held = Object.entries(schema.toJson(kind, message)).filter(([name]) => name in CONTENT);
  return canonical.dumps(Object.fromEntries(held));
}

/**
 * The message with its content moved into `rest`.
 *
 * @param {Message} message
 * @param {Attachment} rest
 * @returns {Message}
 */
export function withRest(message, rest) {
  const defaults = Object.entries(kindOf(message.kind).defaults ?? {}).filter(([name]) => name in CONTENT);
  return { ...message, ...Object.fromEntries(defaults), rest };
}

/**
 * The message with the content that its `rest` held, for reading; it is not what was signed.
 *
 * @param {Message} message
 * @param {Uint8Array} content
 * @returns {Message}
 */
export function withContent(message, content) {
  const value = canonical.loads(content);
  const left = new Map(Object.entries(Object(value)));
  const held = Object.entries(kindOf(message.kind).fields).filter(([name]) => name in CONTENT && left.has(name));
  if (Object(value) !== value || Array.isArray(value) || held.length !== left.size) {
    throw new Malformed("a message's rest holds an unknown field");
  }
  if (!left.size || [...left.values()].some(schema.isEmpty)) {
    throw new Malformed("a message's rest is empty, or holds an empty field");
  }
  const found = held.map(([name, form]) => [name, form(left.get(name))]);
  const whole = { ...message, rest: null, ...Object.fromEntries(found) };
  checkMessage(whole);
  return whole;
}

/**
 * @param {string} kind
 * @param {Uint8Array} line
 */
function signedBytes(kind, line) {
  return concatBytes(utf8ToBytes(`${LABEL}${kind}\n`), line);
}
