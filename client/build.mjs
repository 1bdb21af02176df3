/**
 * Builds what a page loads, the same bytes each time: whistle.js, pictures.js, and the lists of words beside them.
 *
 * `node build.mjs [FOLDER]` writes there, or to the server's static folder; `--sizes` tells how large it is.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";

import { FILES, fileName } from "./src/protocol/code/word_list_files.js";
import "./src/protocol/code/word_lists.js";
import { wordlist } from "./src/protocol/code/words.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const STATIC = fileURLToPath(new URL("../whistle/server/reporter/static/", import.meta.url));
const BANNER = "/*! Holds noble and scure, MIT License, (c) Paul Miller, paulmillr.com */";

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
    charset: "utf8",
    entryPoints: [`src/${entry}`],
    format: "iife",
    legalComments: "none",
    minify: true,
    target: "es2020",
    tsconfigRaw: {}, // what type checking is told changes nothing here
    write: false,
  });
  return outputFiles[0].contents;
}

/** Every file of a build, by name. */
export async function files() {
  const built = new Map([
    ["whistle.js", await program("main.js", BANNER)],
    ["pictures.js", await program("pictures.js")],
  ]);
  for (const language of /** @type {(keyof typeof FILES)[]} */ (Object.keys(FILES))) {
    built.set(fileName(language), Buffer.from(`${wordlist(language).join("\n")}\n`));
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
  const [folder = STATIC] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
  await mkdir(folder, { recursive: true });
  const built = await files();
  await Promise.all([...built].map(([name, content]) => writeFile(`${folder}/${name}`, content)));
  if (process.argv.includes("--sizes")) {
    built.forEach((content, name) => console.log(name, sizes(content)));
  }
}
