/**
 * Builds what pages load, the same bytes each time: for the server whistle.js, pictures.js and the lists of words, for
 * the workstation look.js, viewer.js and viewer_pdf.js.
 *
 * `node build.mjs` writes them to where they are served from; `--sizes` tells how large they are.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";

import { FILES, fileName } from "./src/protocol/code/word_list_files.js";
import "./src/protocol/code/word_lists.js";
import { wordlist } from "./src/protocol/code/words.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const WHISTLE = fileURLToPath(new URL("../whistle/", import.meta.url));
const SERVER = "server/reporter/static/";
const WORKSTATION = "workstation/app/static/";
const BANNER = "/*! Holds noble and scure, MIT License, (c) Paul Miller, paulmillr.com */";
const PDF = `/*! Holds pdf.js, Apache License 2.0, (c) Mozilla Foundation, github.com/mozilla/pdf.js, and core-js, MIT License,
(c) Denis Pushkarev, github.com/zloirock/core-js`;
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

/** Every file of a build, by its path in `whistle/`. */
export async function files() {
  const built = new Map([
    [`${SERVER}whistle.js`, await program("main.js", BANNER)],
    [`${SERVER}pictures.js`, await program("pictures.js")],
    [`${WORKSTATION}look.js`, await program("look.js")],
    [`${WORKSTATION}viewer.js`, await program("viewer.js", VIEWER)],
    [`${WORKSTATION}viewer_pdf.js`, await program("viewer_pdf.js", WORKER)],
  ]);
  for (const language of /** @type {(keyof typeof FILES)[]} */ (Object.keys(FILES))) {
    built.set(`${SERVER}${fileName(language)}`, Buffer.from(`${wordlist(language).join("\n")}\n`));
  }
  return built;
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
