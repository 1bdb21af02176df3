/** Errors of age files, by the part of the file that is wrong. */

import { Malformed } from "../errors.js";

/** The header, or a stanza of a supported type, does not have the form that age v1 requires. */
export class HeaderError extends Malformed {}

/** No stanza opened, and one of a supported type holds a share of small order, which no honest sender makes. */
export class LowOrderError extends HeaderError {}

/** A stanza opened, but the header's MAC is wrong: the header was altered. */
export class MacError extends Malformed {}

/** A chunk of the payload is altered, missing or extra. */
export class PayloadError extends Malformed {}
