// Sends pictures with planted details, asks for them to be cleaned, and compares what is shown before and after.
// node pictures.mjs JSON; waits for a line on standard input between parts.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { TURNS, within } from "../../client/test/odd_pictures.js";
import { SECRET, plantedJpeg, plantedPng, segment } from "../../client/test/pictures.js";
import { withBrowser } from "./walker.mjs";

const given = JSON.parse(process.argv[2]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const TURNED = 6; // by a quarter
const STEP = 1; // of 255, which colours may differ by where a profile is written anew
const [, TWICE] = TURNS.find(([name]) => name === "twice, upright first, big end first"); // which browsers read differently

async function turn(told) {
  console.log(JSON.stringify(told));
  await lines.next();
}

/** A picture of 96 by 64 pixels as this browser writes it, in base64. */
function made(page, type) {
  return page.evaluate(async (type) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [96, 64];
    const context = canvas.getContext("2d");
    for (let x = 0; x < 96; x++) {
      context.fillStyle = `rgb(${x * 2}, ${255 - x}, ${(x * 37) % 256})`;
      context.fillRect(x, x % 13, 1, 64);
    }
    return canvas.toDataURL(type).split(",")[1];
  }, type);
}

/** Size and pixels of a picture as this browser shows it. */
function shown(page, path) {
  return page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes]));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.width, picture.height];
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { size: [picture.width, picture.height], pixels: Array.from(data) };
  }, readFileSync(path).toString("base64"));
}

const at = (name) => join(given.folder, name);

await withBrowser(given, async (walker) => {
  const { page } = walker;
  await walker.home();
  const [jpeg, png] = [await made(page, "image/jpeg"), await made(page, "image/png")];
  writeFileSync(at("photo.jpg"), plantedJpeg(Buffer.from(jpeg, "base64"), TURNED));
  writeFileSync(at("odd.jpg"), within(Buffer.from(jpeg, "base64"), segment(0xe1, Buffer.from(`Exif\0\0`), TWICE, Buffer.from(SECRET))));
  writeFileSync(at("screen.png"), plantedPng(1, Buffer.from(png, "base64")));
  writeFileSync(at("notes.txt"), SECRET);
  await walker.tell(given.text, ["photo.jpg", "odd.jpg", "notes.txt", "screen.png"].map(at));
  await walker.see("#clean:checked");
  const hint = await walker.text("#clean-hint");
  await walker.look("1-clean");
  await walker.send("send");
  await walker.see(".summary");
  const told = await walker.text(".summary");
  await walker.look("1-unclean");
  await turn({ told, hint });
  await walker.click("#clean-others");
  await walker.send("send");
  await walker.see("#clean-altered-error");
  await turn({ told: await walker.text(".summary") });
  await walker.click("#clean-altered");
  await walker.send("send");
  await walker.words();
  await turn({ sent: true });
  const same = {};
  for (const name of ["photo.jpg", "screen.png"]) {
    const [before, after] = [await shown(page, at(name)), await shown(page, at(`stored-${name}`))];
    const isSame = before.pixels.every((value, place) => Math.abs(value - after.pixels[place]) <= STEP);
    same[name] = isSame && before.pixels.length === after.pixels.length && new Set(after.pixels).size > 10;
  }
  const [before, after] = [await shown(page, at("photo.jpg")), await shown(page, at("stored-photo.jpg"))];
  await page.goto("about:blank");
  return { same, turned: { given: before.size, stored: after.size } };
});
