/** Pictures made for tests, with planted details in every place where a camera or a program puts them. */

import { deflateSync } from "node:zlib";

export const SECRET = "52.5200N-13.4050E-SN12345-Jane";

/** @param {string} text */
const ascii = (text) => Buffer.from(text, "latin1");

/**
 * A segment of a JPEG.
 *
 * @param {number} marker
 * @param {...Uint8Array} content
 */
export function segment(marker, ...content) {
  const whole = Buffer.concat(content);
  const length = whole.length + 2;
  return Buffer.concat([Uint8Array.of(0xff, marker, length >> 8, length & 255), whole]);
}

/**
 * Exif of a camera: orientation, and a text that the next directory would point to.
 *
 * @param {number} turned
 * @param {boolean} [little]
 */
export function exif(turned, little = false) {
  const tiff = Buffer.alloc(38);
  const view = new DataView(tiff.buffer, tiff.byteOffset);
  tiff.write(little ? "II" : "MM");
  [[2, 42], [8, 2], [10, 0x010f], [12, 2], [22, 0x0112], [24, 3], [30, turned]].forEach(([at, value]) => {
    view.setUint16(at, value, little);
  });
  [[4, 8], [14, SECRET.length], [18, 38], [26, 1], [34, 0]].forEach(([at, value]) => view.setUint32(at, value, little));
  return Buffer.concat([tiff, ascii(SECRET)]);
}

/**
 * What a camera and its programs add to a JPEG, behind its first marker.
 *
 * @param {number} turned
 */
export function details(turned) {
  return [
    segment(0xe0, ascii("JFIF\0\x01\x02\x01\0\x48\0\x48\x01\x01"), ascii("abc")),
    segment(0xe0, ascii(`JFXX\0${SECRET}`)),
    segment(0xe1, ascii("Exif\0\0"), exif(turned)),
    segment(0xe1, ascii(`http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>${SECRET}`)),
    segment(0xe2, ascii(`ICC_PROFILE\0\x01\x01${SECRET}`)),
    segment(0xe2, ascii(`MPF\0${SECRET}`)),
    segment(0xed, ascii(`Photoshop 3.0\x008BIM${SECRET}`)),
    segment(0xef, ascii(SECRET)),
    segment(0xfe, ascii(SECRET)),
  ];
}

/**
 * The same JPEG with planted details, also between its parts and behind its end.
 *
 * @param {Uint8Array} plain
 * @param {number} [turned]
 */
export function plantedJpeg(plain, turned = 1) {
  const end = Buffer.from(plain).lastIndexOf(Uint8Array.of(0xff, 0xd9));
  const late = segment(0xfe, ascii(SECRET));
  const [start, middle] = [plain.subarray(0, 2), plain.subarray(2, end)];
  return Buffer.concat([start, ...details(turned), middle, late, plain.subarray(end), ascii(`ftypmp42${SECRET}`)]);
}

/**
 * A JPEG of 16 by 8 grey pixels, as T.81 has it: one table each, one scan; `isLong` plants restarts and filled markers.
 *
 * @param {boolean} [isLong]
 */
export function jpeg(isLong = false) {
  const quantized = segment(0xdb, Uint8Array.of(0), new Uint8Array(64).fill(1));
  const frame = segment(0xc0, Uint8Array.of(8, 0, 8, 0, 16, 1, 1, 0x11, 0));
  const table = (/** @type {number} */ kind) => segment(0xc4, Uint8Array.of(kind, 1, ...Array(15).fill(0), 0));
  const scan = segment(0xda, Uint8Array.of(1, 1, 0, 0, 63, 0));
  const data = isLong ? [0x3f, 0xff, 0, 0xff, 0xd0, ...Array(300_000).fill(0x3f), 0xff, 0xff] : [0x0f];
  const parts = [quantized, frame, table(0), table(0x10), scan, Uint8Array.from(data)];
  return Buffer.concat([Uint8Array.of(0xff, 0xd8), ...parts, Uint8Array.of(0xff, 0xd9)]);
}

/**
 * A chunk of a PNG.
 *
 * @param {string} name
 * @param {Uint8Array} content
 */
export function chunk(name, content) {
  const typed = Buffer.concat([ascii(name), content]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  check.writeUInt32BE(crc(typed));
  return Buffer.concat([length, typed, check]);
}

/** A PNG of 16 by 8 pixels in colours; its chunks by name. */
export function pngParts() {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(16);
  header.writeUInt32BE(8, 4);
  header.set([8, 2], 8);
  const rows = Buffer.concat(Array.from({ length: 8 }, (_, row) => Buffer.from([0, ...Array(48).fill(row * 31)])));
  const data = deflateSync(rows);
  const parts = [data.subarray(0, 9), data.subarray(9)];
  return {
    start: ascii("\x89PNG\r\n\x1a\n"),
    header: chunk("IHDR", header),
    data: Buffer.concat(parts.map((part) => chunk("IDAT", part))),
    end: chunk("IEND", Buffer.alloc(0)),
  };
}

/** A PNG that holds nothing but its picture. */
export function png() {
  const { start, header, data, end } = pngParts();
  return Buffer.concat([start, header, chunk("sRGB", Uint8Array.of(0)), data, end]);
}

/**
 * A PNG with planted details, also behind its end.
 *
 * @param {number} [turned]
 * @param {Uint8Array} [plain]
 */
export function plantedPng(turned = 1, plain = png()) {
  const whole = Buffer.from(plain);
  const [top, bottom] = [whole.indexOf("IHDR") + 21, whole.lastIndexOf("IEND") - 4];
  const before = [
    chunk("tEXt", ascii(`Comment\0${SECRET}`)),
    chunk("zTXt", Buffer.concat([ascii("Author\0\0"), deflateSync(ascii(SECRET))])),
    chunk("iTXt", ascii(`XML:com.adobe.xmp\0\0\0\0\0${SECRET}`)),
    chunk("eXIf", exif(turned)),
    chunk("tIME", Uint8Array.of(7, 234, 11, 22, 1, 2, 3)),
    chunk("pHYs", Uint8Array.of(0, 0, 0x0b, 0x13, 0, 0, 0x0b, 0x13, 1)),
    chunk("iCCP", Buffer.concat([ascii("screen\0\0"), deflateSync(ascii(SECRET))])),
    chunk("gAMA", ascii(SECRET)),
    chunk("prVt", ascii(SECRET)),
  ];
  const middle = [whole.subarray(top, bottom), chunk("tEXt", ascii(SECRET)), whole.subarray(bottom)];
  return Buffer.concat([whole.subarray(0, top), ...before, ...middle, ascii(SECRET)]);
}

/** @param {Uint8Array} bytes */
function crc(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    }
  }
  return ~sum >>> 0;
}
