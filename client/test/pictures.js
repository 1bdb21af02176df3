/** Pictures made for tests, with planted details in every place where a camera or a program puts them. */

import { deflateSync, inflateSync } from "node:zlib";

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
 * The segments of a JPEG in order: marker and length, what is in them, and a scan's data.
 *
 * @param {Uint8Array} bytes
 */
export function partsOf(bytes) {
  const whole = Buffer.from(bytes);
  const found = [];
  for (let at = 2; whole[at + 1] !== 0xd9; ) {
    const [marker, length] = [whole[at + 1], whole.readUInt16BE(at + 2)];
    let end = at + 2 + length;
    const content = whole.subarray(at + 4, end);
    const start = end;
    while (marker === 0xda && (whole[end] !== 0xff || !whole[end + 1] || (whole[end + 1] & 0xf8) === 0xd0)) {
      end++;
    }
    found.push({ kind: `${marker.toString(16)} ${length}`, start: at, end, marker, content, data: whole.toString("hex", start, end) });
    at = end;
  }
  return found;
}

/**
 * What a camera and its programs add to a JPEG, behind its first marker.
 *
 * @param {number} turned
 * @param {boolean} isColoured with a profile of sRGB
 */
export function details(turned, isColoured) {
  return [
    segment(0xe0, ascii("JFIF\0\x01\x02\x01\0\x48\0\x48\x01\x01"), ascii("abc")),
    segment(0xe0, ascii(`JFXX\0${SECRET}`)),
    segment(0xe1, ascii("Exif\0\0"), exif(turned)),
    segment(0xe1, ascii(`http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>${SECRET}`)),
    ...(isColoured ? [segment(0xe2, ascii("ICC_PROFILE\0\x01\x01"), profile("sRGB"))] : []),
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
  const isColoured = Buffer.from(plain).includes("ICC_PROFILE"); // as some browsers write it
  const [start, middle] = [plain.subarray(0, 2), plain.subarray(2, end)];
  return Buffer.concat([start, ...details(turned, !isColoured), middle, late, plain.subarray(end), ascii(`ftypmp42${SECRET}`)]);
}

/**
 * A JPEG of grey pixels, 16 by 8, as T.81 has it: one table each, one scan; `isLong` makes it 16,384 by 8,192, with
 * restarts and filled markers.
 *
 * @param {boolean} [isLong]
 */
export function jpeg(isLong = false) {
  const quantized = segment(0xdb, Uint8Array.of(0), new Uint8Array(64).fill(1));
  const size = isLong ? [32, 0, 64, 0] : [0, 8, 0, 16];
  const frame = segment(0xc0, Uint8Array.of(8, ...size, 1, 1, 0x11, 0));
  const table = (/** @type {number} */ kind) => segment(0xc4, Uint8Array.of(kind, 1, ...Array(15).fill(0), 0));
  const restart = isLong ? [segment(0xdd, Uint8Array.of(0xff, 0xfc))] : [];
  const scan = segment(0xda, Uint8Array.of(1, 1, 0, 0, 63, 0));
  const parts = [quantized, frame, table(0), table(0x10), ...restart, scan, isLong ? intervals() : Uint8Array.of(0x0f)];
  return Buffer.concat([Uint8Array.of(0xff, 0xd8), ...parts, Uint8Array.of(0xff, 0xd9)]);
}

/** Blocks of zeros, two bits each, 65,532 to an interval; fill before the last marker. */
function intervals() {
  const [total, each] = [(16_384 * 8_192) / 64, 65_532];
  const found = [];
  for (let done = 0; done < total; done += each) {
    found.push(Buffer.alloc(Math.min(each, total - done) / 4), Uint8Array.of(0xff, 0xd0 + (found.length / 2) % 8));
  }
  return Buffer.concat([...found.slice(0, -1), Uint8Array.of(0xff, 0xff)]);
}

/** What red, green and blue are in XYZ, as profiles in the wild have it, and the curve. */
const SPACES = {
  sRGB: [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.7141]],
  P3: [[0.51512, 0.2412, -0.00105], [0.29198, 0.69225, 0.04189], [0.1571, 0.06657, 0.78407]],
  A98: [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]],
  screen: [[0.4443, 0.22477, 0.00548], [0.37944, 0.72623, 0.07796], [0.14, 0.04907, 0.74146]],
};

