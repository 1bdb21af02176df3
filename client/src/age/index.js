/**
 * The age v1 file format, read as strictly as C2SP's age.md demands.
 *
 * Stanzas: `X25519`, `mlkem768x25519`; any other is passed over.  Neither passphrases, ASCII armour nor plugins.
 */

export { HeaderError, LowOrderError, MacError, PayloadError } from "./errors.js";
export { parseHeader } from "./format.js";
export { HybridIdentity, HybridRecipient, MLKEM_PUBLIC } from "./hybrid.js";
export { Opener, Sealer, decrypt, encrypt } from "./stream.js";
export { X25519Identity } from "./x25519.js";
