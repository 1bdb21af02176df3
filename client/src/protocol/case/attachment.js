/**
 * Attachments as blocks of 256 KiB that are nothing but ciphertext (SPEC 6).
 *
 * An attachment is an age file sealed to a fresh X25519 identity.  Its header and nonce are in the message, so that
 * blocks are indistinguishable; no public key is visible outside a sealed message.  Everything streams.
 */

import { blake2b } from "@noble/hashes/blake2.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, randomBytes } from "@noble/hashes/utils.js";

import { Opener as AgeOpener, Sealer as AgeSealer, X25519Identity } from "../age/index.js";
import * as base64 from "../base64.js";
import { Malformed, NotForMe } from "../errors.js";
import * as schema from "../schema.js";

/** @import { Hash } from "../../worker/hashing.js" */

export const BLOCK = 262_144; // bytes
const PIECE = 65_536; // bytes of plaintext in a chunk of the age stream
const TAG = 16; // bytes
const HEADER = 184; // bytes: age header and nonce
const SEED = 32; // bytes
const ID = 16; // bytes
export const MAX_SIZE = 2 ** 36; // bytes of content
export const MAX_BLOCKS = 262_208; // in all attachments of a message; as many as MAX_SIZE takes
const IDENTITY = 74; // characters of an identity's text
const MAX_NAME = 255; // characters
const MAX_TYPE = 127; // characters
const MAX_ENDING = 16; // characters of a file's ending that are kept

/**
 * A sealed block and its id on the server.
 *
 * @typedef {{ id: Uint8Array, body: Uint8Array }} Block
 *
 * What a message says of an attachment; whoever has it can fetch and open the blocks.
 *
 * @typedef {object} Attachment
 * @property {"file" | "rest"} kind
 * @property {string} name
 * @property {string} type
 * @property {number} size bytes
 * @property {string} sha256
 * @property {number} blocks
 * @property {string} seed
 * @property {string} header base64
 * @property {string} identity
 */

/**
 * The form of an X25519 identity's text.
 *
 * @type {schema.Form}
 */
function identity(value) {
  if (typeof value !== "string" || value.length !== IDENTITY) {
    throw new Malformed("not an identity");
  }
  return X25519Identity.fromText(value).text;
}

/** @type {schema.Kind} */
export const ATTACHMENT = {
  name: "Attachment",
  fields: {
    kind: schema.oneOf("file", "rest"),
    name: schema.text(MAX_NAME),
    type: schema.text(MAX_TYPE),
    size: schema.integer(0, MAX_SIZE),
    sha256: schema.hexadecimal(32),
    blocks: schema.integer(1, MAX_BLOCKS),
    seed: schema.hexadecimal(SEED),
    header: schema.base64Of(HEADER),
    identity,
  },
  check(/** @type {Attachment} */ { blocks, size }) {
    if (blocks !== blocksFor(size)) {
      throw new Malformed("an attachment's size and number of blocks disagree");
    }
  },
};

/**
 * How many bytes of plaintext that number of blocks holds.
 *
 * @param {number} blocks
 */
export function capacity(blocks) {
  const sealed = blocks * BLOCK;
  return sealed - TAG * Math.ceil(sealed / (PIECE + TAG));
}

/**
 * The number of blocks for a content of `size` bytes; never one whose last chunk would be empty.
 *
 * @param {number} size
 */
export function blocksFor(size) {
  let blocks = Math.max(1, Math.floor(size / BLOCK));
  while (capacity(blocks) < size || endsEmpty(blocks)) {
    blocks++;
  }
  return blocks;
}

/**
 * The id of 16 bytes of a block.
 *
 * @param {Uint8Array} seed
 * @param {number} index
 * @returns {Uint8Array}
 */
export function blockId(seed, index) {
  const counter = new DataView(new ArrayBuffer(4));
  counter.setUint32(0, index);
  return blake2b(new Uint8Array(counter.buffer), { dkLen: ID, key: seed });
}

/**
 * The ids of all blocks, in order.
 *
 * @param {Attachment} attachment
 */
export function blockIds(attachment) {
  const seed = hexToBytes(attachment.seed);
  return Array.from({ length: attachment.blocks }, (_, index) => blockId(seed, index));
}

/**
 * A file's name cut to what a record holds, its ending kept; made valid Unicode.
 *
 * @param {string} name
 */
export function shortenedName(name) {
  const characters = Array.from(valid(name));
  if (characters.length <= MAX_NAME) {
    return characters.join("");
  }
  const dot = characters.lastIndexOf(".");
  const tail = dot > 0 && characters.length - dot - 1 <= MAX_ENDING ? characters.slice(dot) : [];
  return [...characters.slice(0, MAX_NAME - tail.length), ...tail].join("");
}

/** Seals one content as it streams by, holding less than two blocks of it. */
export class Sealer {
  /** @param {{ update: (data: Uint8Array) => unknown, digest: () => Uint8Array } | null} [hash] null: elsewhere */
  constructor(hash = sha256.create()) {
    this._identity = X25519Identity.generate();
    this._age = new AgeSealer([this._identity.recipient]);
    this._seed = randomBytes(SEED);
    this._hash = hash;
    this._size = 0;
    this._count = 0;
    this._ready = new Uint8Array(BLOCK);
    this._used = 0;
  }

  /**
   * Take the next bytes of the content; the blocks that are ready.
   *
   * @param {Uint8Array} data
   */
  update(data) {
    this._size += data.length;
    if (this._size > MAX_SIZE) {
      throw new RangeError("an attachment is too large");
    }
    this._hash?.update(data);
    return this._cut(this._age.update(data));
  }

