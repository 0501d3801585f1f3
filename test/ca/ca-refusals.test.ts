/** Everything that can be wrong with the files of an operator's CA and with the path through them, one at a time. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { parseCaFiles } from "../../src/core/ca/ca-files.ts";
import { CaFilesError } from "../../src/core/ca/ca-files-error.ts";
import { caFiles, OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { assertRefused, nowMs, pem, type Files, type Refusal } from "./refusal.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);

const root = pki.root("root");
const upper = pki.under(root, "upper");
const lower = pki.under(upper, "lower");
const direct = pki.under(root, "direct");
const otherRoot = pki.root("other root");
const good: Files = {
  "ca-cert.pem": pem(lower),
  "ca-key.pem": lower.keyPem,
  "cert-chain.pem": pem(lower, upper),
  "root-cert.pem": pem(root),
};
const without = (name: string): Files =>
  Object.fromEntries(Object.entries(good).filter(([each]) => each !== name));

describe("a directory", () => {
  const refusals: readonly Refusal[] = [
    ["without anything", {}, "ca-files-missing", "ca-cert.pem"],
    ["without the signing certificate", without("ca-cert.pem"), "ca-files-missing", "ca-cert.pem"],
    ["without a root", without("root-cert.pem"), "ca-files-missing", "root-cert.pem"],
    [
      "with an empty root",
      { ...good, "root-cert.pem": " \n" },
      "ca-files-missing",
      "root-cert.pem",
    ],
    [
      "of a TLS Secret without its roots",
      { "tls.crt": pem(direct), "tls.key": "" },
      "ca-files-missing",
      "ca.crt",
    ],
    [
      "of a TLS Secret without its certificate",
      { "tls.key": "", "ca.crt": pem(root) },
      "ca-files-missing",
      "tls.crt",
    ],
    [
      "with both layouts",
      { ...good, "tls.crt": pem(direct) },
      "ca-files-two-layouts",
      "/etc/cacerts",
    ],
    [
      "with a key of the other layout",
      { ...good, "tls.key": "" },
      "ca-files-two-layouts",
      "/etc/cacerts",
    ],
  ];
  for (const refusal of refusals) assertRefused(refusal);
});

describe("a file", () => {
  const refusals: readonly Refusal[] = [
    ["without PEM", { ...good, "ca-cert.pem": "certificate" }, "ca-file-malformed", "ca-cert.pem"],
    [
      "with a key in place of a certificate",
      { ...good, "ca-cert.pem": lower.keyPem },
      "ca-file-malformed",
      "ca-cert.pem",
    ],
    [
      "with a key among the roots",
      { ...good, "root-cert.pem": root.keyPem + pem(root) },
      "ca-file-malformed",
      "root-cert.pem",
    ],
    [
      "with a torn certificate",
      { ...good, "cert-chain.pem": pem(lower, upper).slice(0, -40) },
      "ca-file-malformed",
      "cert-chain.pem",
    ],
    [
      "with DER that is no certificate",
      {
        ...good,
        "root-cert.pem": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
      },
      "ca-file-malformed",
      "root-cert.pem",
    ],
    [
      "that is too large",
      { ...good, "root-cert.pem": `${"\n#".repeat(600_000)}\n${pem(root)}` },
      "ca-file-too-large",
      "root-cert.pem",
    ],
  ];
  for (const refusal of refusals) assertRefused(refusal);

  it("refuses more roots or intermediates than are sensible", () => {
    const key = pki.root("key");
    const roots = Array.from({ length: 17 }, (_, index) =>
      pki.root(`root ${index}`, { keyOf: key }),
    );
    const middles = Array.from({ length: 9 }, (_, index) =>
      pki.under(root, `${index}`, { keyOf: key }),
    );
    for (const [files, file] of [
      [{ ...good, "root-cert.pem": pem(...roots) }, "root-cert.pem"],
      [{ ...good, "cert-chain.pem": pem(...middles) }, "cert-chain.pem"],
    ] as const) {
      assert.throws(
        () => parseCaFiles(caFiles(files), nowMs),
        (error) =>
          error instanceof CaFilesError &&
          error.code === "ca-too-many-certificates" &&
          error.file === file,
      );
    }
  });
});

describe("a chain", () => {
  const leaf = pki.under(root, "leaf", { extensions: { basicConstraints: "CA:FALSE" } });
  const refusals: readonly Refusal[] = [
    ["whose intermediate is missing", without("cert-chain.pem"), "ca-chain-broken", "ca-cert.pem"],
    [
      "whose upper end has no root",
      { ...good, "root-cert.pem": pem(otherRoot) },
      "ca-chain-broken",
      "cert-chain.pem",
    ],
    [
      "to a root of the same name and another key",
      { ...good, "root-cert.pem": pem(pki.root("root")) },
      "ca-chain-broken",
      "cert-chain.pem",
    ],
    [
      "to the same key under another name",
      { ...good, "root-cert.pem": pem(pki.root("else", { keyOf: root })) },
      "ca-chain-broken",
      "cert-chain.pem",
    ],
    [
      "whose authority key identifier is another's",
      {
        ...good,
        "root-cert.pem": pem(
          pki.root("root", { keyOf: root, extensions: { subjectKeyIdentifier: "0102" } }),
        ),
      },
      "ca-chain-broken",
      "cert-chain.pem",
    ],
    [
      "of a self-signed CA that is no root",
      { "ca-cert.pem": pem(otherRoot), "root-cert.pem": pem(root) },
      "ca-chain-broken",
      "ca-cert.pem",
    ],
    [
      "with an intermediate that is somebody else's",
      { ...good, "cert-chain.pem": pem(lower, upper, direct) },
      "ca-chain-leftover",
      "cert-chain.pem",
    ],
    [
      "with a root that is not trusted",
      { ...good, "cert-chain.pem": pem(lower, upper, otherRoot) },
      "ca-chain-leftover",
      "cert-chain.pem",
    ],
    [
      "with an intermediate beside a root that signs itself",
      { "ca-cert.pem": pem(root), "cert-chain.pem": pem(upper), "root-cert.pem": pem(root) },
      "ca-chain-leftover",
      "cert-chain.pem",
    ],
    [
      "whose root is not a CA",
      { ...good, "root-cert.pem": pem(root, leaf) },
      "ca-not-a-ca",
      "root-cert.pem",
    ],
    [
      "whose root does not sign itself",
      { "ca-cert.pem": pem(lower), "root-cert.pem": pem(upper) },
      "ca-root-not-self-signed",
      "root-cert.pem",
    ],
    [
      "whose ca.crt has no root",
      { "tls.crt": pem(lower), "tls.key": "", "ca.crt": pem(upper) },
      "ca-root-not-self-signed",
      "ca.crt",
    ],
  ];
  for (const refusal of refusals) assertRefused(refusal);
});

describe("the message", () => {
  const messages: readonly (readonly [string, Files, RegExp])[] = [
    [
      "of a root that was made anew says that it only has the name",
      { ...good, "root-cert.pem": pem(pki.root("root")) },
      /in root-cert\.pem; root-cert\.pem has another one of that name$/,
    ],
    [
      "of a missing root names no other",
      { ...good, "root-cert.pem": pem(otherRoot) },
      /or in root-cert\.pem$/,
    ],
  ];
  for (const [title, files, message] of messages) {
    it(title, () => assert.throws(() => parseCaFiles(caFiles(files), nowMs), { message }));
  }

  it("of a certificate in DER says how to convert it", () => {
    const files = caFiles({ ...good, "ca-cert.pem": root.der });
    assert.throws(() => parseCaFiles(files, nowMs), {
      message: "ca-cert.pem: expected PEM, got DER",
      hint: "convert it: openssl x509 -inform DER -in ca-cert.pem",
    });
  });
});
