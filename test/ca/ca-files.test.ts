/** An operator's CA in every shape that is taken, made by OpenSSL. */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { isSameRootSet, parseCaFiles, type PluggedCa } from "../../src/core/ca/ca-files.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { caFiles, OpensslPki, type PkiKey, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
/** Later than everything that OpenSSL makes here. */
const nowMs = Date.now() + 3_600_000;
const dayMs = 86_400_000;

const root = pki.root("root", { key: "rsa2048" });
const upper = pki.under(root, "upper", { key: "P-384" });
const lower = pki.under(upper, "lower", {
  extensions: { basicConstraints: "critical,CA:TRUE,pathlen:0" },
});
const direct = pki.under(root, "direct");
const otherRoot = pki.root("other root");

const pem = (...nodes: readonly PkiNode[]): string => nodes.map(({ certPem }) => certPem).join("");
const take = (files: Readonly<Record<string, string>>, atMs = nowMs): PluggedCa =>
  parseCaFiles(caFiles(files), atMs);
const istio = (signing: PkiNode, chain: string | undefined, ...roots: readonly PkiNode[]) => ({
  "ca-cert.pem": pem(signing),
  "ca-key.pem": signing.keyPem,
  ...(chain !== undefined && { "cert-chain.pem": chain }),
  "root-cert.pem": pem(...roots),
});
const names = (ca: PluggedCa): readonly string[] => {
  const all = [root, upper, lower, direct, otherRoot];
  const nameOf = (der: Uint8Array): string =>
    all.find((each) => Buffer.compare(each.der, der) === 0)?.subject.split("CN=")[1] ?? "?";
  return [...ca.chain, ca.root].map(nameOf);
};
const codes = (ca: PluggedCa): readonly string[] => ca.warnings.map(({ code }) => code);

