/** The browser's half, answering questions: one line of JSON in, one out.  What it refuses it answers with its kind. */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import vm from "node:vm";

import { ed25519, ED25519_TORSION_SUBGROUP } from "../../client/node_modules/@noble/curves/ed25519.js";
import { sha512 } from "../../client/node_modules/@noble/hashes/sha2.js";
import { HybridIdentity, HybridRecipient, X25519Identity } from "../../client/src/protocol/age/index.js";
import * as attachment from "../../client/src/protocol/case/attachment.js";
import * as continuation from "../../client/src/protocol/case/continuation.js";
import * as canonical from "../../client/src/protocol/canonical.js";
import * as envelope from "../../client/src/protocol/case/envelope.js";
import { ProtocolError } from "../../client/src/protocol/errors.js";
import * as manifest from "../../client/src/protocol/trust/manifest.js";
import * as message from "../../client/src/protocol/case/message.js";
import { PublicKey } from "../../client/src/protocol/trust/minisign.js";
import * as retrieval from "../../client/src/protocol/code/retrieval.js";
import * as signing from "../../client/src/protocol/signing.js";
import "../../client/src/protocol/code/word_lists.js";
import * as words from "../../client/src/protocol/code/words.js";

const hex = (data) => Buffer.from(data).toString("hex");
const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const pool = Array.from({ length: 16 }, () => HybridIdentity.generate().recipient);
const identities = new Map();

/** Making keys of a seed takes time, and the same few come again and again. */
function identity(text) {
  if (!identities.has(text)) {
    identities.set(text, HybridIdentity.fromText(text));
  }
  return identities.get(text);
}

function reporter({ code, attempt, digest, slots }) {
  const who = retrieval.derive(unhex(code));
  const form = new retrieval.FormDigest();
  form.field("text", unhex(code));
  form.field("attempt", unhex(attempt));
  form.file("a.txt", unhex(digest));
  return {
    mailbox: who.mailbox.recipient.text,
    identity: who.mailbox.text,
    verify: hex(who.verifyKey),
    replies: hex(who.replies),
    case: hex(who.case),
    reference: retrieval.reference(who.case),
    tokens: [who.reportToken, who.followUpToken(unhex(attempt), unhex(digest))].map(hex),
    look: who.lookupIds(slots).map(hex),
    form: hex(form.digest()),
  };
}

function decode({ typed }) {
  try {
    return { code: hex(words.decode(typed)) };
  } catch (error) {
    if (!(error instanceof words.WordsError)) {
      throw error;
    }
    const { reason, found, word, neighbours } = error;
    return { reason, found, word, neighbours };
  }
}

function open({ body, keys, slots, verify }) {
  const signed = envelope.open(unhex(body), keys.map(identity), slots);
  message.check(signed, unhex(verify));
  return { line: new TextDecoder().decode(message.encode(signed.message)), hash: message.hash(signed) };
}

function sealAttachment({ content, pieces, name, type }) {
  const data = unhex(content);
  const sealer = new attachment.Sealer();
  const blocks = [];
  let at = 0;
  for (const piece of pieces) {
    blocks.push(...sealer.update(data.subarray(at, at + piece)));
    at += piece;
  }
  const last = sealer.finish(name, type);
  blocks.push(...last.blocks);
  return { record: last.record, blocks: blocks.map(({ id, body }) => [hex(id), hex(body)]) };
}

/** A key, a message and a signature which only lax rules take: a torsion point added to key or nonce. */
function torsion({ seed, text, key, nonce, order }) {
  const { Point, utils } = ed25519;
  const { head, point } = utils.getExtendedPublicKey(unhex(seed));
  const small = Point.fromHex(ED25519_TORSION_SUBGROUP[order]);
  const scalar = Point.Fn.create(BigInt(`0x${hex(head.slice().reverse())}`));
  const shift = (from, to) => (to ? from.add(small) : from);
  const secret = 12_345_678_901_234_567_890n;
  const [A, R] = [shift(point, key).toBytes(), shift(Point.BASE.multiply(secret), nonce).toBytes()];
  const data = new TextEncoder().encode(text);
  const k = Point.Fn.create(BigInt(`0x${hex(sha512(Buffer.concat([R, A, data])).reverse())}`));
  const s = Point.Fn.create(secret + k * scalar);
  return { key: hex(A), signature: hex(R) + hex(unhex(s.toString(16).padStart(64, "0")).reverse()) };
}

