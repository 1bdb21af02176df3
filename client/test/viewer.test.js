/** What the viewer makes of strangers' files, as far as it needs no browser. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { inflateSync } from "node:zlib";

import { pdfFacts, pictureFacts, recordingFacts } from "../src/viewer/hidden.js";
import { isMisnamed, kindOf } from "../src/viewer/kinds.js";
import { sizeOf } from "../src/viewer/picture_size.js";
import { pngOf } from "../src/viewer/png_file.js";
import { Text, encodingOf, oneLine } from "../src/viewer/text.js";
import { Words } from "../src/viewer/words.js";

const words = new Words({ language: "en", direction: "ltr", texts: {} }); // says keys
const bytesOf = (/** @type {string} */ text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const picture = (/** @type {string} */ name) => new Uint8Array(readFileSync(new URL(`pictures/${name}`, import.meta.url)));

/** @type {[string, string, string][]} */
const KINDS = [
  ["\xff\xd8\xff\xe0", "picture", "image/jpeg"],
  ["\x89PNG\r\n\x1a\n", "picture", "image/png"],
  ["RIFF\0\0\0\0WEBPVP8 ", "picture", "image/webp"],
  ["\0\0\0\x18ftypavif", "picture", "image/avif"],
  ["\0\0\0\x18ftypheic", "picture", "image/heic"],
  ["\0\0\0\x18ftypqt  ", "media", "video/mp4"],
  ["\0\0\0\x18ftypisom", "media", "video/mp4"],
  ["RIFF\0\0\0\0WAVEfmt ", "media", "audio/wav"],
  ["ID3\x04", "media", "audio/mpeg"],
  ["\n%PDF-1.4", "pdf", "application/pdf"],
  ["GIF89a/*%PDF-1.4", "picture", "image/gif"],
  ["<svg><script>1</script>", "text", "text/plain"],
  ["#EXTM3U\nhttp://x/", "text", "text/plain"],
  ["\xff\xfea\0b\0", "text", "text/plain"],
  ["", "text", "text/plain"],
  ["MZ\x90\0", "other", ""],
  ["PK\x03\x04", "other", ""],
  ["\0\x01\x02\x03\x04\x05\x06\x07", "other", ""],
];

test("a file is what it begins like", () => {
  for (const [start, way, type] of KINDS) {
    const kind = kindOf(bytesOf(start));
    assert.deepEqual([kind.way, kind.type], [way, type], JSON.stringify(start));
  }
});

test("a name that says something else is told", () => {
  const kind = kindOf(bytesOf("%PDF-1.4"));
  assert.deepEqual(["a.jpg", "a.pdf", "a.PDF", "a"].map((name) => isMisnamed(kind, name)), [true, false, false, false]);
});

test("sizes are read from the headers", () => {
  assert.deepEqual(sizeOf(picture("baseline.jpg"), "image/jpeg"), sizeOf(picture("progressive.jpg"), "image/jpeg"));
  assert.ok(Number(sizeOf(picture("baseline.jpg"), "image/jpeg")?.width) > 1);
  assert.ok(Number(sizeOf(picture("true.png"), "image/png")?.width) > 1);
  assert.equal(sizeOf(bytesOf("\x89PNG"), "image/png"), null);
  const two = bytesOf("\xff\xd8\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0\xff\xc2\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\0\0");
  assert.deepEqual(sizeOf(two, "image/jpeg"), { width: 65_535, height: 65_535 });
});

test("encodings are told by their marks, UTF-8 by its form", () => {
  assert.equal(encodingOf(bytesOf("\xff\xfea\0")), "utf-16le");
  assert.equal(encodingOf(bytesOf("\xfe\xff\0a")), "utf-16be");
  assert.equal(encodingOf(new TextEncoder().encode("سلام")), "utf-8");
  assert.equal(encodingOf(bytesOf("caf\xe9")), "windows-1252");
});

test("what cannot be seen in a text is counted, and named where it is one line", () => {
  assert.equal(new Text(new TextEncoder().encode("a\u202eb\u200bc\x07\td\u200d\n\u2066"), "utf-8").unseen, 4);
  assert.equal(oneLine("a\u202e b\n\nc\u0000", 50), "a[U+202E] b c[U+0000]");
  assert.equal(oneLine("x".repeat(100_000), 10), `${"x".repeat(10)}…`);
});

test("a picture of a clean copy holds pixels and nothing else, on white", async () => {
  const data = Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 0, 250, 251, 252, 255).buffer;
  const file = new Uint8Array(await /** @type {Blob} */ (await pngOf({ width: 2, height: 2, data })).arrayBuffer());
  const names = [];
  let rows = new Uint8Array();
  for (let at = 8; at < file.length; ) {
    const size = new DataView(file.buffer).getUint32(at);
    names.push(String.fromCharCode(...file.subarray(at + 4, at + 8)));
    rows = names.at(-1) === "IDAT" ? new Uint8Array(inflateSync(file.subarray(at + 8, at + 8 + size))) : rows;
    at += size + 12;
  }
  assert.deepEqual(names, ["IHDR", "IDAT", "IEND"]);
  assert.deepEqual([...rows], [1, 1, 2, 3, 3, 3, 3, 1, 255, 255, 255, 251, 252, 253]);
});

