/** Loads the word lists, which are files beside the program, pinned by their hashes. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

import { Malformed } from "../errors.js";
import { LANGUAGES, addWordList, loadedLanguages } from "./words.js";

/** @import { Language } from "./words.js" */

/** @type {Record<Language, string>} SHA-256 of each file, in hexadecimal */
export const FILES = {
  en: "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda",
  es: "0c639b0d58b6e56c18dcf418017ff341418a129e45fbf303361e8569edb02efe",
  fr: "431c1d074225d2b7e82db857d7c3ea58051df546e7c8b74c1f6dcab36351fd56",
  zh: "5c5942792bd8340cb8b27cd592f1015edf56a8c5b26276ee18a482428e7c5726",
};

/**
 * The name of a language's file.
 *
 * @param {Language} language
 */
export function fileName(language) {
  return `words.${language}.txt`;
}

/**
 * Load the word lists of some languages, unless they are loaded already; Malformed if a hash differs.
 *
 * @param {(name: string) => Promise<Uint8Array>} read
 * @param {Language[]} [languages]
 */
export async function load(read, languages = LANGUAGES) {
  for (const language of languages.filter((one) => !loadedLanguages().includes(one))) {
    const data = await read(fileName(language));
    if (bytesToHex(sha256(data)) !== FILES[language]) {
      throw new Malformed("a word list is not the one that belongs to this program");
    }
    addWordList(language, new TextDecoder().decode(data).trimEnd().split("\n"));
  }
}
