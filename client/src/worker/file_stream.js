/** Reads files a chunk at a time, so that a file of any size takes constant memory. */

const CHUNK = 1_048_576; // bytes

/**
 * A file's bytes, 1 MiB at a time.
 *
 * @param {Blob} file
 * @returns {AsyncGenerator<Uint8Array, void, void>}
 */
export async function* readChunks(file) {
  for (let at = 0; at < file.size; at += CHUNK) {
    yield new Uint8Array(await file.slice(at, at + CHUNK).arrayBuffer());
  }
}
