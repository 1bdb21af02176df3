/**
 * The retrieval code as twelve words, and back from whatever a person typed (SPEC 2).
 *
 * The words and their four bits of checksum are BIP39's; its key derivation is not used.  Word lists are
 * loaded with `addWordList`; only loaded languages are tried.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

import { Malformed } from "../errors.js";
import { readings as readingsOf } from "../invisible_text.js";
import { closeMatches } from "./suggestions.js";
import { CODE } from "./retrieval.js";

export const COUNT = 12; // words
export const LIST = 2048; // words in a list
const LONGEST = 64; // letters of a token that are compared; every word is shorter
const MAX_ROWS = 20_000; // of twelve words that are inLists at in a text; one in sixteen matches by chance
const PREFIX = 4; // letters that tell a word from all others of its list
const CHECKSUM = 4n; // bits
const WORD = 11n; // bits
// By fixed ranges, like invisible characters: what Unicode says changes from version to version.
const SEPARATORS =
  "\\0-/:-@\\[-^`{-\\xbf\\xd7\\xf7\\u02b0-\\u02ff\\u037e\\u0387\\u055a-\\u055f\\u0589\\u058a\\u05be\\u05c0\\u05c3\\u05c6\\u05f3" +
  "\\u05f4\\u0600-\\u060f\\u061b-\\u061f\\u066a-\\u066d\\u06d4\\u0700-\\u070d\\u0964\\u0965\\u0970\\u0e4f\\u0e5a\\u0e5b\\u1680" +
  "\\u2000-\\u20cf\\u2150-\\u2bff\\u2e00-\\u2e7f\\u2ff0-\\u3004\\u3008-\\u3020\\u3030\\u303d-\\u303f\\u30fb\\u3200-\\u33ff" +
  "\\ud800-\\uf8ff\\ufe10-\\ufe1f\\ufe30-\\ufe6f\\uff00-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65\\uffe0-\\uffff" +
  "\\u{1d100}-\\u{1d1ff}\\u{1f000}-\\u{1faff}\\u{f0000}-\\u{10ffff}";
const TOKENS = new RegExp(`[^${SEPARATORS}]+`, "gu");
const MARKS = "\\u0300-\\u036f\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f";
const COMBINING = new RegExp(`[${MARKS}]+`, "gu");
// The first of each row of ten decimal digits.
const ZEROS = Array.from("٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰", (zero) => zero.charCodeAt(0));

/** @typedef {"en" | "es" | "fr" | "zh"} Language */

/**
 * The languages, in the order in which they are tried.
 *
 * @type {Language[]}
 */
export const LANGUAGES = ["en", "es", "fr", "zh"];

/** @type {Map<Language, Index>} */
const INDEXES = new Map();

/** @typedef {{ list: string[], whole: Map<string, number>, short: Map<string, ListedWord> }} Index */
/** @typedef {{ word: string, number: number }} ListedWord */

/**
 * What was typed is not a retrieval code.
 *
 * `reason` is `count` (then `found` tells how many words there were), `unknown` (then `word` is the first that is on
 * no list and `neighbours` are those that resemble it) or `checksum`.
 */
export class WordsError extends Malformed {
  /**
   * @param {"count" | "unknown" | "checksum"} reason
   * @param {{ found?: number, word?: string, neighbours?: string[] }} [details]
   */
  constructor(reason, { found = 0, word = "", neighbours = [] } = {}) {
    super(`not a retrieval code: ${reason}`);
    this.reason = reason;
    this.found = found;
    this.word = word;
    this.neighbours = neighbours;
  }
}

/**
 * Load the 2,048 words of a language, in BIP39's order.
 *
 * @param {Language} language
 * @param {string[]} words
 */
export function addWordList(language, words) {
  const list = words.map((word) => word.normalize("NFC"));
  const entries = list.map((word, place) => ({ word: plain(word), number: place + 1 }));
  INDEXES.set(language, {
    list,
    whole: new Map(entries.map(({ word, number }) => [word, number])),
    short: new Map(entries.map((each) => [each.word.slice(0, PREFIX), each])),
  });
}

/** The languages whose word lists are loaded. */
export function loadedLanguages() {
  return LANGUAGES.filter((language) => INDEXES.has(language));
}

/**
 * The 2,048 words of a loaded language, in NFC, in BIP39's order.
 *
 * @param {Language} language
 */
export function wordlist(language) {
  return indexOf(language).list;
}

/**
 * The twelve numbers, 1 to 2048, that stand for a code of 16 bytes.
 *
 * @param {Uint8Array} code
 */
