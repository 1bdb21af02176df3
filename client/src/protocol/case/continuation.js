/** A case that continues an older one under new words: the old signing key's proof of it (SPEC 4.6). */

import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import * as base64 from "../base64.js";
import * as signing from "../signing.js";

/** @import { Continues } from "./message_kinds.js" */
/** @import { Reporter } from "../code/retrieval.js" */

const LABEL = "whistle/v1 continues\n";

/**
 * The proof that the holder of the old words began the new case, named by 32 bytes.
 *
 * @param {Reporter} old
 * @param {Uint8Array} newCase
 * @returns {Continues}
 */
export function prove(old, newCase) {
  const signature = signing.sign(old.signing, concatBytes(utf8ToBytes(LABEL), old.case, newCase));
  return { case: bytesToHex(old.case), sign: bytesToHex(old.verifyKey), signature: base64.encode(signature) };
}
