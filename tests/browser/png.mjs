// What a picture of a page shows, as far as a test asks: whether it is of one colour all over.

import { inflateSync } from "node:zlib";

const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 }; // by PNG's types of colour, without palettes

/** Whether a PNG with 8 bits a channel is of one colour (its filters: RFC 2083, section 6). */
export function isBlank(png) {
  const bytes = Buffer.from(png);
  const parts = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    parts.push({ kind: bytes.toString("latin1", at + 4, at + 8), data: bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)) });
  }
  const head = parts[0].data;
  const [width, height, channels] = [head.readUInt32BE(0), head.readUInt32BE(4), CHANNELS[head[9]]];
  if (head[8] !== 8 || !channels || head[12]) throw new Error("a kind of PNG that is not read here");
  const rows = inflateSync(Buffer.concat(parts.filter(({ kind }) => kind === "IDAT").map(({ data }) => data)));
  const size = width * channels;
  let above = Buffer.alloc(size);
  let first = null;
  for (let y = 0; y < height; y++) {
    const row = unfiltered(rows.subarray(y * (size + 1), (y + 1) * (size + 1)), above, channels);
    first ??= Buffer.from(row.subarray(0, channels));
    if (row.some((byte, x) => byte !== first[x % channels])) return false;
    above = row;
  }
  return true;
}

function unfiltered(filtered, above, channels) {
  const row = Buffer.from(filtered.subarray(1));
  for (let x = 0; x < row.length; x++) {
    const [left, corner] = x < channels ? [0, 0] : [row[x - channels], above[x - channels]];
    const guess = [() => 0, () => left, () => above[x], () => (left + above[x]) >> 1, () => paeth(left, above[x], corner)];
    row[x] += guess[filtered[0]]();
  }
  return row;
}

function paeth(left, up, corner) {
  const near = [left, up, corner].map((each) => Math.abs(left + up - corner - each));
  return near[0] <= near[1] && near[0] <= near[2] ? left : near[1] <= near[2] ? up : corner;
}