export function numbers(code) {
  if (code.length !== CODE) {
    throw new RangeError("a retrieval code has 16 bytes");
  }
  const value = (BigInt(`0x${bytesToHex(code)}`) << CHECKSUM) | BigInt(checksum(code));
  return Array.from({ length: COUNT }, (_, place) => {
    return Number((value >> (WORD * BigInt(COUNT - 1 - place))) & BigInt(LIST - 1)) + 1;
  });
}

/**
 * The twelve words of a code of 16 bytes.
 *
 * @param {Uint8Array} code
 * @param {Language} [language]
 */
export function encode(code, language = "en") {
  const list = wordlist(language);
  return numbers(code).map((number) => list[number - 1]);
}

/**
 * The 16 bytes behind words or numbers as a person types them; WordsError otherwise.
 *
 * Letters' case and accents do not matter, nor do marks between the words, nor which script digits are of.  The first
 * four letters of a word are enough.  Words may be pasted with the numbers that pages show beside them.  Invisible
 * characters count for nothing, or else as spaces.
 *
 * @param {string} typed
 * @returns {Uint8Array}
 */
export function decode(typed) {
  const read = readingsOf(typed).map((text) => twelve(tokensOf(text)));
  const tokens = read.find(({ length }) => length === COUNT) ?? read[0];
  if (tokens.length !== COUNT) {
    throw new WordsError("count", { found: tokens.length });
  }
  const languages = loadedLanguages();
  const readings = languages.map((language) => tokens.map((token) => numberOf(token, language)));
  const whole = readings.filter((reading) => !reading.includes(0));
  for (const reading of whole) {
    const code = codeOf(reading);
    if (code) {
      return code;
    }
  }
  if (whole.length) {
    throw new WordsError("checksum");
  }
  const unknown = readings.map((reading) => reading.filter((number) => !number).length);
  const best = unknown.indexOf(Math.min(...unknown));
  const word = tokens[readings[best].indexOf(0)];
  throw new WordsError("unknown", { word, neighbours: neighboursOf(word, languages[best]) });
}

/**
 * Whether a text holds twelve words or numbers in a row with a valid checksum, or those of one `code`.
 *
 * Chinese characters count only where they stand apart, since nearly any Chinese sentence would match, unless one
 * `code` is inLists for.  Words may stand with 1 to 12 in front of them, and with their own numbers behind.  Invisible
 * characters are ignored, within words and between them.
 *
 * @param {string} text
 * @param {Uint8Array} [code]
 */
export function holdsCode(text, code) {
  return readingsOf(text).some((reading) => holdsWords(reading, code));
}

/**
 * @param {string} text
 * @param {Uint8Array} [code]
 */
function holdsWords(text, code) {
  const tokens = tokensOf(text, Boolean(code));
  const searched = code && bytesToHex(code);
  /** @type {Map<string, number[]>} */
  const cache = new Map(); // the same token is inLists up once
  const numbersOf = (/** @type {string} */ token) => {
    const inLists = cache.get(token) ?? loadedLanguages().map((language) => numberOf(token, language));
    cache.set(token, inLists);
    return inLists;
  };
  return [tokens, saidOnce(tokens)].some((variant) => {
    return rows(variant, numbersOf).some((row) => codesIn(row.map(numbersOf)).some((held) => !searched || held === searched));
  });
}

/**
 * Every twelve tokens in a row that are all on a list, and those with 1 to 12 in front of them; MAX_ROWS at most.
 *
 * @param {string[]} tokens
 * @param {(token: string) => number[]} numbersOf
 */
function rows(tokens, numbersOf) {
  const candidates = [];
  let run = 0;
  for (const [place, token] of tokens.entries()) {
    run = numbersOf(token).some(Boolean) ? run + 1 : 0;
    const ends = place + 1;
    if (run >= COUNT) {
      candidates.push(tokens.slice(ends - COUNT, ends));
    }
    if (run >= 2 * COUNT && digits(tokens[ends - 2]) === COUNT) {
      candidates.push(...[unnumbered(tokens.slice(ends - 2 * COUNT, ends))].filter(({ length }) => length));
    }
    if (candidates.length >= MAX_ROWS) {
      break;
    }
  }
  return candidates;
}

/**
 * The codes, in hexadecimal, of twelve tokens in the lists that have them all, where the checksum is right.
 *
 * @param {number[][]} row each token's number in each list
 */
function codesIn(row) {
  const readings = loadedLanguages().map((_, place) => row.map((numbers) => numbers[place]));
  const distinct = new Map(readings.map((reading) => [reading.join(), reading])); // numbers mean the same in all
  return [...distinct.values()].flatMap((reading) => {
    const code = reading.includes(0) ? null : codeOf(reading);
    return code ? [bytesToHex(code)] : [];
  });
}

/**
 * Words and numbers in plain form; characters of Chinese that stand `together` are taken apart.
 *
 * @param {string} text
 * @param {boolean} [together]
 */
