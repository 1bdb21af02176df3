/** The sentences of the viewer in the reviewer's language, which the page around it hands over. */

/**
 * @typedef {string | Record<string, string>} Message a text, or one for each plural category
 * @typedef {{ language: string, direction: string, texts: Record<string, Message> }} Given texts by key
 */

/** Texts by key; no key comes out of a file. */
export class Words {
  /** @param {Given} given */
  constructor({ language, texts }) {
    this._language = language;
    this._texts = texts;
  }

  /**
   * A text with its values filled in; its key if there is none.
   *
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   * @param {number} [n] selects the plural form and fills `{n}`
   */
  say(key, values = {}, n = 0) {
    const entry = this._texts[key] ?? key;
    const form = () => new Intl.PluralRules(this._language).select(n);
    const text = typeof entry === "string" ? entry : (entry[form()] ?? entry.other);
    /** @type {Record<string, string | number>} */
    const given = { n, ...values };
    return text.replace(/\{(\w+)\}/g, (_, name) => String(given[name]));
  }
}
