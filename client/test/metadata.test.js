/** Pictures lose what is hidden in them and nothing that shows; what cannot be read is refused, never passed on. */

import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";

import { clean } from "../src/pictures/metadata.js";
import { standardProfile } from "../src/pictures/colour_profiles.js";
import { Rows } from "../src/pictures/png_rows.js";
import { PLAIN, oddities, within } from "./odd_pictures.js";
import {
  SECRET,
  chunk,
  exif,
  jpeg,
  partsOf,
  plantedJpeg,
  plantedPng,
  png,
  pngParts,
  profile,
  rowsOf,
  segment,
} from "./pictures.js";

const TRIAL = process.env.WHISTLE_TRIAL === "1";
const ROUNDS = TRIAL ? 20_000 : 600;
const CUT = TRIAL ? 1 : 4; // bytes from one place at which a picture is cut off to the next

/**
 * @param {Uint8Array} bytes
 * @param {boolean} [altered]
 */
const bytesOf = async (bytes, altered) =>
  Buffer.from(await (await clean(new Blob([/** @type {any} */ (bytes)]), altered)).arrayBuffer());

/** @param {Uint8Array} bytes */
const refused = (bytes) => assert.rejects(bytesOf(bytes), { kind: "unclean", alters: false });

/** JFIF as it is written anew. */
const JFIF = segment(0xe0, Buffer.from("JFIF\0\x01\x02\0\0\x01\0\x01\0\0", "latin1"));
/** The profile of sRGB as it is written anew. */
const SRGB = Buffer.from(standardProfile(profile("sRGB")) ?? []);
const JPEG_SRGB = segment(0xe2, Buffer.from("ICC_PROFILE\0\x01\x01"), SRGB);

/** @param {number} turned */
const TURN = (turned) => Buffer.from(`MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0${String.fromCharCode(turned)}\0\0\0\0\0\0`, "latin1");

/**
 * What a PNG shows: its chunks, the data unpacked.
 *
 * @param {Uint8Array} bytes
 */
const shown = (bytes) => [...rowsOf(bytes)].map(([name, content]) => [name, content.toString("hex")]);

for (const [name, plain] of Object.entries({ short: jpeg(), "in several windows, with restarts": jpeg(true) })) {
  test(`a JPEG that is ${name} keeps its picture, JFIF and its space of colours, and nothing else`, async () => {
    const unfilled = Buffer.concat([plain.subarray(0, plain.at(-3) === 0xff ? -4 : -2), plain.subarray(-2)]);
    const found = await bytesOf(plantedJpeg(plain));
    assert.ok(!found.includes(SECRET));
    assert.ok(found.equals(within(unfilled, JFIF, JPEG_SRGB)));
    assert.ok((await bytesOf(found)).equals(found));
  });
}

for (const turned of [2, 3, 6, 8]) {
  for (const little of [false, true]) {
    test(`a JPEG that is turned by ${turned}, ${little ? "little" : "big"} end first, stays turned`, async () => {
      const planted = within(jpeg(), segment(0xe1, Buffer.from("Exif\0\0"), exif(turned, little)));
      const wanted = within(jpeg(), segment(0xe1, Buffer.from("Exif\0\0"), TURN(turned)));
      assert.ok((await bytesOf(planted)).equals(wanted));
    });
  }
  test(`a PNG that is turned by ${turned} stays turned`, async () => {
    const { start, header, data, end } = pngParts();
    const turn = chunk("eXIf", TURN(turned));
    const found = await bytesOf(plantedPng(turned));
    assert.ok(!found.includes(SECRET));
    assert.deepEqual(shown(found).filter(([name]) => !["iCCP", "gAMA"].includes(name)), shown(Buffer.concat([start, header, turn, data, end])));
    assert.ok(rowsOf(found).get("iCCP")?.equals(Buffer.concat([Buffer.from("rgb\0\0"), SRGB])));
  });
}

test("Adobe's word on colours stays, without what else it says and what follows it", async () => {
  const planted = segment(0xee, Buffer.from("Adobe\0\x65abcd\x01", "latin1"), Buffer.from(SECRET));
  const found = await bytesOf(within(jpeg(), planted, segment(0xee, Buffer.from(SECRET))));
  assert.ok(found.equals(within(jpeg(), segment(0xee, Buffer.from("Adobe\0\x64\0\0\0\0\x01", "latin1")))));
});

