/** Pictures lose what is hidden in them and nothing that shows; what cannot be read is refused, never passed on. */

import assert from "node:assert/strict";
import test from "node:test";

import { clean, cleaned } from "../src/metadata.js";
import { SECRET, chunk, exif, jpeg, plantedJpeg, plantedPng, png, pngParts, segment } from "./pictures.js";

const ROUNDS = process.env.WHISTLE_TRIAL === "1" ? 20_000 : 1_500;

/** @param {Uint8Array} bytes */
const bytesOf = async (bytes) => Buffer.from(await (await clean(new Blob([/** @type {any} */ (bytes)]))).arrayBuffer());

/** @param {Uint8Array} bytes */
const refused = (bytes) => assert.rejects(bytesOf(bytes), { kind: "unclean" });

/** JFIF as cameras write it, without a preview. */
const JFIF = segment(0xe0, Buffer.from("JFIF\0\x01\x02\x01\0\x48\0\x48\0\0", "latin1"));

/** @param {number} turned */
const TURN = (turned) => Buffer.from(`MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0${String.fromCharCode(turned)}\0\0\0\0\0\0`, "latin1");

/**
 * Put parts in behind the first two bytes.
 *
 * @param {Uint8Array} plain
 * @param {...Uint8Array} parts
 */
const within = (plain, ...parts) => Buffer.concat([plain.subarray(0, 2), ...parts, plain.subarray(2)]);

for (const [name, plain] of Object.entries({ short: jpeg(), "in several windows, with restarts": jpeg(true) })) {
  test(`a JPEG that is ${name} keeps its picture and JFIF, and nothing else`, async () => {
    const unfilled = Buffer.concat([plain.subarray(0, plain.at(-3) === 0xff ? -4 : -2), plain.subarray(-2)]);
    const found = await bytesOf(plantedJpeg(plain));
    assert.ok(!found.includes(SECRET));
    assert.ok(found.equals(within(unfilled, JFIF)));
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
    const srgb = chunk("sRGB", Uint8Array.of(0));
    const turn = chunk("eXIf", TURN(turned));
    const wanted = Buffer.concat([start, header, turn, srgb, data, end]);
    assert.ok((await bytesOf(plantedPng(turned))).equals(wanted));
  });
}

test("Adobe's word on colours stays, without what follows it", async () => {
  const adobe = Buffer.from("Adobe\0\x64\0\0\0\0\x01", "latin1");
  const planted = within(jpeg(), segment(0xee, adobe, Buffer.from(SECRET)), segment(0xee, Buffer.from(SECRET)));
  assert.ok((await bytesOf(planted)).equals(within(jpeg(), segment(0xee, adobe))));
});

test("a PNG keeps its picture, and nothing else", async () => {
  assert.ok((await bytesOf(plantedPng())).equals(png()));
});

test("a picture without hidden details stays as it is", async () => {
  assert.ok((await bytesOf(png())).equals(png()));
  assert.ok((await bytesOf(jpeg())).equals(jpeg()));
});

const { start, header, data, end } = pngParts();
const BAD = {
  "a PNG that moves": Buffer.concat([start, header, chunk("acTL", Buffer.alloc(8)), data, end]),
  "a PNG with an unknown critical chunk": Buffer.concat([start, chunk("CgBI", Buffer.alloc(4)), header, data, end]),
  "a PNG with two headers": Buffer.concat([start, header, header, data, end]),
  "a PNG without a picture": Buffer.concat([start, header, end]),
  "a PNG without an end": Buffer.concat([start, header, data]),
  "a PNG whose end holds something": Buffer.concat([start, header, data, chunk("IEND", Buffer.from(SECRET))]),
  "a PNG whose chunk is longer than all": Buffer.concat([start, header, Buffer.from("ffffffff49444154", "hex")]),
  "a JPEG without a picture": Buffer.from("ffd8ffd9", "hex"),
  "a JPEG with an unknown part": within(jpeg(), segment(0xf0, Buffer.from(SECRET))),
  "a JPEG in hierarchical frames": within(jpeg(), segment(0xde, Buffer.alloc(6))),
  "a JPEG with bytes between its parts": within(jpeg(), segment(0xfe), Buffer.from("x")),
  "a WebP": Buffer.from("RIFF\x10\0\0\0WEBPVP8 "),
  "a text": Buffer.from("a text"),
  nothing: Buffer.alloc(0),
};

for (const [name, bytes] of Object.entries(BAD)) {
  test(`${name} is refused`, () => refused(bytes));
}

test("every picture that is cut off is refused", async () => {
  for (const whole of [plantedPng(6), plantedJpeg(jpeg(), 6)]) {
    const last = Math.max(whole.indexOf("IEND") + 8, whole.lastIndexOf(Uint8Array.of(0xff, 0xd9)) + 2);
    for (let length = 0; length < last; length++) {
      await refused(whole.subarray(0, length));
    }
  }
});

test("a picture with bytes changed anywhere comes to an end, whole or refused", async () => {
  let seed = 20;
  const random = (/** @type {number} */ below) => (seed = (seed * 48_271) % 0x7fffffff) % below;
  let good = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = Buffer.from(round % 2 ? plantedPng(random(9)) : plantedJpeg(jpeg(), random(9)));
    for (let times = 1 + random(4); times; times--) {
      bytes[random(bytes.length)] = random(2) ? random(256) : [0, 0xff][random(2)];
    }
    try {
      assert.ok((await bytesOf(bytes)).length <= bytes.length + 64);
      good++;
    } catch (error) {
      assert.equal(/** @type {any} */ (error).kind, "unclean", String(error));
    }
  }
  assert.ok(good > ROUNDS / 10 && good < ROUNDS);
});

test("files keep names, types and order; those that cannot be cleaned are named, and sent as they are only when asked", async () => {
  const picture = new File([plantedPng()], "b.jpg", { type: "image/jpeg" });
  const text = new File(["a text"], "a.txt", { type: "text/plain" });
  await assert.rejects(cleaned([text, picture], false), { kind: "unclean", names: ["a.txt"] });
  const found = await cleaned([text, picture], true);
  assert.deepEqual(
    found.map(({ name, type, size }) => [name, type, size]),
    [["a.txt", "text/plain", 6], ["b.jpg", "image/jpeg", png().length]],
  );
});
