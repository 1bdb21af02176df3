/** The manifests that the server holds: fetched newest first, each verified before anything is done by it. */

import { ApiError } from "./server_api.js";
import { Expired } from "../protocol/errors.js";
import * as manifest from "../protocol/trust/manifest.js";
import { PublicKey } from "../protocol/trust/minisign.js";
import { ManifestChain } from "../protocol/trust/manifest_chain.js";

/** @import { Environment } from "./task.js" */
/** @import { Manifest, SignedManifest } from "../protocol/trust/manifest.js" */

const IN_FORCE = "manifest.json";

/** The manifests of one server, each fetched once. */
export class Manifests {
  /**
   * @param {Environment} environment
   * @param {(path: string) => Promise<Uint8Array>} get fetches a file; ApiError if that fails
   */
  constructor(environment, get) {
    this._environment = environment;
    this._get = get;
    /** @type {Map<string, Promise<SignedManifest>>} */
    this._read = new Map();
  }

  /**
   * Begin with this one, as if it had been fetched.
   *
   * @param {SignedManifest} signed
   */
  beginWith(signed) {
    this._read.set(IN_FORCE, Promise.resolve(signed));
  }

  /** The one that the server has in force. */
  first() {
    return this._manifest(IN_FORCE);
  }

  /** The manifest to seal by today; Expired if there is none. */
  async sealing() {
    return (await this._begun()).sealing(this._environment.day);
  }

  /** The manifest in force today, even past its end; Expired if none has begun. */
  async current() {
    return (await this._begun()).current(this._environment.day);
  }

  async _begun() {
    for await (const manifests of this.chains()) {
      if (manifests.hasBegun(this._environment.day)) {
        return manifests;
      }
    }
    throw new Expired("no manifest has begun");
  }

  /** Chains of manifests: the newest alone, then each with one more predecessor. */
  async *chains() {
    const chain = [await this.first()];
    for (;;) {
      yield new ManifestChain(chain);
      const last = chain[chain.length - 1];
      const { hash, before } = await this._predecessor(last.manifest);
      if (!before || before.hash !== hash) {
        return;
      }
      manifest.checkNext(before, last);
      chain.push(before);
    }
  }

  /**
   * The predecessor of a manifest, null if the server does not have it, and the hash that it must have.
   *
   * @param {Manifest} manifest
   */
  async _predecessor({ serial, previous }) {
    try {
      return { hash: previous, before: previous ? await this._manifest(`manifest-${serial - 1}.json`) : null };
    } catch (error) {
      if (error instanceof ApiError && error.kind === "missing") {
        return { hash: previous, before: null };
      }
      throw error;
    }
  }

  /** @param {string} name */
  _manifest(name) {
    const reading = this._read.get(name) ?? this._fetch(name);
    this._read.set(name, reading);
    return reading;
  }

  /**
   * A manifest that a pinned root signed.
   *
   * @param {Uint8Array} data
   * @param {Uint8Array} signature
   */
  verify(data, signature) {
    return manifest.verify(data, signature, this._environment.roots.map(PublicKey.fromText));
  }

  /** @param {string} name */
  async _fetch(name) {
    const [data, signature] = await Promise.all([this._get(`/${name}`), this._get(`/${name}.minisig`)]);
    return this.verify(data, signature);
  }
}
