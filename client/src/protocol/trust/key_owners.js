/** Checks that no key is listed under two ids, in one manifest or along a chain (SPEC 7.2, 7.3). */

import { bytesToHex } from "@noble/hashes/utils.js";

import { HybridRecipient, MLKEM_PUBLIC } from "../age/index.js";
import { Malformed } from "../errors.js";
import { PublicKey } from "./minisign.js";

/** @import { Manifest } from "./manifest.js" */

export const RECOVERY = "recovery"; // the reader id of the recovery identity

/**
 * The id of each key, added to those in `earlier`; Malformed for a key under two ids.
 *
 * A signing key is identified by its 32 bytes, a recipient by its ML-KEM half, which has a single encoding.
 *
 * @param {Manifest} manifest
 * @param {Map<string, string>} [earlier]
 */
export function owners(manifest, earlier) {
  const ids = new Map(earlier);
  for (const [id, key] of keysOf(manifest)) {
    const owner = ids.get(key) ?? id;
    require(owner === id, `a key of ${owner} is listed under ${id} too: nobody has two ids`);
    ids.set(key, id);
  }
  return ids;
}

/**
 * @param {Manifest} manifest
 * @returns {string[][]} pairs of an id and a key in hexadecimal
 */
function keysOf({ reviewers, recovery }) {
  const pairs = reviewers.flatMap(({ id, signing, recipients }) => [
    ...signing.map((key) => [id, rawOf(key)]),
    ...recipients.map(({ recipient }) => [id, halfOf(recipient)]),
  ]);
  return recovery ? [...pairs, [RECOVERY, halfOf(recovery.recipient)]] : pairs;
}

/**
 * Check that ids are never reassigned or dropped: a reporter leaves people out by id.
 *
 * @param {Manifest} old
 * @param {Manifest} next
 */
export function checkIds(old, next) {
  owners(next, owners(old));
  for (const { id, signing } of old.reviewers) {
    const now = next.reviewers.find((reviewer) => reviewer.id === id);
    require(now, `the manifest drops ${id}; whoever left stays listed as retired`);
    const listed = now?.signing.map(rawOf);
    const kept = signing.every((key) => listed?.includes(rawOf(key)));
    require(kept, `the manifest drops a signing key of ${id}; one out of use gets a last day`);
  }
}

/** @param {{ key: string }} listed */
function rawOf({ key }) {
  return bytesToHex(PublicKey.fromText(key).key);
}

/** @param {string} recipient */
function halfOf(recipient) {
  return bytesToHex(HybridRecipient.fromText(recipient).raw.subarray(0, MLKEM_PUBLIC));
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
