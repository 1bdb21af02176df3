/** Pictures that cannot be cleaned, or only by changing how they look. */

/**
 * A file cannot be cleaned, or, if `alters`, only in a way that changes how browsers show it.
 *
 * `names` lists the files that cannot be cleaned, `altered` those that would look different.
 */
export class Unclean extends Error {
  /**
   * @param {string} message
   * @param {{ alters?: boolean, names?: string[], altered?: string[] }} [which]
   */
  constructor(message, { alters = false, names = [], altered = [] } = {}) {
    super(message);
    this.alters = alters;
    this.names = names;
    this.altered = altered;
  }

  get kind() {
    return "unclean";
  }
}

/**
 * Called when leaving a part out would change how the picture looks; may raise Unclean to stop.
 *
 * @typedef {(what: string) => void} Alters
 */

/**
 * Accept that the picture will look different.
 *
 * @param {string} _what
 */
export function allowAlteration(_what) {}

/**
 * Refuse to clean a picture that would look different.
 *
 * @param {string} what
 */
export function refuseAlteration(what) {
  throw new Unclean(what, { alters: true });
}