test("what is not pixels makes no picture", async () => {
  const data = new ArrayBuffer(16);
  const wrong = [
    null, "x", {}, { width: 2, height: 2 }, { width: 2, height: 3, data }, { width: 1.5, height: 2, data },
    { width: -2, height: -2, data }, { width: 2, height: 2, data: new Uint8Array(16) }, { width: 1e9, height: 1e9, data },
  ];
  assert.deepEqual(await Promise.all(wrong.map(pngOf)), wrong.map(() => null));
});

const box = (/** @type {string} */ name, /** @type {string} */ content) =>
  `${String.fromCharCode(0, 0, (content.length + 8) >> 8, (content.length + 8) & 255)}${name}${content}`;

test("a recording tells its place, device and date", () => {
  const dates = "\0\0\0\0\xe0\0\0\0\xe0\0\0\x10";
  const place = box("\xa9xyz", "\0\x12\x15\xc7+52.52+013.40/");
  const facts = recordingFacts(bytesOf(box("ftyp", "isom") + box("moov", box("mvhd", dates) + box("udta", place))), words);
  assert.deepEqual(facts.map(({ group }) => group), ["viewer.group_dates", "viewer.group_dates", "viewer.group_place"]);
  assert.equal(facts[2].value, "+52.52+013.40/");
  assert.match(facts[0].value, /^20\d\d-/);
  const id3 = `ID3\x03\0\0\0\0\0\x30TPE1\0\0\0\x09\0\0\0Jane RoeTSSE\0\0\0\x07\0\0\0Tool 9`;
  assert.deepEqual(recordingFacts(bytesOf(id3), words).map(({ value }) => value), ["Jane Roe", "Tool 9"]);
});

test("a recording that is cut off, or points to itself, ends the reading", () => {
  const whole = bytesOf(box("ftyp", "isom") + box("moov", box("udta", box("\xa9xyz", "\0\x04\0\0here"))));
  for (let size = 0; size < whole.length; size++) {
    assert.ok(recordingFacts(whole.subarray(0, size), words).length <= 1);
  }
  assert.deepEqual(recordingFacts(bytesOf(`${box("ftyp", "isom")}\0\0\0\0moov\0\0\0\0udta`), words), []);
});

test("a picture tells what is in it, cut short, and a damaged one what can be read", async () => {
  const text = (/** @type {string} */ name, /** @type {string} */ value) => {
    const content = new TextEncoder().encode(`tEXt${name}\0${value}`);
    return String.fromCharCode(0, 0, (content.length - 4) >> 8, (content.length - 4) & 255, ...content, 0, 0, 0, 0);
  };
  const whole = picture("true.png");
  const head = String.fromCharCode(...whole.subarray(0, 33));
  const rest = String.fromCharCode(...whole.subarray(33));
  const bytes = bytesOf(head + text("Author", "Jane\u202e Roe") + text("Comment", "x".repeat(9000)) + rest);
  const facts = await pictureFacts(bytes.buffer, words);
  assert.equal(facts.find(({ label }) => label === "viewer.tag_author")?.group, "viewer.group_author");
  assert.ok(facts.every(({ value }) => value.length <= 301 && !value.includes("\u202e")));
  for (let size = 0; size < 200; size += 7) {
    assert.ok(Array.isArray(await pictureFacts(bytes.slice(0, size).buffer, words)));
  }
});

test("a PDF tells its author, dates and what is inside", () => {
  const info = { Author: "Jane Roe", CreationDate: "D:20260102030405+01'00'", IsXFAPresent: false, Custom: { Note: "a\u202eb" } };
  const facts = pdfFacts({ info, xmp: "<x>Tool\n9</x>", files: ["a.exe"], hasScripts: true }, words);
  assert.deepEqual(facts.map(({ label, value }) => `${label}: ${value}`), [
    "viewer.tag_author: Jane Roe", "viewer.tag_creationdate: 2026-01-02 03:04:05 +0100", "viewer.tag_note: a[U+202E]b",
    "viewer.fact_file: a.exe", "viewer.fact_scripts: viewer.fact_scripts_held", "XMP: Tool 9",
  ]);
});

test("a sentence is filled in, in the form of its number in that language", () => {
  const texts = { few: { one: "{n} страница", few: "{n} страницы", many: "{n} страниц", other: "{n} страницы" }, of: "{b}/{a}" };
  const russian = new Words({ language: "ru", direction: "ltr", texts });
  assert.deepEqual([1, 3, 11].map((n) => russian.say("few", {}, n)), ["1 страница", "3 страницы", "11 страниц"]);
  assert.equal(russian.say("of", { a: "{b}", b: 2 }), "2/{b}");
});
