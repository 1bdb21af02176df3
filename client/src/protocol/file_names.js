/**
 * Makes an untrusted file name safe to save under on any system (SPEC 6.5).
 *
 * The name cannot leave its folder, is not special to Windows, macOS or a shell, and does not make a file browser run
 * or fetch anything.  Unicode tables are not consulted, since they would drop characters newer than themselves.
 */

import { utf8ToBytes } from "@noble/hashes/utils.js";

import { stripInvisible } from "./invisible_text.js";

const MAX_NAME = 200; // bytes in UTF-8
const MAX_EXTENSION = 20; // bytes
const NAMELESS = "attachment";
const FORBIDDEN = /[<>:"|?*]/g;
// Controls, line ends, lone surrogates, private-use characters and noncharacters.
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\u{f0000}-\u{10ffff}]/gu;
const SPACES = /[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+/g;
const DEVICES = /^(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9])$/;
const AUTOLOADED = ["desktop.ini", "autorun.inf", "folder.htt", "thumbs.db", "ntuser.dat"]; // by Windows
// Links, searches and themes, which Windows and some Linux desktops follow to show an icon.
const FOLLOWED = (
  "lnk url scf pif website library-ms search-ms searchconnector-ms appref-ms settingcontent-ms theme themepack " +
  "deskthemepack contact desktop directory inetloc fileloc webloc"
).split(" ");

/**
 * A name that every system treats as a plain file in the current folder.
 *
 * @param {string} name
 */
export function safeName(name) {
  const last = /** @type {string} */ (name.split(/[/\\]/).at(-1));
  const seen = stripInvisible(last).replace(UNPRINTABLE, "").normalize("NFC");
  const clean = seen.replace(SPACES, " ").replace(FORBIDDEN, "_").replace(/[ .]+$/, "");
  let [stem, extension] = splitExtension(last, clean);
  if (FOLLOWED.includes(folded(extension.slice(1)))) {
    extension += "_";
  }
  const room = MAX_NAME - utf8ToBytes(extension).length;
  stem = cut(stem.replace(/^[ .]+|[ .]+$/g, ""), room).replace(/[ .]+$/, "") || NAMELESS;
  return (isSpecial(stem, stem + extension) ? `_${cut(stem, room - 1)}` : stem) + extension;
}

/**
 * Split a name into stem and extension with its dot; a hidden file's name has no extension.
 *
 * @param {string} last as it was given
 * @param {string} clean
 */
function splitExtension(last, clean) {
  const dot = clean.lastIndexOf(".");
  const bare = (/** @type {string} */ text) => text.replace(/^[ .]+/, "");
  const isHidden = !bare(clean.slice(0, Math.max(dot, 0))) && bare(last).startsWith(bare(clean));
  const isShort = dot >= 0 && utf8ToBytes(clean.slice(dot + 1)).length <= MAX_EXTENSION;
  return isShort && !isHidden ? [clean.slice(0, dot), clean.slice(dot)] : [clean, ""];
}

/**
 * @param {string} stem
 * @param {string} whole
 */
function isSpecial(stem, whole) {
  const first = folded(stem).split(".")[0].trim();
  return DEVICES.test(first) || /^[-~]/.test(stem) || AUTOLOADED.includes(folded(whole));
}

/** @param {string} text */
function folded(text) {
  return text.normalize("NFKC").toLowerCase();
}

/**
 * The longest prefix of whole characters that fits.
 *
 * @param {string} text
 * @param {number} size bytes
 */
function cut(text, size) {
  let left = size;
  const kept = Array.from(text).filter((char) => (left -= left < 0 ? 0 : utf8ToBytes(char).length) >= 0);
  return kept.join("");
}