test("a PNG keeps its picture and its space of colours, and nothing else", async () => {
  const found = await bytesOf(plantedPng());
  assert.deepEqual(shown(found).filter(([name]) => !["iCCP", "gAMA"].includes(name)), shown(png()));
});

for (const [name, bytes] of PLAIN) {
  test(`${name}, as libraries write it, stays as it is`, async () => {
    const found = await bytesOf(bytes);
    if (name.endsWith(".jpg")) {
      const [before, after] = [partsOf(bytes), partsOf(found)];
      assert.deepEqual(after.map(({ kind }) => kind), before.map(({ kind }) => kind));
      assert.deepEqual(after.map(({ data }) => data), before.map(({ data }) => data));
      assert.ok((await bytesOf(found)).equals(found));
    } else {
      assert.deepEqual([...rowsOf(found).keys()], [...rowsOf(bytes).keys()].filter((each) => each !== "pHYs"));
      assert.equal(rowsOf(found).get("IDAT")?.length, rowsOf(bytes).get("IDAT")?.length);
    }
  });
}

const { start, header, data, end } = pngParts();
const truncated = (/** @type {number} */ marker, /** @type {number} */ by) => {
  const plain = jpeg();
  const at = plain.indexOf(Buffer.from([0xff, marker]));
  const length = plain.readUInt16BE(at + 2) - by;
  return Buffer.concat([plain.subarray(0, at), segment(marker, plain.subarray(at + 4, at + 2 + length)), plain.subarray(at + 2 + length + by)]);
};
/**
 * A grey PNG of one pixel across.
 *
 * @param {number} height
 */
function narrow(height) {
  const told = Buffer.alloc(13);
  told.writeUInt32BE(1);
  told.writeUInt32BE(height, 4);
  told[8] = 8;
  return Buffer.concat([start, chunk("IHDR", told), chunk("IDAT", deflateSync(Buffer.alloc(2 * height))), end]);
}

const BAD = {
  "a PNG that moves": Buffer.concat([start, header, chunk("acTL", Buffer.alloc(8)), data, end]),
  "a PNG with an unknown critical chunk": Buffer.concat([start, chunk("CgBI", Buffer.alloc(4)), header, data, end]),
  "a PNG with two headers": Buffer.concat([start, header, header, data, end]),
  "a PNG without a picture": Buffer.concat([start, header, end]),
  "a PNG without an end": Buffer.concat([start, header, data]),
  "a PNG whose end holds something": Buffer.concat([start, header, data, chunk("IEND", Buffer.from(SECRET))]),
  "a PNG whose chunk is longer than all": Buffer.concat([start, header, Buffer.from("ffffffff49444154", "hex")]),
  "a PNG whose palette is too long": Buffer.concat([start, header, chunk("PLTE", Buffer.alloc(771)), data, end]),
  "a PNG whose palette is not in threes": Buffer.concat([start, header, chunk("PLTE", Buffer.alloc(4)), data, end]),
  "a PNG with two transparent colours": Buffer.concat([start, header, chunk("tRNS", Buffer.alloc(12)), data, end]),
  "a PNG whose data is in two places": Buffer.concat([start, header, data, chunk("tEXt", Buffer.alloc(4)), data, end]),
  "a PNG with a wrong check": Buffer.concat([start, header.map((byte, at) => (at === 24 ? byte ^ 1 : byte)), data, end]),
  "a PNG that is taller than any that is shown": narrow(1_000_001),
  "a JPEG without a picture": Buffer.from("ffd8ffd9", "hex"),
  "a JPEG with an unknown part": within(jpeg(), segment(0xf0, Buffer.from(SECRET))),
  "a JPEG in hierarchical frames": within(jpeg(), segment(0xde, Buffer.alloc(6))),
  "a JPEG with bytes between its parts": within(jpeg(), segment(0xfe), Buffer.from("x")),
  "a JPEG with two starts": within(jpeg(), Buffer.from([0xff, 0xd8])),
  "a JPEG with a cut frame": truncated(0xc0, 1),
  "a JPEG with a cut table": truncated(0xdb, 1),
  "a JPEG with a cut scan header": truncated(0xda, 1),
  "a JPEG with a cut code": truncated(0xc4, 1),
  "a JPEG of twelve bits": Buffer.from(jpeg().map((byte, at) => (at === jpeg().indexOf(Buffer.from([0xff, 0xc0])) + 4 ? 12 : byte))),
  "a JPEG whose last bits are not alike": Buffer.from(jpeg().map((byte, at) => (at === jpeg().length - 3 ? 0x0a : byte))),
  "a WebP": Buffer.from("RIFF\x10\0\0\0WEBPVP8 "),
  "a text": Buffer.from("a text"),
  nothing: Buffer.alloc(0),
};

