/** What can be wrong with an age file, by the place where it shows. */

import { Malformed } from "../errors.js";

/** The header, or a stanza of a kind that we read, is not of the form that age v1 gives. */
export class HeaderError extends Malformed {}

/** No stanza opened, and one of a kind that we read holds a share of small order, which no honest sealer makes. */
export class LowOrderError extends HeaderError {}

/** A stanza opened, but the header is not the one that was sealed. */
export class MacError extends Malformed {}

/** A piece of the payload is altered, missing or too many. */
export class PayloadError extends Malformed {}
