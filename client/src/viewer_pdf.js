/** Entry point of viewer_pdf.js, which parses PDF in a worker of the viewer's frame. */

import "pdfjs-dist/legacy/build/pdf.worker.mjs";
