/**
 * Invisible characters, by fixed ranges (SPEC 4.11).
 *
 * Unicode properties are not used, since they change with the version and both implementations must agree.
 */

// Removed before a text is searched: joiners, direction marks, fillers, tags and the like.
const INVISIBLE =
  "\\u00ad\\u034f\\u061c\\u115f-\\u1160\\u17b4-\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f" +
  "\\u2800\\u2d7f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffc\\u{13430}-\\u{13442}\\u{16fe4}" +
  "\\u{1bca0}-\\u{1bca3}\\u{1d159}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}";
// Controls, spaces and line ends.
const SPACE = "\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028-\\u2029\\u202f\\u205f\\u3000";
const INVISIBLE_RUNS = new RegExp(`[${INVISIBLE}]+`, "gu");
const BLANKS = new RegExp(`[${INVISIBLE}${SPACE}]+`, "gu");

/**
 * The text without invisible characters; spaces stay.
 *
 * @param {string} text
 */
export function stripInvisible(text) {
  return text.replace(INVISIBLE_RUNS, "");
}

/**
 * The text without invisible characters, controls, spaces and line ends.
 *
 * @param {string} text
 */
export function stripBlank(text) {
  return text.replace(BLANKS, "");
}

/**
 * Whether a text has no visible character.
 *
 * @param {string} text
 */
export function isBlank(text) {
  return !stripBlank(text);
}

/**
 * The possible readings of a text: without invisible characters, and, if it has any, with spaces in their place.
 *
 * @param {string} text
 */
export function readings(text) {
  const shown = stripInvisible(text);
  return shown === text ? [shown] : [shown, text.replace(INVISIBLE_RUNS, " ")];
}
