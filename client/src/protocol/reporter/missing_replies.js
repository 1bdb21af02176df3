/**
 * What replies say of each other is compared with what was found: what is missing, and what differs (SPEC 4.8).
 *
 * So a reply that was kept from the reporter shows as soon as another one arrives that names it.
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
 * What is missing or differs, one of each kind for each author.
 *
 * @param {Map<string, Message>} held all valid replies by hash, those replaced included, in order
 * @param {number[]} unreadable the places, as lane × 64 + n, in which something invalid lies
 * @param {string} today
 * @returns {Named[]}
 */
export function compare(held, unreadable, today) {
  const replies = [...held.values()];
  const places = new Set(replies.map(({ from, lane = 0, n = 0 }) => `${from} ${lane * PLACES + n}`));
  const replaced = new Set(replies.map(({ from, replaces }) => `${from} ${replaces}`));
  /** @type {Map<string, Named>} */
  const found = new Map();
  for (const { from: by, earlier = [] } of replies) {
    for (const named of earlier) {
      const { from: author, hash, place } = named;
      const isKnown = held.has(hash) || replaced.has(`${author} ${hash}`) || unreadable.includes(place);
      if (!isKnown && !hasExpired(named, today)) {
        const differs = author !== by && places.has(`${author} ${place}`);
        const key = `${author} ${differs}`;
        found.set(key, found.get(key) ?? { author, by, differs });
      }
    }
  }
  return [...found.values()];
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
