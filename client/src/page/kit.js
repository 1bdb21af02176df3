/** The pages that the server renders for the program, and the words in them; values come in as text, never as HTML. */

const MARK = /⟦(\w+)⟧/;
const MINUTE = 60; // seconds
const UNITS = ["bytes", "kilobytes", "megabytes", "gigabytes"];

/**
 * What may stand for a mark; null takes away the paragraph, item or form that it is in.
 *
 * @typedef {string | number | Node | null} Value
 * @typedef {Record<string, Value>} Values
 *
 * @typedef {object} Settings
 * @property {string} date
 * @property {string[]} months
 * @property {string[]} weekdays
 * @property {string} comma
 * @property {string} last
 * @property {string} decimal
 * @property {string} words
 * @property {Record<string, string | Record<string, string>>} texts
 * @property {{ days: number, text: string, doneBy: string }[]} plan
 * @property {number} kept days
 * @property {boolean} leapt whether the server doubts its clock, so that no day to come is named
 * @property {number} files
 * @property {number} upload bytes
 */

/** Templates and words of one language. */
export class Kit {
  /** @param {Document} source */
  constructor(source) {
    this._source = source;
    /** @type {Settings} */
    this.settings = JSON.parse(this._template("settings").textContent ?? "");
  }

  /**
   * A page, or a part of one, with its marks filled in; marks without a value stay.
   *
   * @param {string} name
   * @param {Values} [values]
   */
  page(name, values = {}) {
    return fill(/** @type {DocumentFragment} */ (document.importNode(this._template(name), true)), values);
  }

  /**
   * A message with each value apart.
   *
   * @param {string} key
   * @param {Values} [values]
   * @param {number} [n] what chooses its form, and its `n`
   */
  say(key, values = {}, n) {
    const entry = this.settings.texts[key];
    const form = new Intl.PluralRules(document.documentElement.lang).select(n ?? 0);
    const text = typeof entry === "string" ? entry : (entry[form] ?? entry.other);
    /** @type {Values} */
    const given = n === undefined ? values : { ...values, n };
    const parts = text.split(/\{(\w+)\}/).map((part, place) => (place % 2 ? apart(given[part]) : part));
    return fragment(...parts);
  }

  /**
   * Some seconds, in the largest unit that says enough.
   *
   * @param {number} seconds
   */
  duration(seconds) {
    const minutes = Math.ceil(seconds / MINUTE);
    return seconds < MINUTE ? this.say("wait.seconds", {}, Math.ceil(seconds)) : this.say("wait.minutes", {}, minutes);
  }

  /**
   * Several things in a row, each apart.
   *
   * @param {(string | Node)[]} items
   */
  listed(items) {
    const { comma, last } = this.settings;
    const before = (/** @type {number} */ place) => (place === items.length - 1 ? last : comma);
    return fragment(...items.flatMap((item, place) => (place ? [before(place), apart(item)] : [apart(item)])));
  }

  /**
   * A day of the calendar; `long`: with its day of the week.
   *
   * @param {string} day as in 2026-11-22
   * @param {boolean} [long]
   */
  day(day, long = false) {
    const { date, months, comma } = this.settings;
    const [year, month, number] = day.split("-").map(Number);
    const shown = date
      .replace("{day}", String(number))
      .replace("{month}", months[month - 1])
      .replace("{year}", String(year));
    return long ? this.weekday(day) + comma + shown : shown;
  }

  /**
   * A day's day of the week.
   *
   * @param {string} day
   */
  weekday(day) {
    return this.settings.weekdays[(new Date(day).getUTCDay() + 6) % 7];
  }

  /**
   * A size in bytes, in the largest unit that it reaches.
   *
   * @param {number} size
   */
  size(size) {
    const unit = Math.min(3, Math.floor(Math.log2(size || 1) / 10));
    const shown = (size / 1024 ** unit).toFixed(1).replace(/\.0$/, "").replace(".", this.settings.decimal);
    return this.say(`size.${UNITS[unit]}`, { size: document.createTextNode(shown) }).textContent ?? "";
  }

  /** @param {string} name */
  _template(name) {
    return /** @type {HTMLTemplateElement} */ (this._source.getElementById(name)).content;
  }
}

/**
 * Fill in the marks of a part; gives it back.
 *
 * @template {ParentNode & Node} T
 * @param {T} part
 * @param {Values} values
 * @returns {T}
 */
export function fill(part, values) {
  const walker = document.createTreeWalker(part, NodeFilter.SHOW_ALL);
  const nodes = [];
  while (walker.nextNode()) {
    nodes.push(walker.currentNode);
  }
  for (const node of nodes) {
    if (node instanceof Element) {
      for (const { name, value } of [...node.attributes]) {
        node.setAttribute(name, value.replace(MARK, (mark, key) => String(values[key] ?? mark)));
      }
    } else if (node instanceof Text && MARK.test(node.data)) {
      put(node, values);
    }
  }
  return part;
}

/**
 * The same pattern once for each item.
 *
 * @template T
 * @param {Element | null} pattern
 * @param {T[]} items
 * @param {(copy: Element, item: T) => void} each
 */
export function repeat(pattern, items, each) {
  const copies = items.map((item) => {
    const copy = /** @type {Element} */ (pattern?.cloneNode(true));
    each(copy, item);
    return copy;
  });
  pattern?.replaceWith(...copies);
}

/**
 * Nodes and texts together.
 *
 * @param {...(string | Node)} parts
 */
export function fragment(...parts) {
  const whole = document.createDocumentFragment();
  whole.append(...parts);
  return whole;
}

/**
 * A value whose direction does not mix with what stands around it.
 *
 * @param {Value | undefined} value
 * @returns {Node}
 */
export function apart(value) {
  if (value instanceof Node) {
    return value;
  }
  const apart = document.createElement("bdi");
  apart.textContent = String(value);
  return apart;
}

/**
 * @param {Text} node
 * @param {Values} values
 */
function put(node, values) {
  const parts = node.data.split(/⟦(\w+)⟧/);
  if (parts.some((part, place) => place % 2 && values[part] === null)) {
    node.parentElement?.closest("p,li,form,h3,h4")?.remove();
    return;
  }
  const filled = parts.map((part, place) => (place % 2 ? (values[part] ?? `⟦${part}⟧`) : part));
  node.replaceWith(...filled.map((part) => (part instanceof Node ? part : String(part))));
}
