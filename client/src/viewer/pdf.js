/**
 * PDF by pdf.js: parsed in a worker of the frame, drawn page by page.
 *
 * Nothing of it runs or is fetched: no scripts, forms of XFA, `eval`, WebAssembly, fonts of the browser's, or addresses.
 */

import { AnnotationMode, PDFWorker, VerbosityLevel, getDocument } from "pdfjs-dist/legacy/build/pdf.mjs";

import { MAX_SHOWN, MAX_SHOWN_SIDE } from "./limits.js";
import { canvasOf, contextOf } from "./picture.js";
import { Refused } from "./refused.js";

const DETAIL = 2; // pixels for each of the 72 parts of an inch
const MOST_LISTED = 100; // files and scripts inside

const SETTINGS = {
  cMapUrl: undefined,
  disableAutoFetch: true,
  disableFontFace: true, // fonts are drawn as lines; the browser's own reader of fonts never sees them
  disableRange: true,
  disableStream: true,
  enableXfa: false,
  isEvalSupported: false,
  isImageDecoderSupported: false,
  maxImageSize: MAX_SHOWN,
  canvasMaxAreaInBytes: 4 * MAX_SHOWN,
  stopAtErrors: false,
  useSystemFonts: true, // for fonts that the file only names
  useWasm: false,
  useWorkerFetch: false,
  verbosity: VerbosityLevel.ERRORS,
};

/**
 * Open a PDF.  Raises Refused.
 *
 * @param {Uint8Array} bytes taken over
 * @param {string} program what the worker runs
 */
export async function openPdf(bytes, program) {
  const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const port = new Worker(address);
  const worker = new PDFWorker({ port: /** @type {any} */ (port), verbosity: SETTINGS.verbosity });
  const task = getDocument({ ...SETTINGS, data: bytes, worker });
  try {
    return new Pdf(await task.promise);
  } catch (error) {
    port.terminate();
    throw new Refused(
      error instanceof Error && error.name === "PasswordException"
        ? "viewer.pdf_locked"
        : "viewer.pdf_damaged",
    );
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** An open PDF. */
class Pdf {
  /** @param {import("pdfjs-dist").PDFDocumentProxy} document */
  constructor(document) {
    this._document = document;
    this.count = document.numPages;
  }

  /**
   * A page on a canvas.  Raises Refused.
   *
   * @param {number} number from 1
   */
  async page(number) {
    try {
      const page = await this._document.getPage(number);
      const plain = page.getViewport({ scale: 1 });
      const { width, height } = plain;
      const most = Math.min(MAX_SHOWN_SIDE / Math.max(width, height), Math.sqrt(MAX_SHOWN / (width * height)));
      const viewport = page.getViewport({ scale: Math.min(DETAIL, most) });
      const canvas = canvasOf(viewport.width, viewport.height);
      const canvasContext = contextOf(canvas);
      await page.render({ canvas: null, canvasContext, viewport, annotationMode: AnnotationMode.ENABLE }).promise;
      page.cleanup();
      return canvas;
    } catch {
      throw new Refused("viewer.page_damaged", { number });
    }
  }

  /** What it says about itself, and what is inside besides pages. */
  async about() {
    const [{ info, metadata }, files, scripts] = await Promise.all([
      this._document.getMetadata(),
      this._document.getAttachments(),
      this._document.getJSActions(),
    ]);
    return {
      info: /** @type {Record<string, unknown>} */ (info),
      xmp: metadata?.getRaw() ?? "",
      files: Object.values(files ?? {}).slice(0, MOST_LISTED).map(({ filename }) => String(filename)),
      hasScripts: Boolean(scripts),
    };
  }
}
