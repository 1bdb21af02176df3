// Drives the npm package age-encryption: keygen [hybrid|x25519], seal RECIPIENT…, open IDENTITY…, vectors.
import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";

const require = createRequire(new URL("../../client/package.json", import.meta.url));
const load = (name) => import(require.resolve(name));
const say = (bytes) => { for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at); };
const [command, ...names] = process.argv.slice(2);

const commands = {
  async keygen(age) {
    const identity = await (names[0] === "x25519" ? age.generateX25519Identity() : age.generateHybridIdentity());
    return Buffer.from(JSON.stringify({ identity, recipient: await age.identityToRecipient(identity) }));
  },
  async seal(age) {
    const sealer = new age.Encrypter();
    names.forEach((name) => sealer.addRecipient(name));
    return sealer.encrypt(readFileSync(0));
  },
  async open(age) {
    const opener = new age.Decrypter();
    names.forEach((name) => opener.addIdentity(name));
    return opener.decrypt(readFileSync(0));
  },
  async vectors() {
    const files = Object.entries(await load("cctv-age"));
    return Buffer.from(JSON.stringify(Object.fromEntries(files.map(([k, v]) => [k, Buffer.from(v).toString("base64")]))));
  },
};

say(await commands[command](await load("age-encryption")));
