/** What stands beside the picture in a JPEG and changes how it is shown: JFIF, Adobe's word, Exif, a colour profile. */

import { profileLike } from "./colour_profiles.js";
import { turn, turnOf } from "./exif.js";
import { Unclean, ascii, number, startsWith } from "./picture.js";

/** @import { Alters } from "./picture.js" */

const [APP0, APP1, APP2, APP14] = [0xe0, 0xe1, 0xe2, 0xee];
const JFIF = ascii("JFIF\0");
const JFIF_ANEW = [...JFIF, 1, 2, 0, 0, 1, 0, 1, 0, 0]; // square pixels, no preview
const JFIF_SIZE = 14; // bytes
const ADOBE = ascii("Adobe");
const ADOBE_SIZE = 12; // bytes
const EXIF = ascii("Exif\0");
const PROFILE = ascii("ICC_PROFILE\0");

/** Its segments, as they come and anew. */
export class Beside {
  /** @param {Alters} alters */
  constructor(alters) {
    this._alters = alters;
    this._isJfif = false;
    this._transform = -1; // Adobe's word on colours
    this._metadata = 0; // segments of the kind of Exif
    /** @type {Uint8Array | null} */
    this._exif = null;
    this._isFirst = false;
    /** @type {Uint8Array[]} */
    this._profile = []; // by number, from 1
    this._profiles = 0; // how many it says there are
  }

  /**
   * What stands beside the picture and changes how it is shown.
   *
   * @param {number} marker
   * @param {Uint8Array} content
   */
  take(marker, content) {
    if (marker === APP0) {
      this._isJfif ||= content.length >= JFIF_SIZE && startsWith(content, JFIF);
    } else if (marker === APP14 && content.length >= ADOBE_SIZE && startsWith(content, ADOBE)) {
      if (this._transform >= 0 || content[11] > 2) {
        throw new Unclean("two words on colours");
      }
      this._transform = content[11];
    } else if (marker === APP2 && startsWith(content, PROFILE)) {
      this._collect(content.subarray(PROFILE.length));
    } else if (marker === APP1) {
      this._metadata++;
      if (startsWith(content, EXIF)) {
        this._turned(content.subarray(EXIF.length));
      }
    }
  }

  /**
   * Browsers look at the first of these segments alone, or at another: two of them, or one that comes later, are read
   * differently.
   *
   * @param {Uint8Array} content from behind its name on
   */
  _turned(content) {
    if (this._exif) {
      this._alters("Exif twice");
    }
    this._exif ??= content;
    this._isFirst = this._metadata === 1 && content[0] === 0;
  }

  /** @param {Uint8Array} content its number, how many there are, and what is in it */
  _collect(content) {
    const [place, count] = content;
    if (this._profile[place] || !place || place > count) {
      this._alters("a colour profile that is damaged");
    }
    this._profile[place] = content.subarray(2);
    this._profiles = count;
  }

  /**
   * The same anew: how colours are told, how it is turned.
   *
   * @param {number[]} size of the picture, in pixels
   */
  written(size) {
    const parts = this._isJfif ? [put(APP0, JFIF_ANEW)] : [];
    const turned = this._exif ? turnOf(this._exif.subarray(1), size, this._alters) : 1;
    if (turned > 1 && !this._isFirst) {
      this._alters("Exif where not every browser looks");
    } else if (turned > 1) {
      parts.push(put(APP1, [...EXIF, 0, ...turn(turned)]));
    }
    const profile = this._profileAnew();
    if (profile) {
      parts.push(put(APP2, [...PROFILE, 1, 1, ...profile]));
    }
    if (this._transform >= 0) {
      parts.push(put(APP14, [...ADOBE, 0, 100, 0, 0, 0, 0, this._transform]));
    }
    return parts;
  }

  _profileAnew() {
    const parts = this._profile.slice(1);
    if (!this._profile.length) {
      return null;
    }
    const isWhole = parts.length === this._profiles && Array.from(parts).every(Boolean);
    const known = isWhole ? profileLike(Uint8Array.from(parts.flatMap((part) => [...part]))) : null;
    if (!known) {
      this._alters("colours of its own");
    }
    return known;
  }
}

/**
 * A segment.
 *
 * @param {number} marker
 * @param {number[]} content
 */
export function put(marker, content) {
  return Uint8Array.of(0xff, marker, ...number(content.length + 2, 2), ...content);
}
