/** The manifest: the list of who may read, signed by a root (SPEC 7). */

import { blake2b } from "@noble/hashes/blake2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";

import { HybridRecipient } from "../age/index.js";
import * as canonical from "../canonical.js";
import { MIN_SLOTS } from "../case/envelope.js";
import { Expired, Forged, Malformed } from "../errors.js";
import * as schema from "../schema.js";
import { RECOVERY, checkIds, owners } from "./key_owners.js";
import { MAX_SLOTS, mailbox } from "../case/message_kinds.js";
import { PublicKey } from "./minisign.js";
import * as signing from "../signing.js";

/** @import { Keys } from "../case/message_kinds.js" */

export { RECOVERY };

const MAX_FILE = 2_097_152; // bytes
const MAX_DAYS = 100; // of validity
const GRACE = 30; // days in which sealing goes on past the end, with a notice
const MAX_REVIEWERS = 256; // including those who left, who stay listed
const MAX_ACTIVE = 64;
const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const TEXTS = schema.mapping(schema.identifier, schema.text(2000), 64);
const NAME = schema.text(128);
const LANGUAGES = schema.listOf(schema.identifier, 32, true);

/**
 * What a report is about, and who reads it.
 *
 * @typedef {object} Channel
 * @property {string} id
 * @property {Record<string, string>} title
 * @property {Record<string, string>} purpose
 * @property {string[]} readers
 * @property {"offline" | "connected"} workstation
 *
 * Somebody who may read.
 *
 * @typedef {object} Reviewer
 * @property {string} id
 * @property {string} name
 * @property {string} role
 * @property {string[]} languages
 * @property {boolean} retired
 * @property {{ key: string, last: string | null }[]} signing
 * @property {{ recipient: string, first: string, last: string }[]} recipients
 * @property {Record<string, string>} roles the role by language
 *
 * A manifest as it was signed.
 *
 * @typedef {object} Manifest
 * @property {number} serial
 * @property {string | null} previous
 * @property {string} from
 * @property {string} expires
 * @property {number} slots
 * @property {Channel[]} channels
 * @property {Reviewer[]} reviewers
 * @property {{ name: string, recipient: string } | null} recovery
 * @property {{ id: string, name: string, key: string, reviewer: string }[]} couriers
 * @property {string[]} collection
 *
 * A manifest with the exact bytes that were signed and their SHA-256.
 *
 * @typedef {{ data: Uint8Array, hash: string, manifest: Manifest }} SignedManifest
 */

const CHANNEL = {
  name: "Channel",
  fields: {
    id: schema.identifier,
    title: TEXTS,
    purpose: TEXTS,
    readers: schema.listOf(schema.identifier, MAX_SLOTS, true),
    workstation: schema.oneOf("offline", "connected"),
  },
};
const SIGNING = { name: "Signing", fields: { key: signingKey, last: schema.nullable(schema.day) } };
const PERIOD = {
  name: "Period",
  fields: { recipient: mailbox, first: schema.day, last: schema.day },
  check(/** @type {{ first: string, last: string }} */ { first, last }) {
    require(first <= last, "a period ends before it begins");
  },
};
const REVIEWER = {
  name: "Reviewer",
  fields: {
    id: schema.identifier,
    name: NAME,
    role: NAME,
    languages: LANGUAGES,
    retired: schema.boolean,
    signing: schema.listOf(schema.record(SIGNING), 64),
    recipients: schema.listOf(schema.record(PERIOD), 64),
    roles: schema.mapping(schema.identifier, NAME, 64),
  },
  defaults: { roles: {} },
};
const RECOVERY_KEY = { name: "Recovery", fields: { name: NAME, recipient: mailbox } };
const COURIER = {
  name: "Courier",
  fields: { id: schema.identifier, name: NAME, key: verifyKey, reviewer: schema.identifier },
  defaults: { reviewer: "" },
};
const MANIFEST = {
  name: "Manifest",
  fields: {
    serial: schema.integer(1, canonical.MAX_INTEGER),
    previous: schema.nullable(schema.hexadecimal(32)),
    from: schema.day,
    expires: schema.day,
    slots: schema.integer(MIN_SLOTS, MAX_SLOTS),
    channels: schema.listOf(schema.record(CHANNEL), 32),
    reviewers: schema.listOf(schema.record(REVIEWER), MAX_REVIEWERS),
    recovery: schema.nullable(schema.record(RECOVERY_KEY)),
    couriers: schema.listOf(schema.record(COURIER), 16),
    collection: schema.listOf(schema.oneOf(...WEEKDAYS), 7, true),
  },
  check(/** @type {Manifest} */ manifest) {
    checkDates(manifest);
    checkPeople(manifest);
    owners(manifest);
  },
};

