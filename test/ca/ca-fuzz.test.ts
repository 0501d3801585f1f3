/** Damaged directories, by a fixed seed: each is a CA that OpenSSL would take, or a typed error, and soon. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { parseCaFiles, type PluggedCa } from "../../src/core/ca/ca-files.ts";
import { CaFilesError } from "../../src/core/ca/ca-files-error.ts";
import { encodePem, parsePem } from "../../src/core/x509/pem.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { CaKeyError } from "../../src/edge/ca/ca-key-error.ts";
import { parsePrivateKey } from "../../src/edge/ca/private-key.ts";
import { mutate, seededRandom, type Random } from "../support/mutate.ts";
import { caFiles, OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
/** Later than everything that OpenSSL makes here. */
const nowMs = Date.now() + 3_600_000;
const SEED = 20_261_124;

const root = pki.root("root");
const middle = pki.under(root, "middle", { key: "rsa2048" });
const signing = pki.under(middle, "signing");
const good = new Map([
  ["ca-cert.pem", signing.certPem],
  ["cert-chain.pem", signing.certPem + middle.certPem + root.certPem],
  ["root-cert.pem", root.certPem],
  ["ca-crl.pem", [root, middle, signing].map((each) => pki.crl(each)).join("")],
]);

/** Half of the damage is to the text, half to the DER of one block. */
function damage(text: string, label: string, random: Random): string {
  if (random(2) === 0) return Buffer.from(mutateText(text, random)).toString("latin1");
  const blocks = parsePem(text, label, { blocksMax: 9 });
  const chosen = random(blocks.length);
  return blocks
    .map((der, index) => encodePem(index === chosen ? mutate(der, random) : der, label))
    .join("");
}

function mutateText(text: string, random: Random): Uint8Array {
  const bytes = Buffer.from(text);
  const at = random(bytes.length);
  const span = random(80);
  const parts = [
    [bytes.subarray(0, at)],
    [bytes.subarray(0, at), bytes.subarray(at + span)],
    [bytes.subarray(0, at + span), bytes.subarray(at)],
    [bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at + 1)],
  ];
  return Buffer.concat(parts[random(parts.length)] ?? []);
}

describe("a damaged CA", () => {
  it("is refused by a typed error that names a file, or nothing that counts was damaged", () => {
    const random = seededRandom(SEED);
    const names = [...good.keys()];
    let taken = 0;
    for (let run = 0; run < 3_000; run++) {
      const name = names[random(names.length)] ?? "";
      const label = name === "ca-crl.pem" ? "X509 CRL" : "CERTIFICATE";
      const files = new Map(good).set(name, damage(good.get(name) ?? "", label, random));
      const ca = valueOrTypedError(Object.fromEntries(files));
      if (ca === undefined) continue;
      taken++;
      // A path that was taken is the path that was signed, to the last signed byte; so are its roots.
      const signed = [...ca.chain, ca.root].map((der) => parseCertificate(der).tbs);
      const meant = [signing, middle, root].map(({ der }) => parseCertificate(der).tbs);
      assert.deepEqual(signed, meant);
    }
    // Text outside of blocks may be anything, and ECDSA has two signatures for each.
    assert.ok(taken > 0 && taken < 600, String(taken));
  });

  it("has no key that is read by anything but a typed error", () => {
    const random = seededRandom(SEED);
    for (let run = 0; run < 2_000; run++) {
      const pem = damage(signing.keyPem, "PRIVATE KEY", random);
      try {
        parsePrivateKey({ name: "ca-key.pem", pem: Buffer.from(pem) }, undefined);
      } catch (error) {
        if (!(error instanceof CaKeyError)) throw error;
      }
    }
  });
});

function valueOrTypedError(files: Readonly<Record<string, string>>): PluggedCa | undefined {
  try {
    return parseCaFiles(caFiles(files), nowMs);
  } catch (error) {
    if (!(error instanceof CaFilesError)) throw error;
    assert.notEqual(error.file, "");
    return undefined;
  }
}
