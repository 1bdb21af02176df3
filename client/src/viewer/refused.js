/** A file that is not shown, with a sentence that says why. */
export class Refused extends Error {}
