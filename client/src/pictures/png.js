/**
 * Writes a PNG (W3C PNG, third edition) anew: header, palette, pixel data, colour space and orientation.
 *
 * The pixel data is decompressed and compressed again, so that nothing can hide between or after the rows.
 */

import { ascii, streamed } from "./bytes.js";
import { Unclean } from "./errors.js";
import { encodeOrientation, readOrientation } from "./exif.js";
import { chunk, chunkData, chunkHead, updateCrc } from "./png_chunks.js";
import { COLOURS, coloursOf } from "./png_colours.js";
import { Rows } from "./png_rows.js";

/** @import { Bytes } from "./bytes.js" */
/** @import { Alters } from "./errors.js" */
/** @import { Header } from "./png_rows.js" */

export const START = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const ANCILLARY = 0x20; // bit of a chunk name's first letter
const PALETTE = 3; // colour type
const READ = ["IHDR", "PLTE", "tRNS", "eXIf", ...COLOURS];
const DEPTHS = new Map([
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [PALETTE, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
]);
const CLEAR = new Map([
  [0, 2],
  [2, 6],
]); // bytes of the transparent colour, by colour type

/**
 * The clean picture; Unclean if it is damaged or animated.
 *
 * @param {Bytes} bytes
 * @param {Alters} alters
 */
export async function read(bytes, alters) {
  /** @type {Map<string, Uint8Array>} */
  const chunks = new Map();
  const before = await untilData(bytes, chunks);
  const header = headerOf(chunks.get("IHDR"));
  const palette = paletteOf(header, chunks.get("PLTE"));
  const clear = clearOf(header, palette, chunks.get("tRNS"));
  const colours = await coloursOf(chunks, alters);
  const orientation = orientationChunks(chunks.get("eXIf"), header, alters);
  const data = new Data(bytes, before);
  const rows = new Rows(header, palette ? palette.length / 3 : 0);
  const packed = await data.packed(rows);
  await untilEnd(bytes, data.at, alters);
  palette?.forEach((_, at) => rows.used[Math.floor(at / 3)] || (palette[at] = 0));
  if (palette) {
    clear?.forEach((_, at) => rows.used[at] || (clear[at] = 0));
  }
  const parts = [chunk("IHDR", /** @type {Uint8Array} */ (chunks.get("IHDR"))), ...colours, ...orientation];
  parts.push(...(palette ? [chunk("PLTE", palette)] : []), ...(clear ? [chunk("tRNS", clear)] : []));
  return new Blob([Uint8Array.from(START), ...parts, ...packed, chunk("IEND", [])]);
}

/**
 * Read the chunks before the pixel data into `chunks`, by name; returns the offset of the data.
 *
 * @param {Bytes} bytes
 * @param {Map<string, Uint8Array>} chunks
 */
async function untilData(bytes, chunks) {
  for (let at = START.length; ; ) {
    const { name, length, end } = await chunkHead(bytes, at);
    if (name === "IDAT") {
      return at;
    }
    if (at === START.length ? name !== "IHDR" : chunks.has(name) || !isInPlace(name, chunks)) {
      throw new Unclean("a chunk out of place");
    }
    if (READ.includes(name)) {
      chunks.set(name, await chunkData(bytes, at, length));
    } else if (name === "acTL" || !isAncillary(name)) {
      throw new Unclean("an animation, or an unknown chunk");
    }
    at = end;
  }
}

/**
 * @param {string} name
 * @param {Map<string, Uint8Array>} chunks what stands before it
 */
function isInPlace(name, chunks) {
  return chunks.has("PLTE") ? !COLOURS.includes(name) : name !== "tRNS" || chunks.get("IHDR")?.[9] !== PALETTE;
}

/**
 * Check the chunks after the pixel data, all of which are left out.
 *
 * @param {Bytes} bytes
 * @param {number} at
 * @param {Alters} alters
 */
async function untilEnd(bytes, at, alters) {
  for (;;) {
    const { name, length, end } = await chunkHead(bytes, at);
    if (name === "IEND") {
      if (length) {
        throw new Unclean("an end chunk with content");
      }
      return;
    }
    if (name === "acTL" || !isAncillary(name)) {
      throw new Unclean("a chunk out of place");
    }
    if (READ.includes(name)) {
      alters("a chunk that not every browser reads");
    }
    at = end;
  }
}

/** @param {string} name */
function isAncillary(name) {
  return Boolean(name.charCodeAt(0) & ANCILLARY);
}

/**
 * @param {Uint8Array | undefined} data
 * @returns {Header}
 */
function headerOf(data) {
  if (data?.length !== 13) {
    throw new Unclean("no header");
  }
  const view = new DataView(data.buffer, data.byteOffset);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, type, packing, filtering, interlaced] = data.subarray(8);
  if (!DEPTHS.get(type)?.includes(depth) || packing || filtering || interlaced > 1) {
    throw new Unclean("of a kind that browsers do not show");
  }
  return { width, height, depth, type, interlaced: interlaced === 1 };
}

