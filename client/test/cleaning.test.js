/** Files on their way through the cleaning worker: their names stay, and what cannot be cleaned waits for a choice. */

import assert from "node:assert/strict";
import test from "node:test";

import { Cleaner, cleanFiles } from "../src/pictures/cleaner.js";
import { serve } from "../src/pictures/metadata.js";
import { oddities } from "./odd_pictures.js";
import { plantedPng } from "./pictures.js";

/** The other worker, in this one. */
function near() {
  /** @type {any} */
  const scope = { postMessage: (/** @type {any} */ data) => worker.onmessage({ data }) };
  serve(scope);
  /** @type {any} */
  const worker = { postMessage: (/** @type {any} */ data) => scope.onmessage({ data }), terminate() {} };
  return worker;
}

const picture = new File([plantedPng()], "b.jpg", { type: "image/jpeg" });
const text = new File(["a text"], "a.txt", { type: "text/plain" });
const odd = /** @type {any} */ (oddities().get("jpeg turned twice, upright first, big end first")).bytes;
const turned = new File([odd], "c.jpg", { type: "image/jpeg" });

/**
 * @param {File[]} files
 * @param {{ altered?: boolean, others?: boolean }} how
 */
const all = (files, { altered = false, others = false }) => cleanFiles(files, { altered, others }, new Cleaner(near));

test("files keep names, types and order; those that cannot be cleaned are named, and sent as they are only when asked", async () => {
  await assert.rejects(all([text, picture], {}), { kind: "unclean", names: ["a.txt"], altered: [] });
  const found = await all([text, picture], { others: true });
  assert.deepEqual(found.map(({ name, type }) => [name, type]), [["a.txt", "text/plain"], ["b.jpg", "image/jpeg"]]);
  assert.equal(found[0], text);
  assert.ok(found[1].size < picture.size);
});

test("those that would look different are named apart, and never sent as they are by the other choice", async () => {
  await assert.rejects(all([text, turned, picture], {}), { names: ["a.txt"], altered: ["c.jpg"] });
  await assert.rejects(all([text, turned], { others: true }), { names: [], altered: ["c.jpg"] });
  await assert.rejects(all([text, turned], { altered: true }), { names: ["a.txt"], altered: [] });
  const [one, other] = await all([text, turned], { altered: true, others: true });
  assert.equal(one, text);
  assert.ok(other.size < turned.size);
});

test("where there is no worker every file waits", async () => {
  const none = () => {
    throw new ReferenceError("Worker is not defined");
  };
  await assert.rejects(cleanFiles([picture], { altered: false, others: false }, new Cleaner(none)), { names: ["b.jpg"] });
});

test("a worker that fails is a fault, and nothing is let through", async () => {
  const broken = () => {
    /** @type {any} */
    const worker = { postMessage: () => worker.onerror(), terminate() {} };
    return worker;
  };
  const failing = cleanFiles([picture], { altered: true, others: true }, new Cleaner(broken));
  await assert.rejects(failing, (error) => /** @type {any} */ (error).kind === undefined);
});

test("who stops waiting ends the worker, however long a picture would take it", async () => {
  let ended = 0;
  const cleaner = new Cleaner(() => ({ postMessage() {}, terminate: () => ended++, onmessage: null, onerror: null }));
  const cleaning = cleanFiles([picture], { altered: true, others: true }, cleaner);
  cleaner.close();
  await assert.rejects(cleaning, (error) => /** @type {any} */ (error).kind === undefined);
  assert.equal(ended, 1);
});
