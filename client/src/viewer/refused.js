/** A file that is not shown, with the key of the sentence that says why, and its values. */
export class Refused extends Error {
  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   */
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}
