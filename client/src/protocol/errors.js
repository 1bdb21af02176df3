/**
 * Errors of the protocol.  *Not for me* is an expected outcome; the others mean that something is wrong.
 *
 * No error text holds plaintext, a key, a word or a token.
 */

/** Base class of the protocol's errors; `kind` survives minification, class names do not. */
export class ProtocolError extends Error {
  get kind() {
    return "protocol";
  }
}

/** The bytes are damaged or do not have the form that SPEC.md requires. */
export class Malformed extends ProtocolError {
  get kind() {
    return "malformed";
  }
}

/** None of the given identities opens it. */
export class NotForMe extends ProtocolError {
  get kind() {
    return "not-for-me";
  }
}

/** A signature was not made by the key that it names. */
export class Forged extends ProtocolError {
  get kind() {
    return "forged";
  }
}

/** Valid on other days, but not on this one. */
export class Expired extends ProtocolError {
  get kind() {
    return "expired";
  }
}
