/** The word lists of all languages: one file beside the program, pinned by the hash of what it holds. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

import { Malformed } from "../errors.js";
import { LANGUAGES, LIST, addWordList } from "./words.js";

export const FILE = "words.js";
const SHA256 = "882bf54a7b036b1a4f915da90d7833f21fcf141489c36961fca1b9a8ed9f9a58";

/**
 * Use the lists; Malformed if they are not those of this program.
 *
 * @param {string} all one word a line, in the order of `LANGUAGES`
 */
export function useLists(all) {
  if (bytesToHex(sha256(utf8ToBytes(all))) !== SHA256) {
    throw new Malformed("the lists of words are not those that belong to this program");
  }
  const words = all.trimEnd().split("\n");
  LANGUAGES.forEach((language, place) => addWordList(language, words.slice(place * LIST, (place + 1) * LIST)));
}
