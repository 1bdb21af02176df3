/**
 * Builds what pages load, the same bytes each time: for the server whistle.js, pictures.js and words.js, for the
 * workstation look.js, viewer.js and viewer_pdf.js.
 *
 * `node build.mjs` writes them to where they are served from; `--sizes` tells how large they are.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";

import { FILE } from "./src/protocol/code/word_list_file.js";
import "./src/protocol/code/word_lists.js";
import { LANGUAGES, wordlist } from "./src/protocol/code/words.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const WHISTLE = fileURLToPath(new URL("../whistle/", import.meta.url));
const SERVER = "server/reporter/static/";
const WORKSTATION = "workstation/app/static/";
const BANNER = "/*! Holds noble and scure, MIT License, (c) Paul Miller, paulmillr.com */";
const PDF = `/*! Holds pdf.js, Apache License 2.0, (c) Mozilla Foundation, github.com/mozilla/pdf.js, and core-js, MIT License,
(c) Denis Pushkarev, github.com/zloirock/core-js (whole licences: viewer.licences.txt)`;
const VIEWER = `${PDF}, and ExifReader, Mozilla Public License 2.0, (c) Mattias Wallander, unchanged,
whose source is at github.com/mattiasw/ExifReader */`;
const WORKER = `${PDF}, and OpenJPEG, BSD 2-Clause License, (c) its authors, github.com/uclouvain/openjpeg */`;

/** What pdf.js would load from an address when it meets a JPEG 2000 is put into the program, without WebAssembly. */
const JPEG_2000 = {
  name: "jpeg-2000",
  setup(/** @type {import("esbuild").PluginBuild} */ builder) {
    builder.onLoad({ filter: /pdf\.worker\.mjs$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const found = source.split(LOADED);
      if (found.length !== 2) {
        throw new Error("pdf.js loads JPEG 2000 in another way: see LOADED");
      }
      return { contents: found.join('import("../../wasm/openjpeg_nowasm_fallback.js")'), loader: "js" };
    });
  },
};
const LOADED = /import\(\s*\/\*webpackIgnore: true\*\/\s*\/\*@vite-ignore\*\/\s*path\s*\)/;

/**
 * A program, minified, for browsers of 2020 and later.
 *
 * @param {string} entry
 * @param {string} [banner]
 */
async function program(entry, banner = "") {
  const { outputFiles } = await build({
    absWorkingDir: HERE,
    banner: { js: banner },
    bundle: true,
    define: { "import.meta.url": '""', __non_webpack_require__: "undefined" }, // only used outside of browsers
    charset: "utf8",
    entryPoints: [`src/${entry}`],
    format: "iife",
    legalComments: "none",
    minify: true,
    plugins: [JPEG_2000],
    target: "es2020",
    tsconfigRaw: {}, // what type checking is told changes nothing here
    write: false,
  });
  return outputFiles[0].contents;
}

/**
 * The page's program, as a function with a name: its text is what the page starts as its worker, so that it is loaded
 * once.
 */
async function whistle() {
  const text = Buffer.from(await program("main.js")).toString();
  return Buffer.from(`${BANNER}\nfunction whistle(){${text}}whistle();\n`);
}

/** The lists of words, one word a line, as a script: scripts alone are loaded beside the program. */
function lists() {
  const all = LANGUAGES.flatMap((language) => wordlist(language)).join("\n");
  return Buffer.from(`whistleWords=${JSON.stringify(`${all}\n`)}\n`);
}

const CORE_JS = `Copyright (c) Denis Pushkarev

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
const PDF_JS = "node_modules/pdfjs-dist/";
/** @type {[string, string][]} */
const LICENCES = [
  ["pdf.js, github.com/mozilla/pdf.js", `${PDF_JS}LICENSE`],
  ["OpenJPEG, github.com/uclouvain/openjpeg, in pdf.js", `${PDF_JS}wasm/LICENSE_OPENJPEG`],
  ["PDFium's JBIG2, pdfium.googlesource.com, in pdf.js", `${PDF_JS}wasm/LICENSE_JBIG2`],
  ["qcms, github.com/FirefoxGraphics/qcms, in pdf.js", `${PDF_JS}wasm/LICENSE_QCMS`],
  ["ExifReader, github.com/mattiasw/ExifReader, unchanged", "node_modules/exifreader/LICENSE"],
];

/** The licences of what is in the viewer and not ours. */
async function licences() {
  const texts = [`core-js, github.com/zloirock/core-js, in pdf.js\n\n${CORE_JS}\n`];
  for (const [name, path] of LICENCES) {
    texts.push(`${name}\n\n${await readFile(`${HERE}${path}`, "utf8")}`);
  }
  return Buffer.from(texts.join(`\n${"-".repeat(100)}\n\n`));
}

/** Every file of a build, by its path in `whistle/`. */
export async function files() {
  return new Map([
    [`${SERVER}whistle.js`, await whistle()],
    [`${SERVER}${FILE}`, lists()],
    [`${SERVER}pictures.js`, await program("pictures.js")],
    [`${WORKSTATION}look.js`, await program("look.js")],
    [`${WORKSTATION}viewer.js`, await program("viewer.js", VIEWER)],
    [`${WORKSTATION}viewer_pdf.js`, await program("viewer_pdf.js", WORKER)],
    [`${WORKSTATION}viewer.licences.txt`, await licences()],
  ]);
}

/**
 * How many bytes a file has, and how many when compressed.
 *
 * @param {Uint8Array} content
 */
export function sizes(content) {
  return {
    plain: content.length,
    gzip: gzipSync(content, { level: 9 }).length,
    brotli: brotliCompressSync(content).length,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const built = await files();
  for (const [path, content] of built) {
    await mkdir(dirname(`${WHISTLE}${path}`), { recursive: true });
    await writeFile(`${WHISTLE}${path}`, content);
  }
  if (process.argv.includes("--sizes")) {
    built.forEach((content, path) => console.log(path, sizes(content)));
  }
}
