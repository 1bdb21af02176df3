/**
 * A stranger's name for a file, made one that does no harm wherever the file is saved (SPEC 6.5).
 *
 * No name leaves its folder, none is special to Windows, macOS or a shell, and none acts by being looked at there.  No
 * table of Unicode's decides, since it would drop what is newer than itself.
 */

import { utf8ToBytes } from "@noble/hashes/utils.js";

import { without } from "./invisible_text.js";

const LONGEST = 200; // bytes of a name in UTF-8
const LONGEST_ENDING = 20; // bytes
const NAMELESS = "attachment";
const FORBIDDEN = /[<>:"|?*]/g;
// Controls, line ends, lone surrogates, private characters and those that are none.
const SENSELESS =
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\u{f0000}-\u{10ffff}]/gu;
const SPACES = /[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+/g;
const DEVICES = /^(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9])$/;
const READ_BY_ITSELF = ["desktop.ini", "autorun.inf", "folder.htt", "thumbs.db", "ntuser.dat"]; // by Windows
// Links, searches and themes: Windows, and some desktops on Linux, follow them to show their icon.
const FOLLOWED = (
  "lnk url scf pif website library-ms search-ms searchconnector-ms appref-ms settingcontent-ms theme themepack " +
  "deskthemepack contact desktop directory inetloc fileloc webloc"
).split(" ");

/**
 * A name that every system takes as that of a plain file in the folder at hand.
 *
 * @param {string} name
 */
export function safeName(name) {
  const last = /** @type {string} */ (name.split(/[/\\]/).at(-1));
  const seen = without(last).replace(SENSELESS, "").normalize("NFC");
  const clean = seen.replace(SPACES, " ").replace(FORBIDDEN, "_").replace(/[ .]+$/, "");
  let [stem, ending] = parted(last, clean);
  if (FOLLOWED.includes(folded(ending.slice(1)))) {
    ending += "_";
  }
  const room = LONGEST - utf8ToBytes(ending).length;
  stem = cut(stem.replace(/^[ .]+|[ .]+$/g, ""), room).replace(/[ .]+$/, "") || NAMELESS;
  return (isSpecial(stem, stem + ending) ? `_${cut(stem, room - 1)}` : stem) + ending;
}

/**
 * A name without its ending, and the ending with its dot; of one that a dot hides, all is the name.
 *
 * @param {string} last as it was given
 * @param {string} clean
 */
function parted(last, clean) {
  const dot = clean.lastIndexOf(".");
  const bare = (/** @type {string} */ text) => text.replace(/^[ .]+/, "");
  const isHidden = !bare(clean.slice(0, Math.max(dot, 0))) && bare(last).startsWith(bare(clean));
  const isShort = dot >= 0 && utf8ToBytes(clean.slice(dot + 1)).length <= LONGEST_ENDING;
  return isShort && !isHidden ? [clean.slice(0, dot), clean.slice(dot)] : [clean, ""];
}

/**
 * @param {string} stem
 * @param {string} whole
 */
function isSpecial(stem, whole) {
  const first = folded(stem).split(".")[0].trim();
  return DEVICES.test(first) || /^[-~]/.test(stem) || READ_BY_ITSELF.includes(folded(whole));
}

/** @param {string} text */
function folded(text) {
  return text.normalize("NFKC").toLowerCase();
}

/**
 * As many whole characters as fit.
 *
 * @param {string} text
 * @param {number} size bytes
 */
function cut(text, size) {
  let left = size;
  const kept = Array.from(text).filter((char) => (left -= left < 0 ? 0 : utf8ToBytes(char).length) >= 0);
  return kept.join("");
}
