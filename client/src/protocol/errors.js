/**
 * The ways in which bytes can be wrong.  *Not for me* is no fault of anybody's; the others are.
 *
 * No text of an error holds plaintext, a key, a word or a token.
 */

/** Base of everything that the protocol refuses; `kind` survives the minifier, which names of classes do not. */
export class ProtocolError extends Error {
  get kind() {
    return "protocol";
  }
}

/** The bytes are damaged or not of the form that SPEC.md gives. */
export class Malformed extends ProtocolError {
  get kind() {
    return "malformed";
  }
}

/** None of the identities at hand opens it. */
export class NotForMe extends ProtocolError {
  get kind() {
    return "not-for-me";
  }
}

/** A signature is not by the key that it claims. */
export class Forged extends ProtocolError {
  get kind() {
    return "forged";
  }
}

/** It was right once, or will be, but not on this day. */
export class Expired extends ProtocolError {
  get kind() {
    return "expired";
  }
}
