/** An operator's CA as files that were read elsewhere: what is missing, and when the root need not be said. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { OpensslPki } from "../../../test/support/openssl-pki.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { loadSentCa, readCaToSend } from "./sent-ca.ts";

describe("the root of a CA that was read elsewhere", () => {
  const temporary = temporaryDirectory();
  after(() => temporary[Symbol.dispose]());
  const pki = new OpensslPki(temporary.path);
  const root = pki.root("root");
  const middle = pki.under(root, "middle");
  const nowMs = Date.now() + 3_600_000;
  let count = 0;

  async function rootsOf(files: Record<string, string>): Promise<readonly Uint8Array[] | string> {
    const directory = join(temporary.path, `ca-${count++}`);
    mkdirSync(directory, { mode: 0o700 });
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(directory, name), text, { mode: 0o600 });
    }
    try {
      const sent = await readCaToSend(directory);
      return loadSentCa(sent, { passphrase: undefined, nowMs }).ca.roots;
    } catch (error) {
      return String(Reflect.get(Object(error), "code"));
    }
  }

  const own = { "ca-cert.pem": root.certPem, "ca-key.pem": root.keyPem };
  const signed = { "ca-cert.pem": middle.certPem, "ca-key.pem": middle.keyPem };
  const empty = { "root-cert.pem": "", "cert-chain.pem": "\n" };
  const missing = "ca-files-missing";
  const table: readonly (readonly [
    string,
    Record<string, string>,
    readonly Uint8Array[] | string,
  ])[] = [
    ["is its certificate where that signs itself, as istiod has left it", own, [root.der]],
    ["is so beside empty files, too", { ...own, ...empty }, [root.der]],
    ["is missing where another has signed it", { ...signed, ...empty }, missing],
    [
      "is not guessed from two",
      { ...own, "ca-cert.pem": root.certPem + middle.certPem, ...empty },
      missing,
    ],
    ["is not guessed from garbage", { ...own, "ca-cert.pem": "garbage" }, missing],
    ["is the one that is said", { ...signed, "root-cert.pem": root.certPem }, [root.der]],
  ];
  for (const [title, files, expected] of table) {
    it(title, async () => assert.deepEqual(await rootsOf(files), expected));
  }
});
