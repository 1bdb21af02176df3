/** Loads the word lists of all languages; for tests and the build, not for pages. */

import { wordlist as english } from "@scure/bip39/wordlists/english.js";
import { wordlist as french } from "@scure/bip39/wordlists/french.js";
import { wordlist as chinese } from "@scure/bip39/wordlists/simplified-chinese.js";
import { wordlist as spanish } from "@scure/bip39/wordlists/spanish.js";

import { addWordList } from "./words.js";

addWordList("en", english);
addWordList("es", spanish);
addWordList("fr", french);
addWordList("zh", chinese);
