/** What each area of the test vectors asks to be done; gives the output that a good vector tells. */

import { readFileSync } from "node:fs";

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { HybridIdentity } from "../src/protocol/age/index.js";
import * as attachment from "../src/protocol/case/attachment.js";
import * as base64 from "../src/protocol/base64.js";
import * as canonical from "../src/protocol/canonical.js";
import * as envelope from "../src/protocol/case/envelope.js";
import { Expired, ProtocolError } from "../src/protocol/errors.js";
import * as schema from "../src/protocol/schema.js";
import { isBlank } from "../src/protocol/invisible_text.js";
import { isByReporter } from "../src/protocol/case/message_kinds.js";
import * as manifest from "../src/protocol/trust/manifest.js";
import * as message from "../src/protocol/case/message.js";
import { PublicKey } from "../src/protocol/trust/minisign.js";
import { ReplyValidator } from "../src/protocol/reporter/reply_validation.js";
import { safeName } from "../src/protocol/file_names.js";
import { compare } from "../src/protocol/reporter/missing_replies.js";
import * as submission from "../src/protocol/reporter/submission.js";
import * as retrieval from "../src/protocol/code/retrieval.js";
import * as signing from "../src/protocol/signing.js";
import { ManifestChain } from "../src/protocol/trust/manifest_chain.js";
import "../src/protocol/code/word_lists.js";
import * as words from "../src/protocol/code/words.js";

/** @import { Signed } from "../src/protocol/case/message.js" */

export const FOLDER = new URL("../../tests/vectors/", import.meta.url);

/** It was sealed to somebody whom it does not name. */
export class NotNamed extends ProtocolError {
  get kind() {
    return "not-named";
  }
}

/**
 * The bytes that a record tells of.
 *
 * @param {{ file?: string, hex?: string, text?: string }} given
 */
function data({ file, hex, text }) {
  if (file) {
    return new Uint8Array(readFileSync(new URL(file, FOLDER)));
  }
  return hex === undefined ? utf8ToBytes(text ?? "") : hexToBytes(hex);
}

/** @param {Uint8Array} line */
const textOf = (line) => ({ text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(line) });

/** @param {Uint8Array[]} parts */
const hashOf = (parts) => bytesToHex(sha256(concatBytes(...parts)));

/**
 * The same after its signature was checked.
 *
 * @param {Signed} signed
 * @param {{ key?: string }} given
 */
function checked(signed, { key }) {
  if (key) {
    message.check(signed, hexToBytes(key));
  } else {
    message.check(signed, hexToBytes(signed.message.from.sign));
  }
  return signed;
}

/** @param {any} given */
function derive(given) {
  const who = retrieval.derive(hexToBytes(given.code));
  const followUp = who.followUpToken(hexToBytes(given.attempt), hexToBytes(given.digest));
  const lane = (/** @type {number} */ number) => retrieval.placeIds(who.replies, number);
  return {
    mailbox_seed: bytesToHex(who.mailbox.seed),
    mailbox: who.mailbox.recipient.text,
    sign_seed: bytesToHex(who.signing),
    sign: bytesToHex(who.verifyKey),
    sent: bytesToHex(who.sent),
    replies: bytesToHex(who.replies),
    case: bytesToHex(who.case),
    reference: retrieval.reference(who.case),
    report_token: bytesToHex(who.reportToken),
    report_id: bytesToHex(who.reportId),
    slip_id: bytesToHex(who.slipId),
    follow_up_token: bytesToHex(followUp),
    follow_up_id: bytesToHex(retrieval.messageId(followUp)),
    once: who.once(hexToBytes(given.attempt)),
    first_place_id: bytesToHex(lane(0)[0]),
    last_place_id_of_lane_15: bytesToHex(lane(15)[63]),
    lane_sha256: Object.fromEntries([0, 1, 15, 255].map((number) => [String(number), hashOf(lane(number))])),
    lookup_sha256: Object.fromEntries([2, 8, 16].map((slots) => [String(slots), hashOf(who.lookupIds(slots))])),
  };
}

/** @param {any} given */
function form(given) {
  const digest = new retrieval.FormDigest();
  for (const [kind, first, second] of given.parts) {
    if (kind === "field") {
      digest.field(first, utf8ToBytes(second));
    } else {
      digest.file(first, hexToBytes(second));
    }
  }
  return { digest: bytesToHex(digest.digest()) };
}

/** @param {any} given */
function openEnvelope(given) {
  const identities = given.identities.map(HybridIdentity.fromText);
  const signed = checked(envelope.open(data(given.envelope), identities, given.slots), given);
  const { readers, without } = signed.message;
  if (given.reader && (!readers.includes(given.reader) || without.includes(given.reader))) {
    throw new NotNamed();
  }
  if (isByReporter(signed.message) === "key" in given) {
    throw new Error("a vector that names a key it does not need");
  }
  return { line: textOf(signed.line), hash: message.hash(signed) };
}

