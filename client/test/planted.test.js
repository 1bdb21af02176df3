/** No part of a picture keeps room for bytes that do not show: whatever is planted there is gone, or all is refused. */

import assert from "node:assert/strict";
import test from "node:test";
import { deflateRawSync, deflateSync, inflateSync } from "node:zlib";

import { clean } from "../src/pictures/metadata.js";
import { PLAIN } from "./odd_pictures.js";
import { chunk, partsOf, profile, rowsOf, segment } from "./pictures.js";

const TRIAL = process.env.WHISTLE_TRIAL === "1";
const LEAST = 5; // bytes in a row that are not there by chance
const SECRET = Buffer.from("N52.5200E13.4050-SN12345-Jane Roe", "latin1");

/** @param {string} name */
const plain = (name) => /** @type {Buffer} */ (PLAIN.get(name));

/** @param {Uint8Array} bytes */
const bytesOf = async (bytes) => Buffer.from(await (await clean(new Blob([/** @type {any} */ (bytes)]), true)).arrayBuffer());

/**
 * Whether a cleaned picture holds a piece of what was planted, packed or not.
 *
 * @param {Buffer} found
 * @param {Buffer} planted
 */
function holds(found, planted) {
  const places = [found];
  if (found[0] === 0x89) {
    const told = rowsOf(found);
    places.push(...told.values());
  }
  const pieces = Array.from({ length: planted.length - LEAST + 1 }, (_, at) => planted.subarray(at, at + LEAST));
  return places.some((place) => pieces.some((piece) => place.includes(piece)));
}

/**
 * Gone, or refused; whether it was cleaned.
 *
 * @param {Uint8Array} bytes
 * @param {Buffer} [planted]
 */
async function isGone(bytes, planted = SECRET) {
  assert.ok(Buffer.from(bytes).includes(planted) || holds(Buffer.from(bytes), planted), "nothing was planted");
  try {
    const found = await bytesOf(bytes);
    assert.ok(!holds(found, planted), found.toString("latin1"));
    return true;
  } catch (error) {
    assert.equal(/** @type {any} */ (error).kind, "unclean", String(error));
    return false;
  }
}

/**
 * Parts in place of those from one place to another.
 *
 * @param {Buffer} whole
 * @param {number} from
 * @param {number} to
 * @param {...Uint8Array} parts
 */
const put = (whole, from, to, ...parts) => Buffer.concat([whole.subarray(0, from), ...parts, whole.subarray(to)]);

const JPEGS = [...PLAIN].filter(([name]) => name.endsWith(".jpg"));
const PNGS = [...PLAIN].filter(([name]) => name.endsWith(".png"));

for (const [name, whole] of JPEGS) {
  test(`${name}: a segment of any kind, anywhere`, async () => {
    let cleaned = 0;
    for (let marker = 0xc0; marker < 0xff; marker++) {
      // at each place in its turn, and the next kind at the next; a trial has every kind at each
      for (const { start } of partsOf(whole).filter((_, place) => TRIAL || place % 4 === marker % 4)) {
        cleaned += Number(await isGone(put(whole, start, start, segment(marker, SECRET))));
      }
    }
    assert.ok(cleaned > 0);
  });

  test(`${name}: behind the content of each segment, and behind each scan`, async () => {
    for (const { marker, content, start, end, data } of partsOf(whole)) {
      const scan = Buffer.from(data, "hex");
      await isGone(put(whole, start, end, segment(marker, content, SECRET), scan));
      await isGone(put(whole, end, end, SECRET));
    }
  });

  test(`${name}: application segments of known names, longer than they are`, async () => {
    for (const known of ["JFIF\0", "JFXX\0", "Exif\0\0", "Adobe", "ICC_PROFILE\0\x01\x01", "ICC_PROFILE\0\x01\x02", "MPF\0"]) {
      for (let marker = 0xe0; marker <= 0xef; marker++) {
        await isGone(put(whole, 2, 2, segment(marker, Buffer.from(known), SECRET, profile("P3"))));
      }
    }
  });
}

test("tables that no scan needs, and tables that are replaced", async () => {
  const whole = plain("baseline.jpg");
  const values = Buffer.concat([SECRET, SECRET]).subarray(0, 64);
  const symbols = Buffer.concat([Buffer.from([0x10 | 3]), Buffer.from([0, 0, 0, 0, 0, 0, 0, SECRET.length, ...Array(8).fill(0)]), SECRET]);
  for (const { start } of partsOf(whole)) {
    assert.ok(await isGone(put(whole, start, start, segment(0xdb, Buffer.from([3]), values)), values));
    assert.ok(await isGone(put(whole, start, start, segment(0xc4, symbols))));
  }
  const [{ start: first }] = partsOf(whole).filter(({ marker }) => marker === 0xdb);
  assert.ok(await isGone(put(whole, first, first, segment(0xdb, Buffer.from([0]), values)), values));
});

test("values and symbols of a table that the picture does not need", async () => {
  const whole = plain("grey.jpg");
  const parts = partsOf(whole);
  const ac = parts.filter(({ marker, content }) => marker === 0xc4 && content[0] === 0x10)[0];
  const planted = SECRET.subarray(0, 8); // in place of the last symbols, which so small a picture lacks
  assert.ok(await isGone(put(whole, ac.end - planted.length, ac.end, planted), planted));
  const flat = Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xdb, Buffer.from([0]), Buffer.from([1]), Buffer.concat([SECRET, SECRET]).subarray(0, 63)),
    segment(0xc0, Buffer.from([8, 0, 8, 0, 8, 1, 1, 0x11, 0])),
    ...[0, 0x10].map((kind) => segment(0xc4, Buffer.from([kind, 1, ...Array(15).fill(0), 0]))),
    segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
    Buffer.from([0x3f, 0xff, 0xd9]),
  ]);
  assert.ok(await isGone(flat));
});

