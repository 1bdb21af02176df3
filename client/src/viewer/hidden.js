/**
 * What a file tells besides what one sees: place, author, device, dates.
 *
 * Everything here was written by a stranger, or by a stranger's device: it is a claim, cut short, and text.
 */

import ExifReader from "exifreader";

import { mediaFacts } from "./media_facts.js";
import { oneLine } from "./text.js";

/** @import { Words } from "./words.js" */

/** @typedef {{ group: string, label: string, value: string }} Fact */

const MOST_FACTS = 200;
const LONGEST = 300; // characters of a value
const LONGEST_LABEL = 60; // characters
const MAX_UNPACKED = 1024 * 1024; // bytes of a compressed text
const PLACE = "viewer.group_place";
const AUTHOR = "viewer.group_author";
const DEVICE = "viewer.group_device";
const DATES = "viewer.group_dates";
const MORE = "viewer.group_more";
export const GROUPS = [PLACE, AUTHOR, DEVICE, DATES, MORE];
/** Which names tell of what; the first that fits counts. */
const TELLING = /** @type {[string, RegExp][]} */ ([
  [PLACE, /gps|latitude|longitude|altitude|location|city|country|province|state|xyz/i],
  [AUTHOR, /artist|author|creator$|by-?line|owner|copyright|credit|rights|contact|writer|editor|company|manager|performer|©art/i],
  [DEVICE, /make|model|software|serial|lens|producer|creatortool|camera|uniqueid|documentid|instanceid|host|encoder|device|©mak|©mod|©swr|^creator$/i],
  [DATES, /date|time|year|offset|©day/i],
]);
/** Names of a few that have one in every language; others stay as they are. */
const TAGS = new Map([
  ["Title", "viewer.tag_title"],
  ["Performer", "viewer.tag_performer"],
  ["Author", "viewer.tag_author"],
  ["Artist", "viewer.tag_artist"],
  ["Copyright", "viewer.tag_copyright"],
  ["Encoder", "viewer.tag_encoder"],
  ["Software", "viewer.tag_software"],
  ["Make", "viewer.tag_make"],
  ["Model", "viewer.tag_model"],
  ["Date", "viewer.tag_date"],
  ["Year", "viewer.tag_year"],
  ["Date tagged", "viewer.tag_date_tagged"],
  ["CreationDate", "viewer.tag_creationdate"],
  ["ModDate", "viewer.tag_moddate"],
  ["Date of recording", "viewer.tag_date_of_recording"],
  ["Date of change", "viewer.tag_date_of_change"],
  ["Comment", "viewer.tag_comment"],
  ["Owner", "viewer.tag_owner"],
  ["Note", "viewer.tag_note"],
]);
/** Parts that tell how pixels are stored, not what a person would hide. */
const DULL = ["file", "jfif", "png", "pngFile", "icc", "riff", "gif", "composite", "metadataRange"];
const LARGE = /maker ?note|thumbnail|padding|^_raw$|printim|tiff.?ep|applicationnotes|interoperability/i;
const SAID = /pointer$|^GPSL(?:at|ong)itude|^PDFFormatVersion$/i; // where other parts are, or what is shown already

/**
 * What a picture hides.  A damaged file tells what can be read of it.
 *
 * @param {ArrayBuffer} bytes
 * @param {Words} words
 * @returns {Promise<Fact[]>}
 */
export async function pictureFacts(bytes, words) {
  const groups = await readTags(bytes).catch(() => ({}));
  /** @type {Fact[]} */
  const facts = [];
  const { gps, ...others } = /** @type {Record<string, Record<string, any>>} */ (groups);
  if (gps?.Latitude !== undefined && gps.Longitude !== undefined) {
    facts.push({ group: PLACE, label: words.say("viewer.fact_position"), value: `${degrees(gps.Latitude)}, ${degrees(gps.Longitude)}` });
  }
  for (const [part, tags] of Object.entries(others)) {
    if (part === "Thumbnail" && tags) {
      facts.push({ group: MORE, label: words.say("viewer.fact_preview"), value: words.say("viewer.fact_preview_kept") });
    } else if (tags && !DULL.includes(part)) {
      const entries = Object.entries(tags).map(([name, tag]) => /** @type {[string, unknown]} */ ([name, tag?.description ?? tag?.value]));
      facts.push(...factsOf(entries, words));
    }
  }
  return distinct(facts);
}

/** @param {ArrayBuffer} bytes */
async function readTags(bytes) {
  const decompress = { maxDecompressedSize: MAX_UNPACKED };
  return ExifReader.load(bytes, { async: true, expanded: true, decompress });
}

/**
 * What a PDF hides.
 *
 * @param {{ info: Record<string, unknown>, xmp: string, files: string[], hasScripts: boolean }} about
 * @param {Words} words
 * @returns {Fact[]}
 */
export function pdfFacts({ info, xmp, files, hasScripts }, words) {
  const { Custom, ...plain } = info;
  const entries = [...Object.entries(plain), ...Object.entries(Object(Custom))];
  const texts = entries.filter(([, value]) => typeof value === "string");
  const facts = factsOf(texts.map(([name, value]) => [name, dated(value)]), words);
  facts.push(...files.map((name) => ({ group: MORE, label: words.say("viewer.fact_file"), value: oneLine(name, LONGEST) })));
  if (hasScripts) {
    facts.push({ group: MORE, label: words.say("viewer.fact_scripts"), value: words.say("viewer.fact_scripts_held") });
  }
  if (xmp) {
    facts.push({ group: MORE, label: "XMP", value: oneLine(xmp.replace(/<[^>]*>/g, " "), LONGEST) });
  }
  return distinct(facts);
}

/**
 * What a recording hides.
 *
 * @param {Uint8Array} bytes
 * @param {Words} words
 * @returns {Fact[]}
 */
export function recordingFacts(bytes, words) {
  return distinct(factsOf(mediaFacts(bytes), words));
}

/**
 * @param {[string, unknown][]} entries
 * @param {Words} words
 * @returns {Fact[]}
 */
function factsOf(entries, words) {
  return entries
    .filter(([name, value]) => !LARGE.test(name) && !SAID.test(name) && value !== undefined && value !== null && value !== "")
    .slice(0, MOST_FACTS)
    .map(([name, value]) => ({
      group: TELLING.find(([, telling]) => telling.test(name))?.[0] ?? MORE,
      label: TAGS.has(name) ? words.say(String(TAGS.get(name))) : oneLine(name, LONGEST_LABEL),
      value: oneLine(value, LONGEST),
    }));
}

/** @param {Fact[]} facts */
function distinct(facts) {
  const seen = new Map(facts.filter(({ value }) => value).map((fact) => [`${fact.label}\n${fact.value}`, fact]));
  return [...seen.values()].slice(0, MOST_FACTS);
}

/** @param {unknown} value */
function degrees(value) {
  return Number(value).toFixed(6);
}

/**
 * A date of a PDF, `D:20261130120000+01'00'`, as people write it.
 *
 * @param {unknown} value
 */
function dated(value) {
  const found = /^D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(.{0,7})/.exec(String(value));
  if (!found) {
    return value;
  }
  const [, year, month = "01", day = "01", hour = "00", minute = "00", second = "00", zone] = found;
  return `${year}-${month}-${day} ${hour}:${minute}:${second} ${zone.replaceAll("'", "")}`;
}
