/** Words that resemble a misspelt one, as Python's `difflib.get_close_matches` finds them. */

const CUTOFF = 0.6;
const MOST = 3;

/**
 * At most three of `possibilities` that resemble `word` well enough, the best first.
 *
 * @param {string} word
 * @param {string[]} possibilities
 */
export function closeMatches(word, possibilities) {
  const letters = Array.from(word);
  return possibilities
    .map((text) => ({ text, score: similarity(Array.from(text), letters) }))
    .filter(({ score }) => score >= CUTOFF)
    .sort((one, other) => other.score - one.score || (one.text < other.text ? 1 : -1))
    .slice(0, MOST)
    .map(({ text }) => text);
}

/**
 * Twice the number of matching characters, divided by the number of all characters.
 *
 * @param {string[]} one
 * @param {string[]} other
 */
function similarity(one, other) {
  const all = one.length + other.length;
  const most = (2 * Math.min(one.length, other.length)) / all;
  return most < CUTOFF ? most : (2 * matching(one, other)) / all;
}

/**
 * The characters in the longest piece that both hold, and in those before and after it.
 *
 * @param {string[]} one
 * @param {string[]} other
 * @returns {number}
 */
function matching(one, other) {
  const { start, at, size } = longest(one, other);
  if (!size) {
    return 0;
  }
  const before = matching(one.slice(0, start), other.slice(0, at));
  return size + before + matching(one.slice(start + size), other.slice(at + size));
}

/**
 * The longest piece that both hold; of several the first in `one`, then in `other`.
 *
 * @param {string[]} one
 * @param {string[]} other
 */
function longest(one, other) {
  let best = { start: 0, at: 0, size: 0 };
  let ends = new Map();
  one.forEach((char, place) => {
    const next = new Map();
    other.forEach((same, at) => {
      if (char === same) {
        const size = (ends.get(at - 1) ?? 0) + 1;
        next.set(at, size);
        if (size > best.size) {
          best = { start: place - size + 1, at: at - size + 1, size };
        }
      }
    });
    ends = next;
  });
  return best;
}
