/** Words: the lists are BIP39's, each is known by its own file, and only known ones are tried. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";

import "../src/protocol/code/word_lists.js";
import * as words from "../src/protocol/code/words.js";

test("each list has 2,048 words that their first four letters tell apart", () => {
  for (const language of words.loadedLanguages()) {
    const list = words.wordlist(language);
    const starts = new Set(list.map((word) => words.tokensOf(word)[0].slice(0, 4)));
    assert.deepEqual([list.length, new Set(list).size, starts.size], [2048, 2048, 2048]);
  }
});

test("only the languages that are known are tried", () => {
  const program = `
    import * as words from "./src/protocol/code/words.js";
    import { wordlist } from "@scure/bip39/wordlists/english.js";
    const code = new Uint8Array(16).fill(9);
    const told = [words.loadedLanguages().length];
    words.addWordList("en", wordlist);
    told.push(words.loadedLanguages().join());
    for (const typed of [words.encode(code).join(" "), "aislar ".repeat(12)]) {
      try { told.push(words.decode(typed).join()); } catch (error) { told.push(error.reason + error.word); }
    }
    try { words.encode(code, "es"); } catch (error) { told.push(error.name); }
    process.stdout.write(told.join("|"));`;
  const told = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  assert.equal(told, `0|en|${new Uint8Array(16).fill(9).join()}|unknownaislar|RangeError`);
});
