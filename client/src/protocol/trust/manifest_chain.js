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
  /** @param {SignedManifest[]} manifests in any order */
  constructor(manifests) {
    this.manifests = [...manifests].sort((one, other) => one.manifest.serial - other.manifest.serial);
  }

  /**
   * The one in force on a day: the newest that has begun, even past its end.  Expired if there is none.
   *
   * @param {string} day
   */
  current(day) {
    const signed = newest(this.manifests, (signed) => signed.manifest.from <= day);
    if (!signed) {
      throw new Expired("no manifest has begun");
    }
    return signed;
  }

  /**
   * Whether any has begun by a day.
   *
   * @param {string} day
   */
  hasBegun(day) {
    return this.manifests.some((signed) => signed.manifest.from <= day);
  }

  /**
   * The one in force on a day, for sealing; Expired from 30 days after its end.
   *
   * @param {string} day
   */
  sealing(day) {
    const signed = this.current(day);
    if (manifest.standing(signed.manifest, day) === "closed") {
      throw new Expired("the manifest has ended");
    }
    return signed;
  }

  /**
   * A reviewer as the newest manifest that lists them does, retired or not.
   *
   * @param {string} id
   */
  reviewer(id) {
    const lists = newest(this.manifests, (signed) => Boolean(manifest.reviewer(signed.manifest, id)));
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
    const newestFirst = [...this.manifests].reverse();
    for (const signed of newestFirst) {
      const { from, expires } = signed.manifest;
      const reviewer = manifest.reviewer(signed.manifest, id);
      for (const { key, last } of reviewer?.signing ?? []) {
        const raw = PublicKey.fromText(key).key;
        const open = signed === newestFirst[0] ? null : expires;
        const entry = keys.get(bytesToHex(raw)) ?? { raw, end: last ?? open, away: true };
        entry.away &&= Boolean(reviewer?.retired); // as long as no manifest lists its owner as active
        entry.end = entry.away && (entry.end ?? from) >= from ? from : entry.end;
        keys.set(bytesToHex(raw), entry);
      }
    }
    return [...keys.values()].filter(({ end }) => end === null || day <= end).map(({ raw }) => raw);
  }
}

/**
 * The last manifest that meets a condition.
 *
 * @param {SignedManifest[]} manifests by serial
 * @param {(signed: SignedManifest) => boolean} condition
 */
function newest(manifests, condition) {
  return manifests.filter(condition).pop();
}
