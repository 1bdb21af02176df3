/**
 * What a file is, by how it begins; its name and the type that its sender gave count for nothing.
 *
 * A file that begins like two kinds is the first that fits, and is shown as nothing else.
 */

/**
 * @typedef {"picture" | "pdf" | "media" | "text" | "other"} Way how it is shown
 * @typedef {{ way: Way, name: string, type: string, endings: string[] }} Kind `name`: the key of its name
 */

const SAMPLE = 4096; // bytes that tell a text from anything else
const FEW = 4; // controls that any text may have
const LATIN = new TextDecoder("latin1");

/** @type {[RegExp, Way, string, string, string[]][]} */
const BEGINNINGS = [
  [/^\xff\xd8\xff/, "picture", "viewer.kind_jpeg", "image/jpeg", ["jpg", "jpeg", "jpe", "jfif"]],
  [/^\x89PNG\r\n\x1a\n/, "picture", "viewer.kind_png", "image/png", ["png"]],
  [/^GIF8[79]a/, "picture", "viewer.kind_gif", "image/gif", ["gif"]],
  [/^RIFF[^]{4}WEBP/, "picture", "viewer.kind_webp", "image/webp", ["webp"]],
  [/^BM[^]{12}[\x0c-\x7c]\0\0\0/, "picture", "viewer.kind_bmp", "image/bmp", ["bmp", "dib"]],
  [/^[^]{4}ftypavi[fs]/, "picture", "viewer.kind_avif", "image/avif", ["avif"]],
  [/^[^]{4}ftyp(?:hei|hev|mif1|msf1)/, "picture", "viewer.kind_heic", "image/heic", ["heic", "heif", "hif"]],
  [/^(?:II\*\0|MM\0\*)/, "picture", "viewer.kind_tiff", "image/tiff", ["tif", "tiff", "dng"]],
  [/^\s{0,64}%PDF-/, "pdf", "viewer.kind_pdf", "application/pdf", ["pdf"]],
  [/^[^]{4}ftyp(?:M4A|M4B)/, "media", "viewer.kind_m4a", "audio/mp4", ["m4a", "m4b", "mp4"]],
  [/^[^]{4}ftypqt/, "media", "viewer.kind_quicktime", "video/mp4", ["mov", "qt", "mp4"]],
  [/^[^]{4}ftyp/, "media", "viewer.kind_mp4", "video/mp4", ["mp4", "m4v", "m4a", "3gp", "3g2", "mov"]],
  [/^\x1aE\xdf\xa3/, "media", "viewer.kind_webm", "video/webm", ["webm", "mkv", "mka", "weba"]],
  [/^OggS/, "media", "viewer.kind_ogg", "audio/ogg", ["ogg", "oga", "ogv", "opus"]],
  [/^RIFF[^]{4}WAVE/, "media", "viewer.kind_wav", "audio/wav", ["wav", "wave"]],
  [/^fLaC/, "media", "viewer.kind_flac", "audio/flac", ["flac"]],
  [/^ID3|^\xff[\xfb\xfa\xf3\xf2]/, "media", "viewer.kind_mp3", "audio/mpeg", ["mp3"]],
  [/^\xff[\xf1\xf9]/, "media", "viewer.kind_aac", "audio/aac", ["aac"]],
];
const NAMED = [
  [/^PK\x03\x04/, "viewer.kind_zip"],
  [/^\xd0\xcf\x11\xe0/, "viewer.kind_old_office"],
  [/^MZ/, "viewer.kind_windows"],
  [/^\x7fELF/, "viewer.kind_linux"],
  [/^Rar!|^7z\xbc\xaf|^\x1f\x8b/, "viewer.kind_packed"],
];

/**
 * The kind of a file.
 *
 * @param {Uint8Array} bytes
 * @returns {Kind}
 */
export function kindOf(bytes) {
  const start = LATIN.decode(bytes.subarray(0, SAMPLE));
  const raw = Array.from(bytes.subarray(0, 100), (byte) => String.fromCharCode(byte)).join("");
  for (const [beginning, way, name, type, endings] of BEGINNINGS) {
    if (beginning.test(raw)) {
      return { way, name, type, endings };
    }
  }
  const known = NAMED.find(([beginning]) => /** @type {RegExp} */ (beginning).test(raw));
  if (known) {
    return { way: "other", name: String(known[1]), type: "", endings: [] };
  }
  if (isText(bytes.subarray(0, SAMPLE))) {
    const markup = /^\s*(?:<!doctype html|<html|<svg|<\?xml)/i.test(start);
    return { way: "text", name: markup ? "viewer.kind_markup" : "viewer.kind_text", type: "text/plain", endings: [] };
  }
  return { way: "other", name: "viewer.kind_unknown", type: "", endings: [] };
}

/**
 * Whether a name's ending says that the file is something else.
 *
 * @param {Kind} kind
 * @param {string} name
 */
export function isMisnamed({ endings }, name) {
  const ending = /\.([^.]{1,20})$/.exec(name)?.[1].toLowerCase();
  return endings.length > 0 && ending !== undefined && !endings.includes(ending);
}

/** @param {Uint8Array} sample */
function isText(sample) {
  const [first, second] = sample;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return true;
  }
  const odd = sample.reduce((sum, byte) => sum + Number(byte < 9 || (byte > 13 && byte < 32 && byte !== 27)), 0);
  return odd <= Math.max(FEW, sample.length / 64);
}