/**
 * The manifest in these bytes; signatures are not checked.
 *
 * @param {Uint8Array} data
 * @returns {Manifest}
 */
export function parse(data) {
  require(data.length <= MAX_FILE, "a manifest is too large");
  const { v, kind, ...fields } = Object(canonical.loads(data));
  require(v === 1 && kind === "manifest", "not a manifest of version 1");
  return schema.parse(MANIFEST, fields);
}

/**
 * A manifest that one of `roots` signed; Forged otherwise, Malformed for bytes that begin or end as none does.
 *
 * @param {Uint8Array} data
 * @param {Uint8Array} signature
 * @param {PublicKey[]} roots
 * @returns {SignedManifest}
 */
export function verify(data, signature, roots) {
  const isWhole = data[0] === 0x7b && data.at(-1) === 0x7d; // else an editor changed it, and nobody forged anything
  require(isWhole, "the manifest's bytes were changed on the way, perhaps by an editor");
  if (!roots.some((root) => isSignedBy(root, data, signature))) {
    throw new Forged("the manifest is not signed by a root that is pinned here");
  }
  return { data, hash: bytesToHex(sha256(data)), manifest: parse(data) };
}

/**
 * How messages name a manifest.
 *
 * @param {SignedManifest} signed
 * @returns {Keys}
 */
export function keys(signed) {
  return { serial: signed.manifest.serial, hash: signed.hash };
}

/**
 * Raise unless `next` follows `old` directly: the next serial, `previous`, the same slots and ids (SPEC 7.3).
 *
 * @param {SignedManifest} old
 * @param {SignedManifest} next
 */
export function checkNext(old, next) {
  if (next.manifest.serial < old.manifest.serial) {
    throw new Expired("the manifest is older than one that was seen before");
  }
  if (next.manifest.serial === old.manifest.serial) {
    throw new Forged("another manifest has the same serial");
  }
  const follows = next.manifest.serial === old.manifest.serial + 1 && next.manifest.previous === old.hash;
  require(follows, "the manifest does not follow the one before it");
  require(next.manifest.slots === old.manifest.slots, "the number of slots is fixed for the life of an instance");
  require(next.manifest.from >= old.manifest.from, "the manifest begins before the one before it");
  checkIds(old.manifest, next.manifest);
}

/**
 * The common fingerprint of the roots: 10 groups of 4 digits.
 *
 * @param {PublicKey[]} roots
 */
export function fingerprint(roots) {
  const halves = roots.map((root) => bytesToHex(root.key)).sort();
  const number = BigInt(`0x${bytesToHex(blake2b(concatBytes(...halves.map(hexToBytes)), { dkLen: 16 }))}`);
  return /** @type {RegExpMatchArray} */ (String(number).padStart(40, "0").match(/.{4}/g)).join(" ");
}

/**
 * The reviewer of that id, retired or not.
 *
 * @param {Manifest} manifest
 * @param {string} id
 */
export function reviewer(manifest, id) {
  return manifest.reviewers.find((each) => each.id === id);
}

/**
 * The channel of that id.
 *
 * @param {Manifest} manifest
 * @param {string} id
 */
export function channel(manifest, id) {
  return manifest.channels.find((each) => each.id === id);
}

/**
 * Every reviewer who is not retired.
 *
 * @param {Manifest} manifest
 */
export function active(manifest) {
  return manifest.reviewers.filter((each) => !each.retired);
}

/**
 * Every active reviewer who can be sealed to on a day; reporters may leave out any of them.
 *
 * @param {Manifest} manifest
 * @param {string} day
 */
export function offered(manifest, day) {
  return active(manifest).filter((each) => each.recipients.some((period) => period.first <= day));
}