/**
 * The palette of an indexed picture.  In others it is a suggestion that browsers ignore, except for its length.
 *
 * @param {Header} header
 * @param {Uint8Array | undefined} data
 */
function paletteOf({ type, depth }, data) {
  if (type !== PALETTE && !data) {
    return null;
  }
  const most = 3 * 2 ** Math.min(depth, 8);
  if (type === 0 || type === 4 || !data?.length || data.length % 3 || data.length > most) {
    throw new Unclean("an invalid palette");
  }
  return type === PALETTE ? data : null;
}

/**
 * The transparency chunk, checked.
 *
 * @param {Header} header
 * @param {Uint8Array | null} palette
 * @param {Uint8Array | undefined} data
 */
function clearOf({ type, depth }, palette, data) {
  if (!data) {
    return null;
  }
  const isRight = palette
    ? data.length > 0 && data.length <= palette.length / 3
    : data.length === CLEAR.get(type) && data.every((byte, at) => byte < 2 ** (at % 2 ? Math.min(depth, 8) : depth - 8));
  if (!isRight) {
    throw new Unclean("invalid transparency");
  }
  return data;
}

/**
 * @param {Uint8Array | undefined} data
 * @param {Header} header
 * @param {Alters} alters
 */
function orientationChunks(data, { width, height }, alters) {
  const orientation = data ? readOrientation(data, [width, height], alters) : 1;
  return orientation > 1 ? [chunk("eXIf", encodeOrientation(orientation))] : [];
}

/** The pixel data, starting at its first chunk. */
class Data {
  /**
   * @param {Bytes} bytes
   * @param {number} at
   */
  constructor(bytes, at) {
    this._bytes = bytes;
    this.at = at; // where the next chunk begins
  }

  /**
   * New chunks that hold the rows and nothing else.
   *
   * @param {Rows} rows
   */
  async packed(rows) {
    const pieces = this._pieces();
    /** @type {unknown} */
    let fault = null;
    const source = new ReadableStream({
      async pull(controller) {
        try {
          const { value, done } = await pieces.next();
          if (done) {
            controller.close();
          } else {
            controller.enqueue(value);
          }
        } catch (error) {
          fault = error;
          controller.error(error);
        }
      },
    });
    try {
      const [unpacking, packing] = [new DecompressionStream("deflate"), new CompressionStream("deflate")];
      const shown = source.pipeThrough(unpacking).pipeThrough(new TransformStream(rows));
      const parts = [];
      for await (const piece of streamed(shown.pipeThrough(/** @type {GenericTransformStream} */ (packing)))) {
        parts.push(chunk("IDAT", piece));
      }
      return parts;
    } catch (error) {
      throw fault ?? (error instanceof Unclean ? error : new Unclean("damaged"));
    }
  }

  async *_pieces() {
    for (let next = await chunkHead(this._bytes, this.at); next.name === "IDAT"; next = await chunkHead(this._bytes, this.at)) {
      const start = this.at + 8;
      let check = updateCrc(-1, Uint8Array.from(ascii("IDAT")));
      for (let at = start; at < next.end - 4; ) {
        const piece = (await this._bytes.from(at)).subarray(0, next.end - 4 - at);
        check = updateCrc(check, piece);
        at += piece.length;
        yield piece;
      }
      const stored = (await this._bytes.get(next.end - 4, 4)).slice();
      if (new DataView(stored.buffer).getUint32(0) !== ~check >>> 0) {
        throw new Unclean("damaged");
      }
      this.at = next.end;
    }
  }
}
