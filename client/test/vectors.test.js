/** The vectors: what each holds comes out as it says, as it does in Python. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { ProtocolError } from "../src/protocol/errors.js";
import { WordsError } from "../src/protocol/code/words.js";
import { FOLDER, RUNS } from "./runs.js";

/** What a browser has no use for. */
const ELSEWHERE = ["bundle", "continues", "dayhash", "enrolment", "pasted", "request", "statement"];
/** Of an area's output, what only a server or a workstation computes. @type {Record<string, string>} */
const UNUSED = { form: "code", manifest: "warning" };
/** @type {Record<string, string>} */
const STANDINGS = { ahead: "ahead", closed: "expired" };

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
const vectors = files.map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) }));

/**
 * What becomes of a vector here.
 *
 * @param {string} area
 * @param {unknown} given
 * @returns {{ expect: string, output: any }}
 */
function outcome(area, given) {
  try {
    const output = RUNS[area](given);
    return { expect: STANDINGS[String(output.standing)] ?? "ok", output };
  } catch (error) {
    if (!(error instanceof ProtocolError)) {
      throw error;
    }
    return { expect: error.kind, output: error instanceof WordsError ? told(error) : {} };
  }
}

/** @param {WordsError} error */
function told({ reason, found, word }) {
  return { reason, ...(reason === "count" && { found }), ...(word && { word }) };
}

for (const { name, area, input, expect, output = {} } of vectors.filter((each) => !ELSEWHERE.includes(each.area))) {
  test(name, () => {
    const { [UNUSED[area]]: _, ...used } = output;
    assert.deepEqual(outcome(area, input), { expect, output: used });
  });
}

test("every area is run here or left out by name", () => {
  const areas = new Set(vectors.map(({ area }) => area));
  assert.deepEqual([...areas].sort(), [...Object.keys(RUNS), ...ELSEWHERE].sort());
});
