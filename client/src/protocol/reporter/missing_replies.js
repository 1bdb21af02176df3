/**
 * What replies say of each other is compared with what was found: what is missing, and what differs (SPEC 4.8).
 *
 * So a reply that was kept from the reporter shows as soon as another one arrives that names it.  What could not be a
 * reply is passed over: nobody can say that somebody answers whom the reporter left out.
 */

import { PLACES } from "../code/retrieval.js";

/** @import { Earlier, Message } from "../case/message_kinds.js" */

const DAY = 86_400_000; // milliseconds
const KEPT = 400; // days for which the server keeps replies (SPEC 9.5)

/**
 * A reply by `author` of which `by` knows: it is not there or, if it `differs`, another one is in its place.
 *
 * @typedef {{ author: string, by: string, differs: boolean }} Named
 */

/**
 * Whether an author may reply in a lane: a reader of the report in their own, others from `slots` on (SPEC 3.3).
 *
 * @param {Message} slip
 * @param {number} slots
 * @param {number} lane
 * @param {string} author
 */
export function isPlaceOf({ readers, without }, slots, lane, author) {
  if (without.includes(author) || lane >= 2 * slots) {
    return false;
  }
  return lane < slots ? readers[lane] === author : !readers.includes(author);
}

/**
 * What is missing or differs, one of each kind for each author.
 *
 * @param {Map<string, Message>} held all valid replies by hash, those replaced included, in order
 * @param {number[]} unreadable the places, as lane × 64 + n, in which something invalid lies
 * @param {Message | null} slip without it, lanes are not checked
 * @param {number} slots
 * @param {string} today
 * @returns {Named[]}
 */
export function compare(held, unreadable, slip, slots, today) {
  const replies = [...held.values()];
  const places = new Set(replies.map(({ from, lane = 0, n = 0 }) => `${from} ${lane * PLACES + n}`));
  const replaced = new Set(replies.map(({ from, replaces }) => `${from} ${replaces}`));
  /** @type {Map<string, Named>} */
  const entries = new Map();
  for (const { from: by, earlier = [] } of replies) {
    for (const named of earlier) {
      const { from: author, hash, place } = named;
      const isKnown = held.has(hash) || replaced.has(`${author} ${hash}`) || unreadable.includes(place);
      const canBe = !slip || isPlaceOf(slip, slots, Math.floor(place / PLACES), author);
      if (canBe && !isKnown && !hasExpired(named, today)) {
        const differs = author !== by && places.has(`${author} ${place}`);
        const key = `${author} ${differs}`;
        entries.set(key, entries.get(key) ?? { author, by, differs });
      }
    }
  }
  return [...entries.values()];
}

/**
 * Whether the server no longer keeps it: by the day that is signed, since the server's word could hide a reply.
 *
 * @param {Earlier} named
 * @param {string} today
 */
function hasExpired({ day }, today) {
  return Date.parse(today) - Date.parse(day) > KEPT * DAY;
}
