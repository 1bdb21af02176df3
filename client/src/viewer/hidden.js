/**
 * What a file tells besides what one sees: place, author, device, dates.
 *
 * Everything here was written by a stranger, or by a stranger's device: it is a claim, cut short, and text.
 */

import ExifReader from "exifreader";

import { mediaFacts } from "./media_facts.js";
import { oneLine } from "./text.js";

/** @typedef {{ group: string, label: string, value: string }} Fact */

const MOST_FACTS = 200;
const LONGEST = 300; // characters of a value
const LONGEST_LABEL = 60; // characters
const MAX_UNPACKED = 1024 * 1024; // bytes of a compressed text
export const GROUPS = ["Place", "Author", "Device", "Dates", "More"];
/** Which names tell of what; the first that fits counts. */
const TELLING = /** @type {[string, RegExp][]} */ ([
  ["Place", /gps|latitude|longitude|altitude|location|city|country|province|state|xyz/i],
  ["Author", /artist|author|creator$|by-?line|owner|copyright|credit|rights|contact|writer|editor|company|manager|performer|©art/i],
  ["Device", /make|model|software|serial|lens|producer|creatortool|camera|uniqueid|documentid|instanceid|host|encoder|device|©mak|©mod|©swr|^creator$/i],
  ["Dates", /date|time|year|offset|©day/i],
]);
/** Parts that tell how pixels are stored, not what a person would hide. */
const DULL = ["file", "jfif", "png", "pngFile", "icc", "riff", "gif", "composite", "metadataRange"];
const LARGE = /maker ?note|thumbnail|padding|^_raw$|printim|tiff.?ep|applicationnotes|interoperability/i;
const SAID = /pointer$|^GPSL(?:at|ong)itude|^PDFFormatVersion$/i; // where other parts are, or what is shown already

/**
 * What a picture hides.  A damaged file tells what can be read of it.
 *
 * @param {ArrayBuffer} bytes
 * @returns {Promise<Fact[]>}
 */
export async function pictureFacts(bytes) {
  const groups = await readTags(bytes).catch(() => ({}));
  /** @type {Fact[]} */
  const facts = [];
  const { gps, ...others } = /** @type {Record<string, Record<string, any>>} */ (groups);
  if (gps?.Latitude !== undefined && gps.Longitude !== undefined) {
    facts.push({ group: "Place", label: "Latitude, longitude", value: `${degrees(gps.Latitude)}, ${degrees(gps.Longitude)}` });
  }
  for (const [part, tags] of Object.entries(others)) {
    if (part === "Thumbnail" && tags) {
      facts.push({ group: "More", label: "Preview", value: "holds a smaller picture, which may show what was cut away" });
    } else if (tags && !DULL.includes(part)) {
      facts.push(...factsOf(Object.entries(tags).map(([name, tag]) => [name, tag?.description ?? tag?.value])));
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
 * @returns {Fact[]}
 */
export function pdfFacts({ info, xmp, files, hasScripts }) {
  const { Custom, ...plain } = info;
  const entries = [...Object.entries(plain), ...Object.entries(Object(Custom))];
  const facts = factsOf(entries.filter(([, value]) => typeof value === "string").map(([name, value]) => [name, dated(value)]));
  facts.push(...files.map((name) => ({ group: "More", label: "File inside, not shown", value: oneLine(name, LONGEST) })));
  if (hasScripts) {
    facts.push({ group: "More", label: "Scripts", value: "holds scripts, which do not run here" });
  }
  if (xmp) {
    facts.push({ group: "More", label: "XMP", value: oneLine(xmp.replace(/<[^>]*>/g, " "), LONGEST) });
  }
  return distinct(facts);
}

/**
 * What a recording hides.
 *
 * @param {Uint8Array} bytes
 * @returns {Fact[]}
 */
export function recordingFacts(bytes) {
  return distinct(factsOf(mediaFacts(bytes)));
}

/**
 * @param {[string, unknown][]} entries
 * @returns {Fact[]}
 */
function factsOf(entries) {
  return entries
    .filter(([name, value]) => !LARGE.test(name) && !SAID.test(name) && value !== undefined && value !== null && value !== "")
    .slice(0, MOST_FACTS)
    .map(([name, value]) => ({
      group: TELLING.find(([, telling]) => telling.test(name))?.[0] ?? "More",
      label: oneLine(name, LONGEST_LABEL),
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
