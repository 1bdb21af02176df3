/**
 * The age v1 file format, read as strictly as C2SP's age.md demands.
 *
 * Stanzas: `X25519`, `mlkem768x25519`; any other is passed over.  Neither passphrases, ASCII armour nor plugins.
 *
 * Tests hold it against the npm package `age-encryption`, which is not used in its place (0.3.1): it would make the
 * program 11 KB larger, compressed, since P-256 and scrypt come with it; it sets no bound to a header; and its errors do
 * not tell a header's fault from a payload's, nor either from a file for somebody else.
 */

export { HeaderError, LowOrderError, MacError, PayloadError } from "./errors.js";
export { parseHeader } from "./format.js";
export { HybridIdentity, HybridRecipient, MLKEM_PUBLIC } from "./hybrid.js";
export { Opener, Sealer, decrypt, encrypt } from "./stream.js";
export { X25519Identity } from "./x25519.js";
