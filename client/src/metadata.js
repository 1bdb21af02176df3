/**
 * Pictures without what is hidden in them: place, time, device, comments, previews.
 *
 * JPEG and PNG alone, told by their content.  Nothing is decoded: what shows the picture is kept byte for byte, the
 * rest is left out.  What a picture shows, and how it was compressed, stays.
 */

import * as jpeg from "./jpeg.js";
import { Bytes, Kept, Unclean } from "./picture.js";
import * as png from "./png.js";

const READERS = [jpeg, png];

/**
 * The picture without what is hidden in it; Unclean when it is no JPEG or PNG, or damaged, or animated.
 *
 * @param {Blob} file
 */
export async function clean(file) {
  const [bytes, kept] = [new Bytes(file), new Kept(file)];
  for (const { START, read } of READERS) {
    if (await bytes.startsWith(0, START)) {
      await read(bytes, kept);
      return kept.blob();
    }
  }
  throw new Unclean("neither JPEG nor PNG");
}

/**
 * All files, each cleaned or, with `others`, as it was where it cannot be; Unclean with their names otherwise.
 *
 * @param {File[]} files
 * @param {boolean} others
 */
export async function cleaned(files, others) {
  const found = [];
  const names = [];
  for (const file of files) {
    try {
      found.push(new File([await clean(file)], file.name, { type: file.type }));
    } catch (error) {
      if (!(error instanceof Unclean)) {
        throw error;
      }
      found.push(file);
      names.push(file.name);
    }
  }
  if (names.length && !others) {
    throw new Unclean("files that cannot be cleaned", names);
  }
  return found;
}
