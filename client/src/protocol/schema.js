/**
 * Schemas of records in canonical JSON: a table of fields, each with the form that its value must have.
 *
 * `parse` refuses unknown fields, missing ones and every value that is not of its form; a field with a default is
 * absent exactly when it has that default or is empty, so that a record has one form only.  Records are plain objects
 * with the field names of the JSON; days stay ISO text, which sorts by time.
 */

import * as base64 from "./base64.js";
import { Malformed } from "./errors.js";

/**
 * Checks a JSON value and returns it; raises Malformed.
 *
 * @typedef {(value: any) => any} Form
 *
 * The schema of a record: its name, fields, defaults of optional fields, and a check across fields.
 *
 * @typedef {object} Kind
 * @property {string} name
 * @property {Record<string, Form>} fields
 * @property {Record<string, any>} [defaults]
 * @property {(record: any) => void} [check]
 */

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
const HEX = /^[0-9a-f]*$/;
const DAY = /^2[0-9]{3}-[0-9]{2}-[0-9]{2}$/;
const MILLISECONDS = 86_400_000; // of a day

/**
 * A record of the given kind from parsed JSON.
 *
 * @param {Kind} kind
 * @param {unknown} value
 * @returns {any}
 */
export function parse(kind, value) {
  require(isObject(value), `${kind.name}: not an object`);
  const left = new Map(Object.entries(/** @type {object} */ (value)));
  /** @type {Record<string, any>} */
  const parsed = {};
  for (const [name, form] of Object.entries(kind.fields)) {
    const optional = name in (kind.defaults ?? {});
    if (left.has(name)) {
      parsed[name] = form(left.get(name));
      require(!optional || !isEmpty(parsed[name]), `${kind.name}: ${name} must be left out`);
      left.delete(name);
    } else {
      require(optional, `${kind.name}: ${name} is missing`);
      parsed[name] = kind.defaults?.[name];
    }
  }
  require(!left.size, `${kind.name}: an unknown field`);
  kind.check?.(parsed);
  return parsed;
}

/**
 * The JSON value of a record, without fields that have their default or are empty.
 *
 * @param {Kind} kind
 * @param {Record<string, any>} record
 */
export function toJson(kind, record) {
  const names = Object.keys(kind.fields).filter((name) => !(name in (kind.defaults ?? {})) || !isEmpty(record[name]));
  return Object.fromEntries(names.map((name) => [name, record[name]]));
}

/**
 * Text of at most `limit` characters.
 *
 * @param {number} limit
 * @returns {Form}
 */
export function text(limit) {
  return (value) => required(typeof value === "string" && isShort(value, limit), value, "text");
}

/**
 * An id chosen by people: at most 32 lower-case letters, digits and hyphens.
 *
 * @type {Form}
 */
export function identifier(value) {
  return required(typeof value === "string" && NAME.test(value), value, "id");
}

/**
 * Lower-case hexadecimal of `size` bytes.
 *
 * @param {number} size
 * @returns {Form}
 */
export function hexadecimal(size) {
  return (value) =>
    required(typeof value === "string" && value.length === 2 * size && HEX.test(value), value, "hexadecimal");
}

/**
 * Standard padded base64 of `size` bytes, decoded with `unbase64`.
 *
 * @param {number} size
 * @returns {Form}
 */
export function base64Of(size) {
  return (value) => required(unbase64(value).length === size, value, "base64");
}

/**
 * The bytes of canonical padded base64; Malformed otherwise.
 *
 * @param {unknown} value
 * @returns {Uint8Array}
 */
export function unbase64(value) {
  const data = typeof value === "string" ? base64.decode(value) : null;
  if (!data) {
    throw new Malformed("not canonical base64");
  }
  return data;
}

/**
 * An integer from `low` to `high`, both included.
 *
 * @param {number} low
 * @param {number} high
 * @returns {Form}
 */
export function integer(low, high) {
  return (value) => required(Number.isInteger(value) && low <= value && value <= high, value, "integer");
}

/**
 * True or false.
 *
 * @type {Form}
 */
export function boolean(value) {
  return required(typeof value === "boolean", value, "flag");
}

/**
 * An ISO date in the years 2000 to 2999.
 *
 * @type {Form}
 */
export function day(value) {
  require(typeof value === "string" && DAY.test(value), "not of the form: day");
  const time = Date.parse(`${value}T00:00:00Z`);
  return required(!Number.isNaN(time) && new Date(time).toISOString().startsWith(value), value, "day");
}

/**
 * The days from 1970-01-01 to an ISO day.
 *
 * @param {string} value
 */
export function dayNumber(value) {
  return Date.parse(`${value}T00:00:00Z`) / MILLISECONDS;
}

/**
 * One of the given words.
 *
 * @param {...string} values
 * @returns {Form}
 */
export function oneOf(...values) {
  return (value) => required(values.includes(value), value, "word");
}

/**
 * A value of the form, or null.
 *
 * @param {Form} form
 * @returns {Form}
 */
export function nullable(form) {
  return (value) => (value === null ? null : form(value));
}

/**
 * A list of at most `limit` values of one form; if `unique`, of strings.
 *
 * @param {Form} form
 * @param {number} limit
 * @param {boolean} [unique]
 * @returns {Form}
 */
export function listOf(form, limit, unique) {
  return (value) => {
    require(Array.isArray(value) && value.length <= limit, "not of the form: list");
    const items = value.map(form);
    return required(!unique || new Set(items).size === items.length, items, "list without repetition");
  };
}

/**
 * An object of at most `limit` entries, with one form for names and one for values.
 *
 * @param {Form} key
 * @param {Form} form
 * @param {number} limit
 * @returns {Form}
 */
export function mapping(key, form, limit) {
  return (value) => {
    require(isObject(value) && Object.keys(value).length <= limit, "not of the form: object");
    return Object.fromEntries(Object.entries(value).map(([one, item]) => [key(one), form(item)]));
  };
}

/**
 * A record within a record.
 *
 * @param {Kind} kind
 * @returns {Form}
 */
export function record(kind) {
  return (value) => parse(kind, value);
}

/**
 * Whether a text has at most `limit` code points; a string's length counts UTF-16 units.
 *
 * @param {string} value
 * @param {number} limit
 */
export function isShort(value, limit) {
  return value.length <= limit || (value.length <= 2 * limit && Array.from(value).length <= limit);
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Whether a value is empty, so that its optional field is left out.
 *
 * @param {any} value
 */
export function isEmpty(value) {
  return value === "" || value == null || (typeof value === "object" && !Object.keys(value).length);
}

/**
 * @param {boolean} good
 * @param {any} value
 * @param {string} what
 */
function required(good, value, what) {
  require(good, `not of the form: ${what}`);
  return value;
}

/**
 * @param {boolean} good
 * @param {string} what
 */
function require(good, what) {
  if (!good) {
    throw new Malformed(what);
  }
}
