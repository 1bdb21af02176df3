// Shows odd pictures before and after they are cleaned, and says which look different.  node looks.mjs JSON

import { clean } from "../../client/src/pictures/metadata.js";
import { oddities } from "../../client/test/odd_pictures.js";
import { withBrowser } from "./walker.mjs";

const given = JSON.parse(process.argv[2]);
const STEP = 1; // of 255, which colours may differ by where a profile is written anew

/** The picture cleaned, if it can be; `altered`: also where it then looks different. */
async function cleaned(bytes, altered) {
  try {
    return Buffer.from(await (await clean(new Blob([bytes]), altered)).arrayBuffer());
  } catch (error) {
    if (error.kind !== "unclean") throw error;
    return null;
  }
}

/** Whether two pictures are shown in the same size and colours, as an element and decoded. */
function same(page, pair) {
  return page.evaluate(
    async (pair, step) => {
      const pixels = (picture, wide, high) => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [wide, high];
        const context = canvas.getContext("2d");
        context.drawImage(picture, 0, 0, wide, high);
        return context.getImageData(0, 0, wide, high).data;
      };
      const looks = [];
      for (const base64 of pair) {
        const blob = new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
        const picture = new Image();
        picture.src = URL.createObjectURL(blob);
        await picture.decode();
        const decoded = await createImageBitmap(blob);
        looks.push([pixels(picture, picture.naturalWidth, picture.naturalHeight), pixels(decoded, decoded.width, decoded.height)]);
        looks.at(-1).push([picture.naturalWidth, picture.naturalHeight, decoded.width, decoded.height]);
      }
      const [before, after] = looks;
      return before.every((one, place) => {
        const other = after[place];
        return one.length === other.length && one.every((value, at) => Math.abs(value - other[at]) <= (place < 2 ? step : 0));
      });
    },
    pair.map((bytes) => bytes.toString("base64")),
    STEP,
  );
}

await withBrowser({ ...given, scene: "looks" }, async ({ page }) => {
  const told = { same: 0, refused: 0, otherwise: 0, different: [] };
  for (const [name, { bytes }] of oddities()) {
    const found = await cleaned(bytes, false);
    const isSame = await same(page, [bytes, found ?? (await cleaned(bytes, true))]);
    told.refused += Number(!found);
    told.same += Number(Boolean(found) && isSame);
    told.otherwise += Number(!found && !isSame);
    if (found && !isSame) told.different.push(name);
  }
  return told;
});