/**
 * A colour profile with planted details: of sRGB by a table, of P3 by parameters, of Adobe's by a gamma; of a screen
 * that nobody else has, with tables that overrule its numbers, or with a head that browsers do not take.
 *
 * @param {string} name
 */
export function profile(name) {
  const fixed = (/** @type {number} */ value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(Math.round(value * 65_536));
    return bytes;
  };
  const known = SPACES[/** @type {keyof typeof SPACES} */ (name === "headless" ? "P3" : name)] ?? SPACES.sRGB;
  const curves = { P3: parameters(fixed), A98: Buffer.concat([ascii("curv\0\0\0\0\0\0\0\x01"), Uint8Array.of(2, 51, 0, 0)]) };
  const curve = curves[/** @type {keyof typeof curves} */ (name)] ?? table();
  const tags = [
    ...["rXYZ", "gXYZ", "bXYZ"].map((tag, place) => [tag, Buffer.concat([ascii("XYZ \0\0\0\0"), ...known[place].map(fixed)])]),
    ...["rTRC", "gTRC", "bTRC"].map((tag) => [tag, curve]),
    ["desc", ascii(`desc\0\0\0\0\0\0\0\x20${SECRET}`.padEnd(100, "\0"))],
    ["mmod", ascii(SECRET)],
    ...(name === "tables" ? [["A2B0", ascii(SECRET)]] : []),
  ];
  const head = Buffer.alloc(128);
  head.write("\x02", 8);
  head.write("mntrRGB XYZ ", 12);
  head.write("acspAPPL", 36);
  head.set(name === "headless" ? [] : Buffer.concat([0.9642, 1, 0.8249].map(fixed)), 68);
  return together(head, /** @type {[string, Buffer][]} */ (tags));
}

/**
 * @param {Buffer} head
 * @param {[string, Buffer][]} tags
 */
function together(head, tags) {
  const list = Buffer.alloc(4 + 12 * tags.length);
  list.writeUInt32BE(tags.length);
  let at = head.length + list.length;
  tags.forEach(([name, content], place) => {
    list.write(name, 4 + 12 * place);
    list.writeUInt32BE(at, 8 + 12 * place);
    list.writeUInt32BE(content.length, 12 + 12 * place);
    at += content.length;
  });
  const whole = Buffer.concat([head, list, ...tags.map(([, content]) => content)]);
  whole.writeUInt32BE(whole.length);
  return whole;
}

/** sRGB's curve by 1,024 values. */
function table() {
  const found = Buffer.alloc(12 + 2048);
  found.write("curv");
  found.writeUInt32BE(1024, 8);
  for (let place = 0; place < 1024; place++) {
    const shade = place / 1023;
    const light = shade <= 0.04045 ? shade / 12.92 : ((shade + 0.055) / 1.055) ** 2.4;
    found.writeUInt16BE(Math.round(light * 65_535), 12 + 2 * place);
  }
  return found;
}

/** @param {(value: number) => Buffer} fixed */
function parameters(fixed) {
  return Buffer.concat([ascii("para\0\0\0\0\0\x03\0\0"), ...[2.4, 0.94786, 0.05214, 0.0774, 0.04045].map(fixed)]);
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
  return Buffer.concat([start, header, data, end]);
}

/**
 * The chunks of a PNG by name: its data and its profile unpacked.
 *
 * @param {Uint8Array} bytes
 * @returns {Map<string, Buffer>}
 */
export function rowsOf(bytes) {
  const whole = Buffer.from(bytes);
  /** @type {Map<string, Buffer>} */
  const found = new Map();
  for (let at = 8; at < whole.length; at += 12 + whole.readUInt32BE(at)) {
    const name = whole.toString("latin1", at + 4, at + 8);
    const content = whole.subarray(at + 8, at + 8 + whole.readUInt32BE(at));
    found.set(name, Buffer.concat([found.get(name) ?? Buffer.alloc(0), content]));
  }
  const [packed, told] = [found.get("IDAT"), found.get("iCCP")];
  if (packed) {
    found.set("IDAT", inflateSync(packed));
  }
  if (told) {
    const start = told.indexOf(0) + 2;
    found.set("iCCP", Buffer.concat([told.subarray(0, start), inflateSync(told.subarray(start))]));
  }
  return found;
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
    chunk("iCCP", Buffer.concat([ascii(`${SECRET}\0\0`), deflateSync(profile("sRGB"))])),
    chunk("gAMA", Uint8Array.of(0, 0, 0xb1, 0x8f)),
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