/** @param {any} given */
function checkReply({ code, slip, manifests, slots, lane, n, stored, line, signature }) {
  const [reporter, chain] = [retrieval.derive(hexToBytes(code)), new ManifestChain(manifests.map(known))];
  const validator = new ReplyValidator(reporter, chain, slip && message.parse(data(slip)), slots);
  const signed = { line: data(line), signature: base64.decode(signature) ?? new Uint8Array(0), message: message.parse(data(line)) };
  const { id: by } = validator.check(signed, { lane, n }, stored);
  return { by, receipt: validator.receipt(signed.message, stored)?.text ?? null };
}

/** @param {any} given */
function openAttachment(given) {
  const record = schema.parse(attachment.ATTACHMENT, given.record);
  const bodies = given.blocks.map((/** @type {any} */ each) => {
    const body = data(each);
    if (each.flip !== undefined) {
      body[each.flip] ^= 1;
    }
    return body;
  });
  const content = attachment.openWhole(record, bodies);
  return { ids: attachment.blockIds(record).map(bytesToHex), size: content.length, sha256: hashOf([content]) };
}

/** @param {any} given */
function blocks(given) {
  if (given.sizes) {
    const counts = given.sizes.map((/** @type {number} */ size) => [String(size), attachment.blocksFor(size)]);
    return { blocks: Object.fromEntries(counts) };
  }
  const seed = hexToBytes(given.seed);
  const ids = given.indexes.map((/** @type {number} */ index) => [
    String(index),
    bytesToHex(attachment.blockId(seed, index)),
  ]);
  return { ids: Object.fromEntries(ids) };
}

/** @param {any} given */
function verifyManifest(given) {
  const roots = given.roots.map(PublicKey.fromText);
  const { hash, manifest: found } = manifest.verify(data(given.manifest), data(given.signature), roots);
  /** @type {Record<string, string>} */
  const recipients = {};
  for (const reviewer of manifest.active(found)) {
    try {
      recipients[reviewer.id] = manifest.recipient(reviewer, given.day).text;
    } catch (error) {
      if (!(error instanceof Expired)) {
        throw error;
      }
    }
  }
  const standing = manifest.standing(found, given.day);
  return { hash, serial: found.serial, standing, recipients };
}

/** @param {{ text: string }} given */
function known(given) {
  const bytes = data(given);
  return { data: bytes, hash: hashOf([bytes]), manifest: manifest.parse(bytes) };
}

/** @type {Record<string, (given: any) => Record<string, unknown>>} */
export const RUNS = {
  words: ({ typed }) => ({ code: bytesToHex(words.decode(typed)) }),
  holds: ({ text, code }) => ({ holds: words.holdsCode(text, code && hexToBytes(code)) }),
  name: ({ name }) => ({ safe: safeName(name) }),
  shown: ({ text }) => ({ blank: isBlank(text), sealed: submission.isArmored(text) }),
  code({ code }) {
    const bytes = hexToBytes(code);
    const written = words.LANGUAGES.map((language) => [language, words.encode(bytes, language)]);
    return { numbers: words.numbers(bytes), words: Object.fromEntries(written) };
  },
  derive,
  form,
  canonical(given) {
    canonical.loads(data(given.data));
    return {};
  },
  signature({ key, message: told, signature }) {
    signing.verify(hexToBytes(key), data(told), hexToBytes(signature));
    return {};
  },
  message(given) {
    const line = data(given.line);
    const signature = base64.decode(given.signature) ?? new Uint8Array(0);
    return { hash: message.hash(checked({ line, signature, message: message.parse(line) }, given)) };
  },
  rest({ line, content }) {
    const whole = message.withContent(message.parse(data(line)), data(content));
    return { whole: textOf(message.encode(whole)) };
  },
  missing({ today, held, unreadable, slip, slots }) {
    const replies = held.map((/** @type {any} */ each) => [hashOf([data(each)]), message.parse(data(each))]);
    return { found: compare(new Map(replies), unreadable, slip && message.parse(data(slip)), slots, today) };
  },
  reply: checkReply,
  envelope: openEnvelope,
  attachment: openAttachment,
  blocks,
  manifest: verifyManifest,
  chain({ seen, new: next }) {
    manifest.checkNext(known(seen), known(next));
    return {};
  },
  signers({ manifests, reviewer, day }) {
    const keys = new ManifestChain(manifests.map(known)).signingKeys(reviewer, day);
    return { keys: keys.map(bytesToHex).sort() };
  },
  fingerprint: ({ roots }) => ({ digits: manifest.fingerprint(roots.map(PublicKey.fromText)) }),
  minisign: (given) => ({ comment: PublicKey.fromText(given.key).verify(data(given.data), data(given.signature)) }),
  publickey({ text }) {
    const { keyId, key } = PublicKey.fromText(text);
    return { id: bytesToHex(keyId), key: bytesToHex(key) };
  },
};
