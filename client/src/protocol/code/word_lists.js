/** Makes the words of every language known at once: for tests and for the build, not for a page. */

import { wordlist as english } from "@scure/bip39/wordlists/english.js";
import { wordlist as french } from "@scure/bip39/wordlists/french.js";
import { wordlist as chinese } from "@scure/bip39/wordlists/simplified-chinese.js";
import { wordlist as spanish } from "@scure/bip39/wordlists/spanish.js";

import { know } from "./words.js";

know("en", english);
know("es", spanish);
know("fr", french);
know("zh", chinese);
