/**
 * Envelopes: all of one size, and the number of readers is hidden (SPEC 5).
 *
 * An envelope is an age file with exactly `slots` stanzas in random order, the readers' and, for the rest, real
 * encapsulations to throwaway recipients.
 */

import { bytesToHex, concatBytes, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { HybridIdentity, LowOrderError, decrypt, encrypt, parseHeader } from "../age/index.js";
import { ENCAPSULATED, KIND } from "../age/hybrid.js";
import { WRAPPED_KEY, decodeArgument } from "../age/primitives.js";
import * as attachment from "./attachment.js";
import * as base64 from "../base64.js";
import { Malformed, NotForMe } from "../errors.js";
import * as schema from "../schema.js";
import { MAX_REST, MAX_SLOTS } from "./message_kinds.js";
import * as message from "./message.js";
import { SIGNATURE } from "../signing.js";

/** @import { HybridRecipient } from "../age/index.js" */
/** @import { Block } from "./attachment.js" */
/** @import { Message } from "./message_kinds.js" */
/** @import { Signed } from "./message.js" */

export const MIN_SLOTS = 2;
const SLOT = 4096; // bytes of an envelope for each slot
const INTRO = 70; // bytes of an age header without stanzas
const STANZA = 1557; // bytes of a stanza mlkem768x25519
const NONCE = 16; // bytes
const TAG = 16; // bytes
const ENDING = 90; // bytes: the signature in base64 and the ends of lines 1 and 2
const LF = 10;
const SPACE = 32;

/**
 * The size in bytes of every envelope of an instance.
 *
 * @param {number} slots
 */
export function size(slots) {
  if (!(MIN_SLOTS <= slots && slots <= MAX_SLOTS)) {
    throw new RangeError(`slots are ${MIN_SLOTS} to ${MAX_SLOTS}`);
  }
  return slots * SLOT;
}

/**
 * How many bytes of plaintext an envelope holds: one chunk of the age stream.
 *
 * @param {number} slots
 */
export function capacity(slots) {
  return size(slots) - INTRO - slots * STANZA - NONCE - TAG;
}

/**
 * How long, in bytes, line 1 may be.
 *
 * @param {number} slots
 */
function lineCapacity(slots) {
  return capacity(slots) - ENDING;
}

/**
 * The message as it fits in an envelope: if it is too long, its content as blocks of an attachment `rest`.
 *
 * Malformed if it is too long even so, or if no reader would take it.
 *
 * @param {Message} whole
 * @param {number} slots
 * @returns {{ folded: Message, blocks: Block[] }}
 */
export function fold(whole, slots) {
  const line = message.encode(whole);
  if (line.length <= lineCapacity(slots)) {
    message.parse(line);
    return { folded: whole, blocks: [] };
  }
  if (!message.isBody(whole)) {
    throw new Malformed("a message is too long for its envelope");
  }
  const content = message.contentOf(whole);
  if (content.length > MAX_REST) {
    throw new Malformed("a message is too long");
  }
  const sealer = new attachment.Sealer();
  const first = sealer.update(content);
  const { blocks, record } = sealer.finish("", "application/json", "rest");
  const folded = message.withRest(whole, record);
  if (message.encode(folded).length > lineCapacity(slots)) {
    throw new Malformed("a message is too long for its envelope");
  }
  message.withContent(folded, content);
  return { folded, blocks: [...first, ...blocks] };
}

/**
 * The envelope of a message for at most `slots` distinct recipients.
 *
 * `throwaways` is a pool of recipients whose identities nobody has; fresh ones are made where it is too small.
 *
 * @param {Signed} signed
 * @param {HybridRecipient[]} recipients
 * @param {number} slots
 * @param {HybridRecipient[]} [throwaways]
 * @returns {Uint8Array}
 */
export function seal(signed, recipients, slots, throwaways = []) {
  const everyone = [...new Map(recipients.map((recipient) => [bytesToHex(recipient.raw), recipient])).values()];
  if (!(1 <= everyone.length && everyone.length <= slots)) {
    throw new RangeError("one to `slots` recipients");
  }
  everyone.push(...throwaways.slice(0, slots - everyone.length));
  while (everyone.length < slots) {
    everyone.push(HybridIdentity.generate().recipient);
  }
  const lines = concatBytes(signed.line, utf8ToBytes(`\n${base64.encode(signed.signature)}\n`));
  if (lines.length > capacity(slots)) {
    throw new Malformed("a message is too long for its envelope");
  }
  const plaintext = new Uint8Array(capacity(slots)).fill(SPACE);
  plaintext.set(lines);
  return encrypt(shuffled(everyone), plaintext);
}

/**
 * Raise Malformed unless `body` has the size and the stanzas of an envelope; opens nothing.
 *
 * @param {Uint8Array} body
 * @param {number} slots
 */
function checkForm(body, slots) {
  if (body.length !== size(slots)) {
    throw new Malformed("an envelope has another size");
  }
  const { stanzas, length } = parseHeader(body);
  if (length !== INTRO + slots * STANZA || stanzas.length !== slots) {
    throw new Malformed("an envelope has another number of stanzas");
  }
  for (const { args, body: wrapped } of stanzas) {
    if (args.length !== 2 || args[0] !== KIND || wrapped.length !== WRAPPED_KEY) {
      throw new Malformed("an envelope has a stanza of another form");
    }
    decodeArgument(args[1], ENCAPSULATED);
  }
}

/**
 * The message of an envelope, its signature not yet checked.
 *
 * NotForMe if none of `identities` opens it, be it that a share has small order; Malformed if it is damaged as sent.
 *
 * @param {Uint8Array} body
 * @param {HybridIdentity[]} identities
 * @param {number} slots
 */
export function open(body, identities, slots) {
  checkForm(body, slots);
  return split(decrypted(body, identities));
}

/**
 * @param {Uint8Array} body
 * @param {HybridIdentity[]} identities
 */
function decrypted(body, identities) {
  try {
    return decrypt(identities, body);
  } catch (error) {
    // Libraries report a share of small order differently; here it counts as NotForMe.
    throw error instanceof LowOrderError ? new NotForMe("none of the identities opens this envelope") : error;
  }
}

/**
 * Line 1, the signature of line 2, and nothing but spaces after it.
 *
 * @param {Uint8Array} plaintext
 * @returns {Signed}
 */
export function split(plaintext) {
  const first = plaintext.indexOf(LF);
  const second = first < 0 ? -1 : plaintext.indexOf(LF, first + 1);
  if (second < 0 || plaintext.subarray(second + 1).some((byte) => byte !== SPACE)) {
    throw new Malformed("an envelope's plaintext is not two lines and spaces");
  }
  const line = plaintext.slice(0, first);
  const signature = schema.unbase64(new TextDecoder().decode(plaintext.subarray(first + 1, second)));
  if (signature.length !== SIGNATURE) {
    throw new Malformed("a signature has 64 bytes");
  }
  return { line, signature, message: message.parse(line) };
}

/**
 * The same items in an order that tells nothing (Fisher and Yates).
 *
 * @template T
 * @param {T[]} items
 */
function shuffled(items) {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const chosen = below(last + 1);
    [order[last], order[chosen]] = [order[chosen], order[last]];
  }
  return order;
}

/**
 * A random integer from 0 to `limit` - 1, each as likely as any other; `limit` is at most 256.
 *
 * @param {number} limit
 */
function below(limit) {
  const usable = 256 - (256 % limit);
  for (;;) {
    const [byte] = randomBytes(1);
    if (byte < usable) {
      return byte % limit;
    }
  }
}
