/**
 * Characters of a text that nobody sees, by fixed ranges (SPEC 4.11).
 *
 * No property of Unicode decides, since that changes with a table's age, and both implementations must agree.
 */

// What is left out before anything is looked for in a text: joiners, marks of direction, fillers, tags and the like.
const UNSEEN =
  "\\u00ad\\u034f\\u061c\\u115f-\\u1160\\u17b4-\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f" +
  "\\u2800\\u2d7f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffc\\u{13430}-\\u{13442}\\u{16fe4}" +
  "\\u{1bca0}-\\u{1bca3}\\u{1d159}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}";
// Controls, spaces and line ends.
const SPACE = "\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028-\\u2029\\u202f\\u205f\\u3000";
const UNSEENS = new RegExp(`[${UNSEEN}]+`, "gu");
const BLANKS = new RegExp(`[${UNSEEN}${SPACE}]+`, "gu");

/**
 * The text without what nobody sees; spaces stay.
 *
 * @param {string} text
 */
export function without(text) {
  return text.replace(UNSEENS, "");
}

/**
 * The text without what nobody sees, and without controls, spaces and line ends.
 *
 * @param {string} text
 */
export function solid(text) {
  return text.replace(BLANKS, "");
}

/**
 * Whether a text shows nothing.
 *
 * @param {string} text
 */
export function isBlank(text) {
  return !solid(text);
}

/**
 * How a text may be read: without what nobody sees, and with spaces in its place where there is any.
 *
 * @param {string} text
 */
export function readings(text) {
  const shown = without(text);
  return shown === text ? [shown] : [shown, text.replace(UNSEENS, " ")];
}
