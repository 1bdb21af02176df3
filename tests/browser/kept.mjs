// A browser, started once for many walks, since a start takes up to three seconds of processor; ends with its input.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launched } from "./walker.mjs";

const folder = mkdtempSync(join(tmpdir(), "whistle-browser-"));
const started = await launched({ ...JSON.parse(process.argv[2]), profile: folder, isKept: true }, folder);
const program = started.process();
console.log(JSON.stringify(started.wsEndpoint()));
await started.disconnect(); // Firefox bears one session at a time: the walk's
process.stdin.resume();
process.stdin.on("end", () => program.kill("SIGKILL"));
process.on("SIGTERM", () => program.kill("SIGKILL"));
program.on("exit", () => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit();
});
