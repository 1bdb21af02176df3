/** Bounds of looking at a file, for the frame and for the page that holds it. */

export const MAX_DOCUMENT = 64 * 1024 * 1024; // bytes of a picture, PDF or text; media may be as large as the page takes
export const MAX_PIXELS = 64 * 1024 * 1024; // of a picture that is decoded: 256 MiB in memory
export const MAX_SIDE = 32_767; // pixels of a picture's side
export const MAX_SHOWN = 16 * 1024 * 1024; // pixels of a picture or page that is drawn, and of a clean copy
export const MAX_SHOWN_SIDE = 8192; // pixels
export const MAX_PAGES = 50; // of a PDF in a clean copy
