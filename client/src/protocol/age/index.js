/**
 * The age v1 file format, read as strictly as C2SP's age.md demands.
 *
 * Stanzas: `X25519` and `mlkem768x25519`; others are skipped.  No passphrases, ASCII armour or plugins.
 *
 * Tests compare it with the npm package `age-encryption`, which is not used instead (0.3.1): it would add 11 KB to the
 * compressed program, since it includes P-256 and scrypt; it does not limit the size of a header; and its errors do not
 * distinguish a bad header, a bad payload and a file for somebody else.
 */

export { HeaderError, LowOrderError, MacError, PayloadError } from "./errors.js";
export { parseHeader } from "./format.js";
export { HybridIdentity, HybridRecipient, MLKEM_PUBLIC } from "./hybrid.js";
export { Opener, Sealer, decrypt, encrypt } from "./stream.js";
export { X25519Identity } from "./x25519.js";