  /**
   * Fill the last block with zeros; the last blocks, and the record for the message.
   *
   * @param {string} name
   * @param {string} type
   * @param {"file" | "rest"} [kind]
   * @param {Uint8Array} [digest] SHA-256 of the content, where it was taken elsewhere
   */
  finish(name, type, kind = "file", digest = /** @type {{ digest: () => Uint8Array }} */ (this._hash).digest()) {
    const blocks = blocksFor(this._size);
    const missing = capacity(blocks) - this._size; // less than two blocks and a half
    const last = [...this._cut(this._age.update(new Uint8Array(missing))), ...this._cut(this._age.finish())];
    /** @type {Attachment} */
    const record = {
      kind,
      name: shortenedName(name),
      type: Array.from(valid(type)).slice(0, MAX_TYPE).join(""),
      size: this._size,
      sha256: bytesToHex(digest),
      blocks,
      seed: bytesToHex(this._seed),
      header: base64.encode(this._age.header),
      identity: this._identity.text,
    };
    return { blocks: last, record };
  }

  /**
   * @param {Uint8Array} sealed
   * @returns {Block[]}
   */
  _cut(sealed) {
    const blocks = [];
    for (let at = 0; at < sealed.length; ) {
      const room = Math.min(BLOCK - this._used, sealed.length - at);
      this._ready.set(sealed.subarray(at, at + room), this._used);
      this._used += room;
      at += room;
      if (this._used === BLOCK) {
        blocks.push({ id: blockId(this._seed, this._count++), body: this._ready.slice() });
        this._used = 0;
      }
    }
    return blocks;
  }
}

/**
 * Opens one attachment from its blocks, in order.
 *
 * Everything that `update` returns is authentic, but only after `finish` is the content complete: release nothing
 * before.
 */
export class Opener {
  /** @param {Attachment} attachment */
  constructor(attachment) {
    this._attachment = attachment;
    this._age = new AgeOpener([X25519Identity.fromText(attachment.identity)]);
    this._begin(schema.unbase64(attachment.header));
    this._hash = sha256.create();
    this._left = attachment.size;
    this._blocks = 0;
  }

  /** @param {Uint8Array} header */
  _begin(header) {
    try {
      this._age.update(header);
    } catch (error) {
      if (error instanceof NotForMe) {
        throw new Malformed("an attachment's header and its identity do not belong together");
      }
      throw error;
    }
  }

  /**
   * The content that the next block makes certain; Malformed if it was altered.
   *
   * @param {Uint8Array} block
   */
  update(block) {
    this._blocks++;
    if (block.length !== BLOCK || this._blocks > this._attachment.blocks) {
      throw new Malformed("an attachment has another number or size of blocks");
    }
    return this._content(this._age.update(block));
  }

  /** The last of the content; Malformed unless all of it was there and is what the message says. */
  finish() {
    const last = this._content(this._age.finish());
    if (this._left || this._blocks !== this._attachment.blocks) {
      throw new Malformed("an attachment is cut off");
    }
    if (bytesToHex(this._hash.digest()) !== this._attachment.sha256) {
      throw new Malformed("an attachment's content is not what its message says");
    }
    return last;
  }

  /** @param {Uint8Array} plaintext */
  _content(plaintext) {
    const content = plaintext.subarray(0, this._left);
    if (plaintext.subarray(content.length).some(Boolean)) {
      throw new Malformed("an attachment is not padded with zeros");
    }
    this._left -= content.length;
    this._hash.update(content);
    return content;
  }
}

/**
 * The blocks of a content that streams by, in constant memory; returns its record.
 *
 * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} content
 * @param {string} name
 * @param {string} type
 * @param {Hash} [hash]
 * @returns {AsyncGenerator<Block, Attachment, void>}
 */
export async function* seal(content, name, type, hash = sha256.create()) {
  const sealer = new Sealer(null);
  for await (const data of content) {
    await hash.update(data);
    for (let at = 0; at < data.length; at += BLOCK) {
      yield* sealer.update(data.subarray(at, at + BLOCK));
    }
  }
  const { blocks, record } = sealer.finish(name, type, "file", await hash.digest());
  yield* blocks;
  return record;
}

/**
 * The content of an attachment from the bodies of its blocks, in constant memory; raises Malformed.
 *
 * What it has given is the whole content only when it ends without an error.
 *
 * @param {Attachment} attachment
 * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} bodies
 * @returns {AsyncGenerator<Uint8Array, void, void>}
 */
export async function* open(attachment, bodies) {
  const opener = new Opener(attachment);
  for await (const body of bodies) {
    yield opener.update(body);
  }
  yield opener.finish();
}

/**
 * A small attachment at once.
 *
 * @param {Attachment} attachment
 * @param {Uint8Array[]} bodies
 */
export function openWhole(attachment, bodies) {
  const opener = new Opener(attachment);
  return concatBytes(...bodies.map((body) => opener.update(body)), opener.finish());
}

/**
 * Whether the last chunk of so many blocks would hold nothing but its tag, or less.
 *
 * @param {number} blocks
 */
function endsEmpty(blocks) {
  const over = (blocks * BLOCK) % (PIECE + TAG);
  return over > 0 && over <= TAG;
}

/** @param {string} text */
function valid(text) {
  return text.replace(/\p{Surrogate}/gu, "?");
}
