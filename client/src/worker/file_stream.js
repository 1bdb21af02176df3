/** A file's bytes as they are read, so that none of any size is ever in memory. */

const PIECE = 1_048_576; // bytes

/**
 * A file's bytes, a piece at a time.
 *
 * @param {Blob} file
 * @returns {AsyncGenerator<Uint8Array, void, void>}
 */
export async function* piecesOf(file) {
  for (let at = 0; at < file.size; at += PIECE) {
    yield new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
  }
}