describe("a plugged CA", () => {
  const shapes: readonly (readonly [
    string,
    Readonly<Record<string, string>>,
    readonly string[],
  ])[] = [
    ["a root that signs itself", istio(root, undefined, root), ["root"]],
    ["a root that signs itself, with itself as chain", istio(root, pem(root), root), ["root"]],
    ["a root, and an empty chain as Istio's own CA writes it", istio(root, "\n", root), ["root"]],
    ["one intermediate without a chain file", istio(direct, undefined, root), ["direct", "root"]],
    [
      "one intermediate, repeated in its chain",
      istio(direct, pem(direct), root),
      ["direct", "root"],
    ],
    [
      "one intermediate, the root in its chain",
      istio(direct, pem(direct, root), root),
      ["direct", "root"],
    ],
    ["two intermediates", istio(lower, pem(lower, upper), root), ["lower", "upper", "root"]],
    [
      "two intermediates, the root last",
      istio(lower, pem(lower, upper, root), root),
      ["lower", "upper", "root"],
    ],
    [
      "a chain without the signing certificate",
      istio(lower, pem(upper), root),
      ["lower", "upper", "root"],
    ],
    [
      "a chain from the root down",
      istio(lower, pem(root, upper, lower), root),
      ["lower", "upper", "root"],
    ],
    [
      "a chain with everything twice",
      istio(lower, pem(upper, lower, root, upper, root), root),
      ["lower", "upper", "root"],
    ],
    [
      "the intermediate behind the signing certificate",
      { ...istio(lower, undefined, root), "ca-cert.pem": pem(lower, upper) },
      ["lower", "upper", "root"],
    ],
    [
      "a TLS Secret",
      { "tls.crt": pem(direct), "tls.key": "", "ca.crt": pem(root) },
      ["direct", "root"],
    ],
    [
      "a TLS Secret with intermediates in tls.crt",
      { "tls.crt": pem(lower, upper), "tls.key": "", "ca.crt": pem(root) },
      ["lower", "upper", "root"],
    ],
    [
      "a TLS Secret with intermediates in ca.crt",
      { "tls.crt": pem(lower), "tls.key": "", "ca.crt": pem(upper, root) },
      ["lower", "upper", "root"],
    ],
    [
      "a TLS Secret of a root",
      { "tls.crt": pem(root), "tls.key": "", "ca.crt": pem(root) },
      ["root"],
    ],
  ];
  for (const [what, files, path] of shapes) {
    it(`is taken as ${what}`, () => {
      const ca = take(files);
      assert.deepEqual(names(ca), path);
      assert.deepEqual(ca.roots, [root.der]);
      assert.deepEqual(codes(ca), []);
      assert.deepEqual(ca.signingSpki, parseCertificate(ca.chain[0] ?? ca.root).spki);
      const ends = [...ca.chain, ca.root].map((der) => parseCertificate(der).notAfterMs);
      assert.equal(ca.notAfterMs, Math.min(...ends));
    });
  }

  it("is taken with text around its certificates, and with CRLF", () => {
    const text = `subject=/CN=direct\r\n${pem(direct).replaceAll("\n", "\r\n")}\r\nend\r\n`;
    assert.deepEqual(names(take({ ...istio(direct, undefined, root), "ca-cert.pem": text })), [
      "direct",
      "root",
    ]);
  });

  const keyTypes: readonly PkiKey[] = ["P-256", "P-384", "rsa2048", "rsa3072", "rsa4096"];
  for (const key of keyTypes) {
    it(`is taken with a signing key of type ${key}, under RSA and under EC`, () => {
      const signing = pki.under(root, `of ${key}`, { key, digest: "sha384" });
      const again = pki.under(otherRoot, `of ${key}`, { keyOf: signing });
      assert.deepEqual(take(istio(signing, undefined, root)).chain, [signing.der]);
      assert.deepEqual(take(istio(again, undefined, otherRoot)).chain, [again.der]);
    });
  }

  it("has each root once, whatever their order, and warns of those that it does not use", () => {
    const one = take(istio(direct, undefined, root, otherRoot));
    const two = take(istio(direct, undefined, otherRoot, root, otherRoot));
    assert.equal(two.roots.length, 2);
    assert.ok(isSameRootSet(one.roots, two.roots));
    assert.ok(!isSameRootSet(one.roots, take(istio(direct, undefined, root)).roots));
    assert.deepEqual([codes(one), codes(two)], [["ca-root-unused"], ["ca-root-unused"]]);
    assert.deepEqual(two.root, root.der);
  });

  it("hangs on the root that is in date when one was renewed under its key", () => {
    const old = pki.root("renewed", { days: 40 });
    const renewed = pki.root("renewed", { keyOf: old, days: 400 });
    const signing = pki.under(renewed, "signing", { days: 300 });
    const laterMs = nowMs + 50 * dayMs;
    for (const roots of [
      [old, renewed],
      [renewed, old],
    ]) {
      const ca = take(istio(signing, undefined, ...roots), laterMs);
      assert.deepEqual(ca.root, renewed.der);
      assert.deepEqual(codes(ca), ["ca-root-not-in-date"]);
    }
  });

  it("uses a cross-signed root's certificate when it came in the chain", () => {
    const crossed = pki.under(root, "other root", { keyOf: otherRoot });
    const signing = pki.under(otherRoot, "signing");
    const ca = take(istio(signing, pem(signing, crossed), otherRoot, root));
    assert.deepEqual(ca.chain, [signing.der, crossed.der]);
    assert.deepEqual(ca.root, root.der);
  });
});

describe("a warning is given", () => {
  const warned: readonly (readonly [string, PkiNode, number, string])[] = [
    ["for 30 days before the end", direct, nowMs + 336 * dayMs, "ca-expires-soon"],
    [
      "without cRLSign",
      pki.under(root, "no crl", { extensions: { keyUsage: "critical,keyCertSign" } }),
      nowMs,
      "ca-crl-sign-missing",
    ],
    [
      "without a subject key identifier",
      pki.under(root, "no ski", { extensions: { subjectKeyIdentifier: "none" } }),
      nowMs,
      "ca-subject-key-id-missing",
    ],
    [
      "of name constraints that are not critical",
      pki.under(root, "constrained", {
        extensions: { nameConstraints: "permitted;URI:prod.example" },
      }),
      nowMs,
      "ca-name-constraints",
    ],
  ];
  for (const [what, signing, atMs, code] of warned) {
    it(what, () => {
      const { warnings } = take(istio(signing, undefined, root), atMs);
      assert.ok(warnings.some((each) => each.code === code && each.file === "ca-cert.pem"));
      const others = warnings.filter((each) => each.code !== code);
      assert.deepEqual(others, []);
    });
  }
});
