/** The ways in which files are shown.  Each view has an element, perhaps pages, and perhaps pixels to make a copy of. */

import { element } from "./elements.js";
import { pdfFacts, pictureFacts, recordingFacts } from "./hidden.js";
import { MAX_DOCUMENT } from "./limits.js";
import { openPdf } from "./pdf.js";
import { drawPicture } from "./picture.js";
import { Refused } from "./refused.js";
import { ENCODINGS, Text, encodingOf } from "./text.js";

/** @import { Fact } from "./hidden.js" */
/** @import { Kind } from "./kinds.js" */
/** @import { Words } from "./words.js" */

/**
 * @typedef {object} View
 * @property {string} about one line
 * @property {number} count pages
 * @property {boolean} isSeen whether it is blurred and grey until asked for
 * @property {HTMLElement[]} controls of its own
 * @property {(number: number) => Promise<HTMLElement>} page an element for a page, from 1; raises Refused
 * @property {((number: number) => Promise<HTMLCanvasElement>) | null} canvas of a page, for a clean copy
 * @property {() => Promise<Fact[]>} facts
 */

/** @typedef {{ bytes: ArrayBuffer, kind: Kind, words: Words, again: () => void }} Asked `again` shows the page anew */

/**
 * A view of a file.  Raises Refused.
 *
 * @param {Asked} asked
 * @returns {Promise<View>}
 */
export async function viewOf(asked) {
  const { way } = asked.kind;
  if (way !== "media" && asked.bytes.byteLength > MAX_DOCUMENT) {
    throw new Refused("viewer.file_large");
  }
  if (way === "other") {
    throw new Refused("viewer.other_kind", { kind: nameOf(asked) });
  }
  return VIEWS[way](asked);
}

/** @type {Record<Exclude<import("./kinds.js").Way, "other">, (asked: Asked) => Promise<View> | View>} */
const VIEWS = { picture: pictureView, pdf: pdfView, media: mediaView, text: textView };

/** @param {Asked} asked */
async function pictureView(asked) {
  const { bytes, kind, words } = asked;
  const { canvas, width, height, isScaled } = await drawPicture(new Uint8Array(bytes), kind);
  label(canvas, words.say("viewer.picture"));
  const values = { kind: nameOf(asked), width, height, shown_width: canvas.width, shown_height: canvas.height };
  return {
    about: words.say(isScaled ? "viewer.picture_smaller" : "viewer.picture_about", values),
    count: 1,
    isSeen: true,
    controls: [],
    page: async () => canvas,
    canvas: async () => canvas,
    facts: () => pictureFacts(bytes, words),
  };
}

/** @param {Asked} asked */
async function pdfView({ bytes, words }) {
  const program = document.querySelector("#pdf")?.textContent ?? "";
  const pdf = await openPdf(new Uint8Array(bytes), program);
  return {
    about: words.say("viewer.pdf_about", {}, pdf.count),
    count: pdf.count,
    isSeen: true,
    controls: [],
    page: async (/** @type {number} */ number) => label(await pdf.page(number), words.say("viewer.page", { number })),
    canvas: (/** @type {number} */ number) => pdf.page(number),
    facts: async () => pdfFacts(await pdf.about(), words),
  };
}

/** @param {Asked} asked */
function mediaView(asked) {
  const { bytes, words } = asked;
  const { type } = asked.kind;
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  const player = /** @type {HTMLVideoElement} */ (
    element("video", {
      "aria-label": words.say("viewer.recording"),
      controls: "",
      controlslist: "nodownload noremoteplayback nofullscreen",
      disablepictureinpicture: "",
      disableremoteplayback: "",
      preload: "metadata",
    })
  );
  const opened = new Promise((/** @type {(player: HTMLElement) => void} */ resolve, reject) => {
    player.addEventListener("loadedmetadata", () => {
      player.classList.toggle("sound", !player.videoWidth);
      resolve(player);
    });
    player.addEventListener("error", () => reject(new Refused("viewer.recording_unreadable")));
  });
  opened.catch(() => URL.revokeObjectURL(address));
  player.src = address; // it goes with the frame
  return {
    about: nameOf(asked),
    count: 1,
    isSeen: true,
    controls: [],
    page: () => opened,
    canvas: null,
    facts: async () => recordingFacts(new Uint8Array(bytes), words),
  };
}

/** @param {Asked} asked */
function textView(asked) {
  const { bytes, words, again } = asked;
  const encoding = encodingOf(new Uint8Array(bytes));
  const choice = element("select", { autocomplete: "off", id: "encoding" });
  for (const [value, name] of Object.entries(ENCODINGS)) {
    choice.append(element("option", { value, ...(value === encoding && { selected: "" }) }, words.say(name)));
  }
  let text = new Text(new Uint8Array(bytes), encoding);
  /** @type {View} */
  const view = {
    about: "",
    count: 0,
    isSeen: false,
    controls: [element("label", { for: "encoding" }, words.say("viewer.read_as")), choice],
    page: async (number) => element("pre", { dir: "auto", tabindex: "0", "aria-label": words.say("viewer.text") }, text.piece(number)),
    canvas: null,
    facts: async () => [],
  };
  const tell = () => {
    const about = nameOf(asked);
    view.about = text.unseen ? words.say("viewer.text_unseen", { kind: about }, text.unseen) : about;
    view.count = text.count;
  };
  choice.addEventListener("change", () => {
    text = new Text(new Uint8Array(bytes), choice.value);
    tell();
    again();
  });
  tell();
  return view;
}

/**
 * What a kind is called.
 *
 * @param {Asked} asked
 */
function nameOf({ kind, words }) {
  return words.say(kind.name);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} text
 */
function label(canvas, text) {
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  return canvas;
}
