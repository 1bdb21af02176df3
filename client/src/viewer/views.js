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

/** @typedef {{ bytes: ArrayBuffer, kind: Kind, again: () => void }} Asked `again` shows the page anew */

/**
 * A view of a file.  Raises Refused.
 *
 * @param {Asked} asked
 * @returns {Promise<View>}
 */
export async function viewOf(asked) {
  const { way, name } = asked.kind;
  if (way !== "media" && asked.bytes.byteLength > MAX_DOCUMENT) {
    throw new Refused("The file is too large to be shown here.");
  }
  if (way === "other") {
    throw new Refused(`This is a ${name}. Files of this kind are not shown here.`);
  }
  return VIEWS[way](asked);
}

/** @type {Record<Exclude<import("./kinds.js").Way, "other">, (asked: Asked) => Promise<View> | View>} */
const VIEWS = { picture: pictureView, pdf: pdfView, media: mediaView, text: textView };

/** @param {Asked} asked */
async function pictureView({ bytes, kind }) {
  const { canvas, width, height, isScaled } = await drawPicture(new Uint8Array(bytes), kind);
  label(canvas, "The picture");
  return {
    about: `${kind.name}, ${width} × ${height} pixels${isScaled ? `, shown at ${canvas.width} × ${canvas.height}` : ""}`,
    count: 1,
    isSeen: true,
    controls: [],
    page: async () => canvas,
    canvas: async () => canvas,
    facts: () => pictureFacts(bytes),
  };
}

/** @param {Asked} asked */
async function pdfView({ bytes, kind }) {
  const program = document.querySelector("#pdf")?.textContent ?? "";
  const pdf = await openPdf(new Uint8Array(bytes), program);
  return {
    about: `${kind.name}, ${pdf.count} ${pdf.count === 1 ? "page" : "pages"}`,
    count: pdf.count,
    isSeen: true,
    controls: [],
    page: async (/** @type {number} */ number) => label(await pdf.page(number), `Page ${number}`),
    canvas: (/** @type {number} */ number) => pdf.page(number),
    facts: async () => pdfFacts(await pdf.about()),
  };
}

/** @param {Asked} asked */
function mediaView({ bytes, kind }) {
  const { type } = kind;
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  const player = /** @type {HTMLVideoElement} */ (
    element("video", {
      "aria-label": "The recording",
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
    player.addEventListener("error", () => reject(new Refused("This browser cannot play the recording.")));
  });
  opened.catch(() => URL.revokeObjectURL(address));
  player.src = address; // it goes with the frame
  return {
    about: kind.name,
    count: 1,
    isSeen: true,
    controls: [],
    page: () => opened,
    canvas: null,
    facts: async () => recordingFacts(new Uint8Array(bytes)),
  };
}

/** @param {Asked} asked */
function textView({ bytes, kind, again }) {
  const encoding = encodingOf(new Uint8Array(bytes));
  const choice = element("select", { autocomplete: "off", id: "encoding" });
  for (const [value, name] of Object.entries(ENCODINGS)) {
    choice.append(element("option", { value, ...(value === encoding && { selected: "" }) }, name));
  }
  let text = new Text(new Uint8Array(bytes), encoding);
  /** @type {View} */
  const view = {
    about: "",
    count: 0,
    isSeen: false,
    controls: [element("label", { for: "encoding" }, "Read as"), choice],
    page: async (number) => element("pre", { dir: "auto", tabindex: "0", "aria-label": "The text" }, text.piece(number)),
    canvas: null,
    facts: async () => [],
  };
  const tell = () => {
    const marked = text.unseen ? `; ${text.unseen} characters that cannot be seen are marked by their numbers` : "";
    view.about = `${kind.name}${marked}`;
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
 * @param {HTMLCanvasElement} canvas
 * @param {string} text
 */
function label(canvas, text) {
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  return canvas;
}