export function tokensOf(text, together = true) {
  return (text.replace(COMBINING, "").match(TOKENS) ?? []).flatMap((token) => {
    const isChinese = together && /^[\u3400-\u9fff\uf900-\ufaff]+$/.test(token);
    if (isChinese) return Array.from(token, plain);
    const short = plain(Array.from(token.slice(0, 2 * LONGEST)).slice(0, LONGEST).join(""));
    return short ? [short] : [];
  });
}

/**
 * NFKD without marks, capitals of the Latin alphabet as small letters, digits as those of ASCII.
 *
 * @param {string} text
 */
function plain(text) {
  const spread = text.normalize("NFKD").replace(COMBINING, "");
  return spread.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[\u0660-\uabff]/g, digitOf);
}

/**
 * The digit of ASCII for one of another script; any other character as it is.
 *
 * @param {string} char
 */
function digitOf(char) {
  const place = char.charCodeAt(0);
  const zero = ZEROS.find((first) => first <= place && place < first + 10);
  return zero === undefined ? char : String(place - zero);
}

/**
 * The twelve words of what was typed, however they are numbered; else all of it.
 *
 * @param {string[]} tokens
 */
function twelve(tokens) {
  const twelve = tokens.length === COUNT ? tokens : [unnumbered(tokens), shown(tokens)].find((words) => words.length);
  return twelve ?? tokens;
}

/**
 * Twelve words that were typed with 1 to 12 in front of them, without those numbers; else nothing.
 *
 * @param {string[]} tokens
 */
function unnumbered(tokens) {
  const words = tokens.filter((_, place) => place % 2);
  const counts = tokens.filter((_, place) => place % 2 === 0);
  return tokens.length === 2 * COUNT && counts.every((token, place) => digits(token) === place + 1) ? words : [];
}

/**
 * The twelve words of a text that stand in a row, each with its own number behind it; else nothing.
 *
 * So the page of the words shows them; other numbers, such as their places, are passed over.
 *
 * @param {string[]} tokens
 */
function shown(tokens) {
  /** @type {string[][]} */
  const runs = [[]];
  tokens.forEach((token, place) => {
    if (saysAgain(token, tokens[place + 1] ?? "")) {
      runs[runs.length - 1].push(token);
    } else if (!/^\d+$/.test(token)) {
      runs.push([]);
    }
  });
  const complete = runs.filter((run) => run.length === COUNT);
  return complete.length === 1 ? complete[0] : [];
}

/**
 * The tokens without each number that stands right behind the word whose number it is.
 *
 * @param {string[]} tokens
 */
function saidOnce(tokens) {
  return tokens.filter((token, place) => !saysAgain(tokens[place - 1] ?? "", token));
}

/**
 * Whether that is the number of this word, in some list.
 *
 * @param {string} word
 * @param {string} number
 */
function saysAgain(word, number) {
  const typed = digits(word) === null && digits(number);
  return Boolean(typed) && loadedLanguages().some((language) => numberOf(word, language) === typed);
}

/**
 * The value of up to four digits; null for anything else.
 *
 * @param {string} token
 */
function digits(token) {
  return /^\d{1,4}$/.test(token) ? Number(token) : null;
}

/**
 * A token's number in a language's list, 1 to 2048; 0 if it has none.
 *
 * @param {string} token
 * @param {Language} language
 */
function numberOf(token, language) {
  const number = digits(token);
  if (number !== null) {
    return number <= LIST ? number : 0;
  }
  const { whole, short } = indexOf(language);
  const entry = token.length >= PREFIX ? short.get(token.slice(0, PREFIX)) : undefined;
  return whole.get(token) ?? (entry?.word.startsWith(token) ? entry.number : 0);
}

/** @param {Language} language */
function indexOf(language) {
  const index = INDEXES.get(language);
  if (!index) {
    throw new RangeError(`the words of ${language} are not loaded`);
  }
  return index;
}

/**
 * The code of twelve numbers, or null where the checksum is another.
 *
 * @param {number[]} reading
 */
function codeOf(reading) {
  const value = reading.reduce((high, number) => (high << WORD) | BigInt(number - 1), 0n);
  const code = hexToBytes((value >> CHECKSUM).toString(16).padStart(2 * CODE, "0"));
  return Number(value & 15n) === checksum(code) ? code : null;
}

/** @param {Uint8Array} code */
function checksum(code) {
  return sha256(code)[0] >> 4;
}

/**
 * @param {string} word
 * @param {Language} language
 */
function neighboursOf(word, language) {
  const spellings = new Map(wordlist(language).map((each) => [plain(each), each]));
  return closeMatches(word, [...spellings.keys()]).map((near) => /** @type {string} */ (spellings.get(near)));
}
