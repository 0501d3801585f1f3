/** Everything that can be wrong with one certificate of a path, one at a time. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { parseCaFiles } from "../../src/core/ca/ca-files.ts";
import { caFiles, OpensslPki, type PkiNode, type PkiOptions } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { assertRefused, dayMs, nowMs, pem, type Files, type Refusal } from "./refusal.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);

const root = pki.root("root");
const upper = pki.under(root, "upper");
const lower = pki.under(upper, "lower");
const good: Files = {
  "ca-cert.pem": pem(lower),
  "ca-key.pem": lower.keyPem,
  "cert-chain.pem": pem(lower, upper),
  "root-cert.pem": pem(root),
};
const signedBy = (issuer: PkiNode, options: PkiOptions): Files => ({
  "ca-cert.pem": pem(pki.under(issuer, "signing", options)),
  "root-cert.pem": pem(root),
});
const extensions = (values: Readonly<Record<string, string | undefined>>): Files =>
  signedBy(root, { extensions: values });
const underRoot = (options: PkiOptions): Files => {
  const own = pki.root("own root", options);
  return { "ca-cert.pem": pem(pki.under(own, "signing")), "root-cert.pem": pem(own) };
};

describe("a certificate", () => {
  const shortUpper = pki.under(root, "upper", {
    extensions: { basicConstraints: "critical,CA:TRUE,pathlen:0" },
  });
  const flatRoot = pki.root("flat root", {
    extensions: { basicConstraints: "critical,CA:TRUE,pathlen:0" },
  });
  const briefRoot = pki.root("brief", { days: 10 });
  const briefUpper = pki.under(root, "brief upper", { days: 10 });
  const refusals: readonly Refusal[] = [
    ["of a leaf", extensions({ basicConstraints: "CA:FALSE" }), "ca-not-a-ca", "ca-cert.pem"],
    [
      "without basic constraints",
      extensions({ basicConstraints: undefined }),
      "ca-not-a-ca",
      "ca-cert.pem",
    ],
    [
      "without keyCertSign",
      extensions({ keyUsage: "critical,digitalSignature" }),
      "ca-not-a-ca",
      "ca-cert.pem",
    ],
    ["without key usage", extensions({ keyUsage: undefined }), "ca-not-a-ca", "ca-cert.pem"],
    [
      "of a root without key usage",
      underRoot({ extensions: { keyUsage: undefined } }),
      "ca-not-a-ca",
      "root-cert.pem",
    ],
    [
      "of an intermediate that may have none below it",
      {
        ...good,
        "ca-cert.pem": pem(pki.under(shortUpper, "lower")),
        "cert-chain.pem": pem(shortUpper),
      },
      "ca-path-length",
      "cert-chain.pem",
    ],
    [
      "of a root that may have none below it",
      { "ca-cert.pem": pem(pki.under(flatRoot, "signing")), "root-cert.pem": pem(flatRoot) },
      "ca-path-length",
      "root-cert.pem",
    ],
    ["with a key on P-521", signedBy(root, { key: "P-521" }), "ca-key-unsupported", "ca-cert.pem"],
    [
      "with an Ed25519 key",
      signedBy(root, { key: "ed25519" }),
      "ca-key-unsupported",
      "ca-cert.pem",
    ],
    [
      "with RSA of 1024 bits",
      signedBy(root, { key: "rsa1024" }),
      "ca-key-unsupported",
      "ca-cert.pem",
    ],
    [
      "of a root with RSA of 1024 bits",
      underRoot({ key: "rsa1024" }),
      "ca-key-unsupported",
      "root-cert.pem",
    ],
    [
      "signed with SHA-1",
      signedBy(root, { digest: "sha1" }),
      "ca-signature-unsupported",
      "ca-cert.pem",
    ],
    [
      "for code signing only",
      extensions({ extendedKeyUsage: "codeSigning" }),
      "ca-purpose",
      "ca-cert.pem",
    ],
    [
      "for servers only",
      extensions({ extendedKeyUsage: "serverAuth" }),
      "ca-purpose",
      "ca-cert.pem",
    ],
    [
      "with critical name constraints",
      extensions({ nameConstraints: "critical,permitted;DNS:prod.example" }),
      "ca-critical-extension",
      "ca-cert.pem",
    ],
    [
      "with an unknown critical extension",
      extensions({ "1.2.3.4": "critical,DER:0500" }),
      "ca-critical-extension",
      "ca-cert.pem",
    ],
    ["that has expired", good, "ca-not-in-date", "ca-cert.pem", nowMs + 366 * dayMs],
    ["that is of the future", good, "ca-not-in-date", "ca-cert.pem", nowMs - dayMs],
    [
      "under an expired intermediate",
      {
        ...good,
        "ca-cert.pem": pem(pki.under(briefUpper, "lower")),
        "cert-chain.pem": pem(briefUpper),
      },
      "ca-not-in-date",
      "cert-chain.pem",
      nowMs + 11 * dayMs,
    ],
    [
      "under an expired root",
      {
        "ca-cert.pem": pem(pki.under(briefRoot, "signing")),
        "root-cert.pem": pem(briefRoot, root),
      },
      "ca-not-in-date",
      "root-cert.pem",
      nowMs + 11 * dayMs,
    ],
  ];
  for (const refusal of refusals) assertRefused(refusal);

  it("of an SHA-1 root is taken: nobody verifies what it says of itself", () => {
    assert.equal(parseCaFiles(caFiles(underRoot({ digest: "sha1" })), nowMs).chain.length, 1);
  });

  it("may be for servers and clients, or for anything", () => {
    for (const extendedKeyUsage of ["serverAuth,clientAuth", "anyExtendedKeyUsage"]) {
      assert.ok(parseCaFiles(caFiles(extensions({ extendedKeyUsage })), nowMs));
    }
  });
});
