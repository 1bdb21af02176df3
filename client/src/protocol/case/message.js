/** The messages: their canonical JSON, their signature, and content that moves into `rest` (SPEC 4). */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import * as canonical from "../canonical.js";
import { Malformed } from "../errors.js";
import * as schema from "../schema.js";
import { CONTENT, checkMessage, kindOf } from "./message_kinds.js";
import * as signing from "../signing.js";

/** @import { Attachment } from "./attachment.js" */
/** @import { Message, Sender } from "./message_kinds.js" */
/** @import { Reporter } from "../code/retrieval.js" */

const LABEL = "whistle/v1 ";
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
 * SHA-256 of line 1, in hexadecimal: the message's name in chains.
 *
 * @param {Signed} signed
 */
export function hash({ line }) {
  return bytesToHex(sha256(line));
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
  const parsed = held.map(([name, form]) => [name, form(left.get(name))]);
  const whole = { ...message, rest: null, ...Object.fromEntries(parsed) };
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
