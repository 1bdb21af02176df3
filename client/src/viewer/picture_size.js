/** The size of a picture as its header tells it, so that a bomb is refused before a decoder unpacks it. */

const FRAMES = [0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf];
const ALONE = (/** @type {number} */ marker) => marker === 1 || (marker >= 0xd0 && marker <= 0xd9);

/** @typedef {{ width: number, height: number }} Size in pixels */

/**
 * The largest size that the header names, or null if it names none.
 *
 * @param {Uint8Array} bytes
 * @param {string} type
 * @returns {Size | null}
 */
export function sizeOf(bytes, type) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    return READERS[type]?.(view, bytes) ?? null;
  } catch (error) {
    if (error instanceof RangeError) {
      return null; // cut off
    }
    throw error;
  }
}

/** @type {Record<string, (view: DataView, bytes: Uint8Array) => Size | null>} */
const READERS = {
  "image/png": (view) => ({ width: view.getUint32(16), height: view.getUint32(20) }),
  "image/gif": (view) => ({ width: view.getUint16(6, true), height: view.getUint16(8, true) }),
  "image/bmp": (view) => ({ width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) }),
  "image/jpeg": jpegSize,
  "image/webp": webpSize,
  "image/avif": isoSize,
  "image/heic": isoSize,
};

/** @param {DataView} view */
function jpegSize(view) {
  let largest = null;
  for (let at = 2; at + 9 < view.byteLength; ) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff || marker === 0xff || marker === 0) {
      at++; // data of a scan, or filling
    } else if (ALONE(marker)) {
      at += 2;
    } else {
      if (FRAMES.includes(marker)) {
        largest = larger(largest, { width: view.getUint16(at + 7), height: view.getUint16(at + 5) });
      }
      at += 2 + Math.max(2, view.getUint16(at + 2));
    }
  }
  return largest;
}

/** @param {DataView} view */
function webpSize(view) {
  const kind = String.fromCharCode(...[12, 13, 14, 15].map((at) => view.getUint8(at)));
  const short = (/** @type {number} */ at) => view.getUint16(at, true);
  if (kind === "VP8X") {
    const wide = (/** @type {number} */ at) => 1 + short(at) + view.getUint8(at + 2) * 65_536;
    return { width: wide(24), height: wide(27) };
  }
  if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  return { width: short(26) & 0x3fff, height: short(28) & 0x3fff };
}

/**
 * @param {DataView} view
 * @param {Uint8Array} bytes
 */
function isoSize(view, bytes) {
  let largest = null;
  const most = Math.min(bytes.length - 12, 65_536);
  for (let at = 4; at < most; at++) {
    if (bytes[at] === 0x69 && bytes[at + 1] === 0x73 && bytes[at + 2] === 0x70 && bytes[at + 3] === 0x65) {
      largest = larger(largest, { width: view.getUint32(at + 8), height: view.getUint32(at + 12) });
    }
  }
  return largest;
}

/**
 * @param {Size | null} one
 * @param {Size} other
 */
function larger(one, other) {
  return one && one.width * one.height >= other.width * other.height ? one : other;
}
