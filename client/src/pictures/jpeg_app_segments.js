/** The application segments of a JPEG that change how it is shown: JFIF, Adobe, Exif, colour profile. */

import { ascii, number, startsWith } from "./bytes.js";
import { standardProfile } from "./colour_profiles.js";
import { Unclean } from "./errors.js";
import { encodeOrientation, readOrientation } from "./exif.js";

/** @import { Alters } from "./errors.js" */

const [APP0, APP1, APP2, APP14] = [0xe0, 0xe1, 0xe2, 0xee];
const JFIF = ascii("JFIF\0");
const CLEAN_JFIF = [...JFIF, 1, 2, 0, 0, 1, 0, 1, 0, 0]; // square pixels, no preview
const JFIF_SIZE = 14; // bytes
const ADOBE = ascii("Adobe");
const ADOBE_SIZE = 12; // bytes
const EXIF = ascii("Exif\0");
const PROFILE = ascii("ICC_PROFILE\0");

/** Collects the segments of a picture, and writes them anew. */
export class AppSegments {
  /** @param {Alters} alters */
  constructor(alters) {
    this._alters = alters;
    this._isJfif = false;
    this._transform = -1; // Adobe's colour transform; -1 if none
    this._metadata = 0; // number of APP1 segments, which hold Exif or XMP
    /** @type {Uint8Array | null} */
    this._exif = null;
    this._isExifFirst = false; // among the APP1 segments
    /** @type {Uint8Array[]} */
    this._profile = []; // by number, from 1
    this._profiles = 0; // number of parts that the profile claims to have
  }

  /**
   * Read a segment; those that do not change how the picture is shown are ignored.
   *
   * @param {number} marker
   * @param {Uint8Array} content
   */
  take(marker, content) {
    if (marker === APP0) {
      this._isJfif ||= content.length >= JFIF_SIZE && startsWith(content, JFIF);
    } else if (marker === APP14 && content.length >= ADOBE_SIZE && startsWith(content, ADOBE)) {
      if (this._transform >= 0 || content[11] > 2) {
        throw new Unclean("contradictory Adobe segments");
      }
      this._transform = content[11];
    } else if (marker === APP2 && startsWith(content, PROFILE)) {
      this._takeProfilePart(content.subarray(PROFILE.length));
    } else if (marker === APP1) {
      this._metadata++;
      if (startsWith(content, EXIF)) {
        this._takeExif(content.subarray(EXIF.length));
      }
    }
  }

  /**
   * Browsers disagree when there are two Exif segments, or when Exif is not the first APP1 segment.
   *
   * @param {Uint8Array} content what follows the name
   */
  _takeExif(content) {
    if (this._exif) {
      this._alters("Exif twice");
    }
    this._exif ??= content;
    this._isExifFirst = this._metadata === 1 && content[0] === 0;
  }

  /** @param {Uint8Array} content number of the part, number of parts, and data */
  _takeProfilePart(content) {
    const [place, count] = content;
    if (this._profile[place] || !place || place > count) {
      this._alters("a damaged colour profile");
    }
    this._profile[place] = content.subarray(2);
    this._profiles = count;
  }

  /**
   * The segments of the clean picture.
   *
   * @param {number[]} size of the picture, in pixels
   */
  written(size) {
    const parts = this._isJfif ? [segment(APP0, CLEAN_JFIF)] : [];
    const orientation = this._exif ? readOrientation(this._exif.subarray(1), size, this._alters) : 1;
    if (orientation > 1 && !this._isExifFirst) {
      this._alters("Exif that not every browser reads");
    } else if (orientation > 1) {
      parts.push(segment(APP1, [...EXIF, 0, ...encodeOrientation(orientation)]));
    }
    const profile = this._standardProfile();
    if (profile) {
      parts.push(segment(APP2, [...PROFILE, 1, 1, ...profile]));
    }
    if (this._transform >= 0) {
      parts.push(segment(APP14, [...ADOBE, 0, 100, 0, 0, 0, 0, this._transform]));
    }
    return parts;
  }

  _standardProfile() {
    const parts = this._profile.slice(1);
    if (!this._profile.length) {
      return null;
    }
    const isWhole = parts.length === this._profiles && Array.from(parts).every(Boolean);
    const profile = isWhole ? standardProfile(Uint8Array.from(parts.flatMap((part) => [...part]))) : null;
    if (!profile) {
      this._alters("an unknown colour space");
    }
    return profile;
  }
}

/**
 * A segment with its marker and length.
 *
 * @param {number} marker
 * @param {number[]} content
 */
export function segment(marker, content) {
  return Uint8Array.of(0xff, marker, ...number(content.length + 2, 2), ...content);
}
