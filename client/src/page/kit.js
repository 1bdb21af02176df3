/** Page templates and messages that the server renders for the script; values are inserted as text, never as HTML. */

const MARK = /⟦(\w+)⟧/; // a placeholder
const MINUTE = 60; // seconds
const UNITS = ["bytes", "kilobytes", "megabytes", "gigabytes"];

/**
 * What a placeholder is replaced with; null removes the paragraph, item or form around it.
 *
 * @typedef {string | number | Node | null} Value
 * @typedef {Record<string, Value>} Values
 *
 * @typedef {object} Settings
 * @property {string} date with {day}, {month} and {year}
 * @property {string} long the same with {weekday}
 * @property {string[]} months
 * @property {string[]} weekdays
 * @property {string} comma
 * @property {string} last
 * @property {string} pair
 * @property {string} decimal
 * @property {string} words
 * @property {Record<string, string | Record<string, string>>} texts
 * @property {{ days: number, text: string, doneBy: string }[]} plan
 * @property {number} kept days
 * @property {boolean} leapt whether the server doubts its clock; no future day is then shown
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
   * A copy of a template with its placeholders filled in; those without a value stay.
   *
   * @param {string} name
   * @param {Values} [values]
   */
  page(name, values = {}) {
    return fill(/** @type {DocumentFragment} */ (document.importNode(this._template(name), true)), values);
  }

  /**
   * A message with its values filled in, each isolated in a `bdi` element.
   *
   * @param {string} key
   * @param {Values} [values]
   * @param {number} [n] selects the plural form and fills `{n}`
   */
  message(key, values = {}, n) {
    const entry = this.settings.texts[key];
    const form = new Intl.PluralRules(document.documentElement.lang).select(n ?? 0);
    const text = typeof entry === "string" ? entry : (entry[form] ?? entry.other);
    /** @type {Values} */
    const given = n === undefined ? values : { ...values, n };
    const parts = text.split(/\{(\w+)\}/).map((part, place) => (place % 2 ? isolate(given[part]) : part));
    return fragment(...parts);
  }

  /**
   * A duration in whole minutes, or in seconds below one minute.
   *
   * @param {number} seconds
   */
  duration(seconds) {
    const minutes = Math.ceil(seconds / MINUTE);
    return seconds < MINUTE ? this.message("wait.seconds", {}, Math.ceil(seconds)) : this.message("wait.minutes", {}, minutes);
  }

  /**
   * A list in the page's language, each item isolated.
   *
   * @param {(string | Node)[]} items
   */
  joined(items) {
    const { comma, last, pair } = this.settings;
    const end = items.length - 1;
    const before = (/** @type {number} */ place) => (place < end ? comma : end === 1 ? pair : last);
    return fragment(...items.flatMap((item, place) => (place ? [before(place), isolate(item)] : [isolate(item)])));
  }

  /**
   * A date in the page's language; `long` adds the day of the week.
   *
   * @param {string} day as in 2026-11-22
   * @param {boolean} [long]
   */
  day(day, long = false) {
    const { date, long: full, months } = this.settings;
    const [year, month, number] = day.split("-");
    /** @type {Record<string, string>} */
    const parts = { day: String(Number(number)), month: months[Number(month) - 1], year, weekday: this.weekday(day) };
    return (long ? full : date).replace(/\{(\w+)\}/g, (_, name) => parts[name]);
  }

  /**
   * The day of the week of a date.
   *
   * @param {string} day
   */
  weekday(day) {
    return this.settings.weekdays[(new Date(day).getUTCDay() + 6) % 7];
  }

  /**
   * A size in the largest unit of which it has at least one.
   *
   * @param {number} size bytes
   */
  size(size) {
    const unit = Math.min(3, Math.floor(Math.log2(size || 1) / 10));
    const shown = (size / 1024 ** unit).toFixed(1).replace(/\.0$/, "").replace(".", this.settings.decimal);
    return this.message(`size.${UNITS[unit]}`, { size: document.createTextNode(shown) }).textContent ?? "";
  }

  /** @param {string} name */
  _template(name) {
    return /** @type {HTMLTemplateElement} */ (this._source.getElementById(name)).content;
  }
}

/**
 * Fill in the placeholders of a part; returns the part.
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
      fillText(node, values);
    }
  }
  return part;
}

/**
 * Replace a pattern by one copy of it for each item.
 *
 * @template T
 * @param {Element | null} pattern
 * @param {T[]} items
 * @param {(copy: Element, item: T) => void} fillCopy
 */
export function repeat(pattern, items, fillCopy) {
  const copies = items.map((item) => {
    const copy = /** @type {Element} */ (pattern?.cloneNode(true));
    fillCopy(copy, item);
    return copy;
  });
  pattern?.replaceWith(...copies);
}

/**
 * Put other content into a box on the page, which stays at least as high as it was: what is below does not move up.
 *
 * @param {HTMLElement | null} box
 * @param {Node} content
 */
export function refill(box, content) {
  if (box) {
    box.style.minBlockSize = `${box.getBoundingClientRect().height}px`;
    box.replaceChildren(content);
  }
}

/**
 * A document fragment of nodes and texts.
 *
 * @param {...(string | Node)} parts
 */
export function fragment(...parts) {
  const whole = document.createDocumentFragment();
  whole.append(...parts);
  return whole;
}

/**
 * A value in a `bdi` element, so that its writing direction does not affect the text around it; nodes stay as they are.
 *
 * @param {Value | undefined} value
 * @returns {Node}
 */
export function isolate(value) {
  if (value instanceof Node) {
    return value;
  }
  const element = document.createElement("bdi");
  element.textContent = String(value);
  return element;
}

/**
 * @param {Text} node
 * @param {Values} values
 */
function fillText(node, values) {
  const parts = node.data.split(/⟦(\w+)⟧/);
  if (parts.some((part, place) => place % 2 && values[part] === null)) {
    node.parentElement?.closest("p,li,form,h3,h4")?.remove();
    return;
  }
  const filled = parts.map((part, place) => (place % 2 ? (values[part] ?? `⟦${part}⟧`) : part));
  node.replaceWith(...filled.map((part) => (part instanceof Node ? part : String(part))));
}