/**
 * The newest recipient of a reviewer that has begun by `day`, even past its last day; Expired if none has.
 *
 * @param {Reviewer} person
 * @param {string} day
 */
export function recipient(person, day) {
  const begun = person.recipients.filter((period) => period.first <= day);
  if (!begun.length) {
    throw new Expired(`no key of reviewer ${person.id} has begun`);
  }
  const newest = begun.reduce((best, period) => (period.first > best.first ? period : best));
  return HybridRecipient.fromText(newest.recipient);
}

/**
 * The recipients of active readers, in the order given; Malformed for one who is unknown or retired.
 *
 * @param {Manifest} manifest
 * @param {string[]} readers
 * @param {string} day
 */
export function recipients(manifest, readers, day) {
  return readers.map((id) => {
    if (id === RECOVERY && manifest.recovery) {
      return HybridRecipient.fromText(manifest.recovery.recipient);
    }
    const person = reviewer(manifest, id);
    if (!person || person.retired) {
      throw new Malformed(`the manifest has no active reviewer ${id}`);
    }
    return recipient(person, day);
  });
}

/**
 * `ahead` of its first day, `current`, in `grace` after its end, or `closed`.
 *
 * @param {Manifest} manifest
 * @param {string} day
 */
export function standing(manifest, day) {
  if (day < manifest.from) {
    return "ahead";
  }
  if (day <= manifest.expires) {
    return "current";
  }
  return daysFrom(manifest.expires, day) <= GRACE ? "grace" : "closed";
}

/** @type {schema.Form} */
function signingKey(value) {
  require(typeof value === "string" && PublicKey.fromText(value).text === value, "not a minisign public key");
  return value;
}

/** @type {schema.Form} */
function verifyKey(value) {
  signing.checkKey(hexToBytes(schema.hexadecimal(32)(value)));
  return value;
}

/**
 * @param {PublicKey} root
 * @param {Uint8Array} data
 * @param {Uint8Array} signature
 */
function isSignedBy(root, data, signature) {
  try {
    root.verify(data, signature);
    return true;
  } catch (error) {
    if (error instanceof Forged) {
      return false;
    }
    throw error;
  }
}

/** @param {Manifest} manifest */
function checkDates({ from, expires, serial, previous, reviewers }) {
  const days = daysFrom(from, expires);
  require(0 <= days && days <= MAX_DAYS, `a manifest is valid for at most ${MAX_DAYS} days`);
  require((serial === 1) === (previous === null), "the first manifest, and no other, has no previous one");
  for (const { recipients } of reviewers) {
    const days = recipients.map((period) => period.first);
    require(new Set(days).size === days.length, "two keys of a reviewer begin on one day");
    require(days.every((first) => daysFrom(expires, first) <= GRACE), "a reviewer's key begins too late to be listed");
  }
}

/** @param {Manifest} manifest */
function checkPeople(manifest) {
  for (const listed of [manifest.reviewers, manifest.channels, manifest.couriers]) {
    require(new Set(listed.map((each) => each.id)).size === listed.length, "an id is listed twice in the manifest");
  }
  require(!reviewer(manifest, RECOVERY), `no reviewer may have the id ${RECOVERY}`);
  const readers = active(manifest);
  require(readers.length <= MAX_ACTIVE, `more than ${MAX_ACTIVE} reviewers are active`);
  require(readers.every((each) => each.recipients.length && each.signing.length), "an active reviewer has no keys");
  for (const { id, reviewer: owner } of manifest.couriers) {
    require(!owner || readers.some((each) => each.id === owner), `courier ${id} belongs to nobody who is active`);
  }
  for (const { id, readers: chosen } of manifest.channels) {
    const areActive = chosen.every((reader) => readers.some((each) => each.id === reader));
    require(chosen.length && areActive, `channel ${id} needs readers who are active`);
    const count = chosen.length + Number(Boolean(manifest.recovery));
    require(count <= manifest.slots, `channel ${id} has more readers than slots`);
  }
}

/**
 * @param {string} from
 * @param {string} to
 */
function daysFrom(from, to) {
  return schema.dayNumber(to) - schema.dayNumber(from);
}

/**
 * @param {unknown} good
 * @param {string} what
 */
function require(good, what) {
  if (!good) {
    throw new Malformed(what);
  }
}