for (const [name, bytes] of Object.entries(BAD)) {
  test(`${name} is refused`, () => refused(bytes));
}

test("rows that come together go on together, since a file of some kilobytes may hold a million", async () => {
  const rows = new Rows({ width: 1, height: 1_000, depth: 8, type: 0, interlaced: false }, 0);
  /** @type {number[]} */
  const sizes = [];
  const out = { enqueue: (/** @type {Uint8Array} */ { length }) => void sizes.push(length) };
  [1_201, 799].forEach((size) => rows.transform(new Uint8Array(size), out));
  rows.flush();
  assert.deepEqual(sizes, [1_200, 800]);
  assert.deepEqual(rowsOf(await bytesOf(narrow(3_000))), rowsOf(narrow(3_000)));
});

for (const [name, { bytes, alters }] of oddities()) {
  test(`${name} is ${alters ? "not cleaned, unless it may look different" : "cleaned"}`, async () => {
    if (alters) {
      await assert.rejects(bytesOf(bytes), { kind: "unclean", alters: true });
    }
    assert.ok((await bytesOf(bytes, alters)).length);
  });
}

test("a space of colours that is known becomes the same profile whatever its own said", () => {
  for (const name of ["sRGB", "P3", "A98"]) {
    const known = Buffer.from(standardProfile(profile(name)) ?? []);
    assert.ok(!known.includes(SECRET) && known.length < 520);
    assert.ok(Buffer.from(standardProfile(known) ?? []).equals(known));
    const other = profile(name);
    other.write(SECRET, 40, 24);
    assert.ok(Buffer.from(standardProfile(other) ?? []).equals(known));
  }
  for (const name of ["screen", "tables", "headless"]) {
    assert.equal(standardProfile(profile(name)), null);
  }
  const whole = profile("sRGB");
  for (let length = 0; length < whole.length - 130; length++) {
    assert.equal(standardProfile(whole.subarray(0, length)), null);
  }
});

test("every picture that is cut off is refused", async () => {
  for (const whole of [plantedPng(6), plantedJpeg(jpeg(), 6), ...PLAIN.values()]) {
    const last = Math.max(whole.indexOf("IEND") + 8, whole.lastIndexOf(Uint8Array.of(0xff, 0xd9)) + 2);
    for (let length = 0; length < last; length += CUT) {
      await assert.rejects(bytesOf(whole.subarray(0, length)), { kind: "unclean" });
    }
  }
});

test("a picture with bytes changed anywhere comes to an end, whole or refused", async () => {
  let seed = 20;
  const random = (/** @type {number} */ below) => (seed = (seed * 48_271) % 0x7fffffff) % below;
  const plain = [...PLAIN.values()];
  let good = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const whole = [plantedPng(random(9)), plantedJpeg(jpeg(), random(9)), plain[random(plain.length)]][random(3)];
    const bytes = Buffer.from(whole);
    for (let times = 1 + random(4); times; times--) {
      bytes[random(bytes.length)] = random(2) ? random(256) : [0, 0xff][random(2)];
    }
    try {
      assert.ok((await bytesOf(bytes, true)).length <= bytes.length + 600);
      good++;
    } catch (error) {
      assert.equal(/** @type {any} */ (error).kind, "unclean", String(error));
    }
  }
  assert.ok(good > ROUNDS / 20 && good < ROUNDS, String(good));
});
