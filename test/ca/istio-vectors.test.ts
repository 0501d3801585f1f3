/** Istio's own cases of a CA from files (13): what its server starts on ours starts on, what it refuses ours refuses. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { PortcullisError } from "../../src/core/error.ts";
import { loadPluggedCa } from "../../src/edge/ca/plugged-ca.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
/** Later than everything that OpenSSL makes here. */
const nowMs = Date.now() + 3_600_000;

const root = pki.root("root", { key: "rsa2048" });
const middle = pki.under(root, "middle", { key: "rsa2048" });
const signing = pki.under(middle, "signing", { key: "rsa2048" });
const stranger = pki.root("stranger");

type Files = Readonly<Record<string, string>>;

const files = (ca: PkiNode, chain: readonly PkiNode[]): Files => ({
  "ca-cert.pem": ca.certPem,
  "ca-key.pem": ca.keyPem,
  ...(chain.length > 0 && { "cert-chain.pem": chain.map(({ certPem }) => certPem).join("") }),
  "root-cert.pem": root.certPem,
});
const three = files(signing, [signing, middle]);
const without = (name: string): Files =>
  Object.fromEntries(Object.entries(three).filter(([each]) => each !== name));

const taken: readonly (readonly [string, Files])[] = [
  ["a CA of one level", files(root, [root])],
  ["a CA of two levels", files(middle, [middle])],
  ["a CA of three levels", three],
  ["a CA of two levels without a chain file", files(middle, [])],
];

const refused: readonly (readonly [string, Files, string])[] = [
  ["a chain that is no PEM", { ...three, "cert-chain.pem": "bad" }, "ca-file-malformed"],
  ["a directory without a root", without("root-cert.pem"), "ca-files-missing"],
  ["a key of another certificate", { ...three, "ca-key.pem": middle.keyPem }, "ca-key-mismatch"],
  ["a CA of three levels without a chain file", without("cert-chain.pem"), "ca-chain-broken"],
  ["a CA under another root", { ...three, "root-cert.pem": stranger.certPem }, "ca-chain-broken"],
  ["a certificate that is none", { ...three, "ca-cert.pem": "bad" }, "ca-file-malformed"],
  ["a directory without a key", without("ca-key.pem"), "ca-files-missing"],
  ["a key that is none", { ...three, "ca-key.pem": "bad" }, "ca-key-missing"],
  ["a directory without the certificate", without("ca-cert.pem"), "ca-files-missing"],
];

describe("a CA from files", () => {
  for (const [what, contents] of taken) {
    it(`is ${what}`, async () => {
      const { ca, key } = await loadPluggedCa(pki.directory(contents), { nowMs });
      assert.deepEqual([ca.roots, ca.warnings, key.type], [[root.der], [], "private"]);
    });
  }

  for (const [what, contents, code] of refused) {
    it(`is not ${what}`, async () => {
      await assert.rejects(
        loadPluggedCa(pki.directory(contents), { nowMs }),
        (error) => error instanceof PortcullisError && error.code === code,
      );
    });
  }
});

describe("a CA with revocation lists", () => {
  it("is taken with one of each of its authorities, and not with one of them only", async () => {
    const whole = [root, middle, signing].map((each) => pki.crl(each));
    const load = (crl: string): ReturnType<typeof loadPluggedCa> =>
      loadPluggedCa(pki.directory({ ...three, "ca-crl.pem": crl }), { nowMs });
    assert.equal((await load(whole.join(""))).ca.crls.length, 3);
    await assert.rejects(
      load(whole[0] ?? ""),
      (error) => error instanceof PortcullisError && error.code === "ca-crl-missing",
    );
  });
});
