/**
 * The manifests of one instance: which one is in force on a day, and whose signatures count (SPEC 7).
 *
 * Callers must have verified that a pinned root signed each manifest and that each follows its predecessor.
 */

import { bytesToHex } from "@noble/hashes/utils.js";

import { Expired } from "../errors.js";
import * as manifest from "./manifest.js";
import { PublicKey } from "./minisign.js";

/** @import { SignedManifest } from "./manifest.js" */

/** Manifests by serial. */
export class ManifestChain {
  /** @param {SignedManifest[]} known in any order */
  constructor(known) {
    this.known = [...known].sort((one, other) => one.manifest.serial - other.manifest.serial);
  }

  /**
   * The one in force on a day: the newest that has begun, even past its end.  Expired if there is none.
   *
   * @param {string} day
   */
  current(day) {
    const found = newest(this.known, (known) => known.manifest.from <= day);
    if (!found) {
      throw new Expired("no manifest has begun");
    }
    return found;
  }

  /**
   * Whether any has begun by a day.
   *
   * @param {string} day
   */
  hasBegun(day) {
    return this.known.some((known) => known.manifest.from <= day);
  }

  /**
   * The one in force on a day, for sealing; Expired from 30 days after its end.
   *
   * @param {string} day
   */
  sealing(day) {
    const known = this.current(day);
    if (manifest.standing(known.manifest, day) === "closed") {
      throw new Expired("the manifest has ended");
    }
    return known;
  }

  /**
   * A reviewer as the newest manifest that lists them does, retired or not.
   *
   * @param {string} id
   */
  reviewer(id) {
    const lists = newest(this.known, (known) => Boolean(manifest.reviewer(known.manifest, id)));
    return lists && manifest.reviewer(lists.manifest, id);
  }

  /**
   * The Ed25519 keys whose signatures by a reviewer count for a message of a day: the later of its own day and that on
   * which it was stored at the server.
   *
   * The newest manifest that lists a key decides until when it counts; predecessors only add keys, and tell since when
   * somebody who left is away: no key of theirs counts for longer, whatever its own last day (SPEC 7.5).
   *
   * @param {string} id
   * @param {string} day
   */
  signingKeys(id, day) {
    /** @type {Map<string, { raw: Uint8Array, end: string | null, away: boolean }>} */
    const keys = new Map();
    const newestFirst = [...this.known].reverse();
    for (const known of newestFirst) {
      const { from, expires } = known.manifest;
      const reviewer = manifest.reviewer(known.manifest, id);
      for (const { key, last } of reviewer?.signing ?? []) {
        const raw = PublicKey.fromText(key).key;
        const open = known === newestFirst[0] ? null : expires;
        const found = keys.get(bytesToHex(raw)) ?? { raw, end: last ?? open, away: true };
        found.away &&= Boolean(reviewer?.retired); // as long as no manifest lists its owner as active
        found.end = found.away && (found.end ?? from) >= from ? from : found.end;
        keys.set(bytesToHex(raw), found);
      }
    }
    return [...keys.values()].filter(({ end }) => end === null || day <= end).map(({ raw }) => raw);
  }
}

/**
 * The last manifest that meets a condition.
 *
 * @param {SignedManifest[]} known by serial
 * @param {(known: SignedManifest) => boolean} condition
 */
function newest(known, condition) {
  return known.filter(condition).pop();
}