test("restarts that never come", async () => {
  for (const name of ["baseline.jpg", "progressive.jpg"]) {
    const whole = plain(name);
    const scans = partsOf(whole).filter(({ marker }) => marker === 0xda).reverse();
    const planted = scans.reduce((found, { start }) => put(found, start, start, segment(0xdd, Buffer.from("Jn"))), whole);
    assert.ok(planted.includes("Jn"));
    assert.deepEqual(await bytesOf(planted), await bytesOf(whole));
  }
});

test("the bits that fill the last bytes between restarts", async () => {
  const flat = (/** @type {Buffer} */ data) =>
    Buffer.concat([
      Buffer.from([0xff, 0xd8]),
      segment(0xdb, Buffer.from([0]), Buffer.alloc(64, 1)),
      segment(0xc0, Buffer.from([8, 0, 8, 0, 8 * 8, 1, 1, 0x11, 0])),
      ...[0, 0x10].map((kind) => segment(0xc4, Buffer.from([kind, 1, ...Array(15).fill(0), 0]))),
      segment(0xdd, Buffer.from([0, 1])),
      segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
      ...Array.from({ length: 8 }, (_, at) => Buffer.from([data[at], 0xff, 0xd0 + at])).map((part, at) => (at < 7 ? part : part.subarray(0, 1))),
      Buffer.from([0xff, 0xd9]),
    ]);
  for (const fill of [0, 0x3f]) {
    assert.ok((await bytesOf(flat(Buffer.alloc(8, fill)))).length);
  }
  await assert.rejects(bytesOf(flat(Buffer.from("12345678"))), { kind: "unclean" });
});

for (const [name, whole] of PNGS) {
  const before = [8 + 25, whole.indexOf("IDAT") - 4, whole.length - 12, whole.length];

  test(`${name}: a chunk of any kind, anywhere`, async () => {
    const names = ["tEXt", "zTXt", "iTXt", "eXIf", "tIME", "pHYs", "iCCP", "gAMA", "cHRM", "sRGB", "sBIT", "bKGD", "hIST"];
    names.push("sPLT", "PLTE", "tRNS", "acTL", "fcTL", "fdAT", "cICP", "mDCV", "cLLI", "IDAT", "IEND", "IHDR", "prVt", "PRVT");
    let cleaned = 0;
    for (const each of names) {
      for (const at of before) {
        cleaned += Number(await isGone(put(whole, at, at, chunk(each, SECRET))));
        await isGone(put(whole, at, at, chunk(each, Buffer.concat([Buffer.from("x\0\0"), deflateSync(SECRET, { level: 0 })]))));
      }
    }
    assert.ok(cleaned > 20, String(cleaned));
  });

  test(`${name}: behind the content of each chunk, and behind the data`, async () => {
    for (let at = 8; at < whole.length; at += 12 + whole.readUInt32BE(at)) {
      const [length, kind] = [whole.readUInt32BE(at), whole.toString("latin1", at + 4, at + 8)];
      await isGone(put(whole, at, at + 12 + length, chunk(kind, Buffer.concat([whole.subarray(at + 8, at + 8 + length), SECRET]))));
    }
    await isGone(Buffer.concat([whole, SECRET]));
  });

  test(`${name}: between the blocks of the packed data, and behind its rows`, async () => {
    const at = whole.indexOf("IDAT") - 4;
    const rows = inflateSync(whole.subarray(at + 8, at + 8 + whole.readUInt32BE(at)));
    const anew = (/** @type {Buffer} */ packed) => put(whole, at, whole.length - 12, chunk("IDAT", packed));
    assert.ok(await isGone(anew(deflateSync(Buffer.concat([rows, SECRET]), { level: 0 }))));
    const raw = deflateRawSync(rows);
    // an empty block of fixed codes, then the bytes of a stored block's start: what it pads with is never read
    const padded = Buffer.concat([Buffer.from([0x78, 0x01]), ...[...SECRET].map((byte) => Buffer.from([byte & 0xf8, 0, 0, 0xff, 0xff])), raw]);
    const packed = Buffer.concat([padded, deflateSync(rows).subarray(-4)]);
    const found = await bytesOf(anew(packed));
    assert.deepEqual(rowsOf(found).get("IDAT"), rowsOf(await bytesOf(whole)).get("IDAT"));
    assert.ok(found.length <= deflateSync(rows).length + 700);
  });
}

test("colours of a palette that no pixel has, and the bits behind the last pixel of a row", async () => {
  const whole = plain("palette.png");
  const at = whole.indexOf("PLTE") - 4;
  const length = whole.readUInt32BE(at);
  const content = whole.subarray(at + 8, at + 8 + length);
  assert.ok(await isGone(put(whole, at, at + 12 + length, chunk("PLTE", Buffer.concat([content, SECRET])))));

  const header = Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, SECRET.length, 1, 0, 0, 0, 0])]);
  const rows = Buffer.concat([...SECRET].map((byte) => Buffer.from([0, byte])));
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  const found = await bytesOf(Buffer.concat([whole.subarray(0, 8), ...parts]));
  assert.deepEqual(rowsOf(found).get("IDAT"), Buffer.concat([...SECRET].map((byte) => Buffer.from([0, byte & 0x80]))));
});
