/** Revocation lists of an operator: whole, in date and signed by whom they name, or refused. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { parseCaFiles } from "../../src/core/ca/ca-files.ts";
import { CaFilesError } from "../../src/core/ca/ca-files-error.ts";
import { caFiles, OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { assertRefused, dayMs, nowMs, pem, type Files, type Refusal } from "./refusal.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);

const crlTime = (atMs: number): string =>
  new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
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

describe("revocation lists", () => {
  const crls = (list: string): Files => ({ ...good, "ca-crl.pem": list });
  const [ofRoot, ofUpper, ofLower] = [root, upper, lower].map((each) => pki.crl(each)) as [
    string,
    string,
    string,
  ];
  const whole = ofRoot + ofUpper + ofLower;
  const past = { lastUpdate: crlTime(nowMs - 9 * dayMs), nextUpdate: crlTime(nowMs - dayMs) };
  const future = { lastUpdate: crlTime(nowMs + dayMs), nextUpdate: crlTime(nowMs + 9 * dayMs) };
  const namesake = pki.root("root");
  const mute = pki.under(root, "mute", { extensions: { keyUsage: "critical,keyCertSign" } });
  const refusals: readonly Refusal[] = [
    ["that lack the root's", crls(ofUpper + ofLower), "ca-crl-missing", "ca-crl.pem"],
    ["that lack an intermediate's", crls(ofRoot + ofLower), "ca-crl-missing", "ca-crl.pem"],
    ["that lack the signing CA's", crls(ofRoot + ofUpper), "ca-crl-missing", "ca-crl.pem"],
    [
      "of which one has expired",
      crls(ofRoot + ofUpper + pki.crl(lower, past)),
      "ca-crl-not-in-date",
      "ca-crl.pem",
    ],
    [
      "of which one is of the future",
      crls(ofRoot + ofUpper + pki.crl(lower, future)),
      "ca-crl-not-in-date",
      "ca-crl.pem",
    ],
    [
      "of which two are of one CA",
      crls(whole + pki.crl(upper, { number: "0b" })),
      "ca-crl-several",
      "ca-crl.pem",
    ],
    [
      "of which one is by a namesake",
      crls(pki.crl(namesake) + ofUpper + ofLower),
      "ca-crl-signature",
      "ca-crl.pem",
    ],
    [
      "of a CA that may not make one",
      {
        "ca-cert.pem": pem(mute),
        "root-cert.pem": pem(root),
        "ca-crl.pem": ofRoot + pki.crl(mute),
      },
      "ca-crl-signer-unfit",
      "ca-crl.pem",
    ],
    [
      "with a critical extension",
      crls(
        ofRoot +
          ofUpper +
          pki.crl(lower, { extensions: "issuingDistributionPoint=critical,onlyuser:TRUE" }),
      ),
      "ca-file-malformed",
      "ca-crl.pem",
    ],
    [
      "under the label CRL",
      crls(whole.replaceAll("X509 CRL", "CRL")),
      "ca-file-malformed",
      "ca-crl.pem",
    ],
    ["that are certificates", crls(pem(root)), "ca-file-malformed", "ca-crl.pem"],
  ];
  for (const refusal of refusals) assertRefused(refusal);

  it("are taken when they are whole, in any order, with numbers or without", () => {
    for (const list of [
      whole,
      ofLower + ofUpper + ofRoot,
      ofRoot + ofUpper + pki.crl(lower, { number: undefined }),
    ]) {
      const ca = parseCaFiles(caFiles(crls(list)), nowMs);
      assert.deepEqual([ca.crls.length, ca.warnings], [3, []]);
    }
  });

  it("are none when the file is empty", () => {
    assert.deepEqual(parseCaFiles(caFiles(crls("\n")), nowMs).crls, []);
  });

  it("may have one of a CA that is not here, and warn of a root that has none", () => {
    const files = { ...crls(whole + pki.crl(direct)), "root-cert.pem": pem(root, otherRoot) };
    const { crls: taken, warnings } = parseCaFiles(caFiles(files), nowMs);
    assert.equal(taken.length, 4);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["ca-root-unused", "ca-crl-missing-of-root"],
    );
  });

  it("under the label CRL are refused with what to do about it", () => {
    assert.throws(
      () => parseCaFiles(caFiles(crls(whole.replaceAll("X509 CRL", "CRL"))), nowMs),
      (error) => error instanceof CaFilesError && error.hint?.includes("X509 CRL") === true,
    );
  });
});