/** The built file, as a worker runs it. */
function start(self) {
  const built = readFileSync(new URL("../../whistle/server/reporter/static/whistle.js", import.meta.url), "utf8");
  vm.runInThisContext(`(function (self, document) {${built}\n})`)(self, undefined);
}

/** What a page would ask of the worker, and all that the worker says; `cancelAt` ends it at so many blocks. */
async function task({ what, question, cancelAt }) {
  const files = (question.files ?? []).map(({ content, name, type }) => new File([unhex(content)], name, { type }));
  const news = [];
  const last = await new Promise((resolve) => {
    const scope = {
      onmessage: null,
      postMessage(said) {
        news.push(said);
        if (said.progress?.done === cancelAt) {
          scope.onmessage({ data: { number: 1, cancel: true } });
        }
        if ("answer" in said || "fault" in said) {
          resolve(said);
        }
      },
    };
    start(scope);
    scope.onmessage({ data: { number: 1, ask: what, question: { ...question, files } } });
  });
  const { answer, fault } = last;
  const given = answer instanceof Blob ? hex(await answer.arrayBuffer()) : answer;
  const progress = news.flatMap((said) => (said.progress ? [[said.progress.done, said.progress.total]] : []));
  return { answer: given, fault, progress, waits: news.filter((said) => said.wait).length };
}

const ANSWERS = {
  task,
  reporter,
  decode,
  open,
  sealAttachment,
  torsion,
  assigned: ({ text }) => text.replace(/\p{Cn}/gu, ""),
  tokens: ({ text }) => words.tokensOf(text),
  holds: ({ text, code }) => words.holdsCode(text, code && unhex(code)),
  encode: ({ code }) => words.LANGUAGES.map((language) => words.encode(unhex(code), language)),
  canonical: ({ data }) => hex(canonical.dumps(canonical.loads(unhex(data)))),
  parse: ({ line }) => hex(message.encode(message.parse(unhex(line)))),
  seal({ value, seed, recipients, slots }) {
    const signed = message.sign(value, unhex(seed));
    return hex(envelope.seal(signed, recipients.map(HybridRecipient.fromText), slots, pool));
  },
  fold({ value, slots }) {
    const { folded, blocks } = envelope.fold(value, slots);
    return { line: hex(message.encode(folded)), blocks: blocks.map(({ id, body }) => [hex(id), hex(body)]) };
  },
  withContent: ({ line, content }) => {
    const whole = message.withContent(message.parse(unhex(line)), unhex(content));
    return hex(message.contentOf(whole));
  },
  openAttachment: ({ record, blocks }) => hex(attachment.openWhole(record, blocks.map(unhex))),
  blocksFor: ({ sizes }) => sizes.map(attachment.blocksFor),
  shortenedName: ({ name }) => attachment.shortenedName(name),
  continueCase: ({ old, next }) => continuation.prove(retrieval.derive(unhex(old)), unhex(next)),
  verify: ({ key, data, signature }) => signing.verify(unhex(key), unhex(data), unhex(signature)) ?? true,
  minisign: ({ key, data, signature }) => PublicKey.fromText(key).verify(unhex(data), unhex(signature)),
  minisignKey: ({ text }) => PublicKey.fromText(text).text,
  recipient: ({ text }) => HybridRecipient.fromText(text).text,
  identity: ({ text }) => HybridIdentity.fromText(text).recipient.text,
  x25519: ({ text }) => hex(X25519Identity.fromText(text).raw),
  manifest({ data, signature, roots, day, readers }) {
    const pinned = roots.map((root) => PublicKey.fromText(root));
    const known = manifest.verify(unhex(data), unhex(signature), pinned);
    return {
      keys: manifest.keys(known),
      active: manifest.active(known.manifest).map(({ id }) => id),
      recipients: manifest.recipients(known.manifest, readers, day).map(({ text }) => text),
      standing: manifest.standing(known.manifest, day),
      fingerprint: manifest.fingerprint(pinned),
    };
  },
  parseManifest: ({ data }) => Boolean(manifest.parse(unhex(data))),
};

async function answer(question) {
  try {
    return { answer: await ANSWERS[question.ask](question) };
  } catch (error) {
    if (error instanceof ProtocolError) {
      return { refused: error.kind };
    }
    return { broken: String(error?.stack) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
