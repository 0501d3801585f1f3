/** CSRs of other makers through our reader, and ours through theirs. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs the global it sets
import "reflect-metadata";
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

import { ecTestKey, makeCsr, rsaTestKey } from "../../../test/support/csr.ts";
import { parseCsr, verifyCsrSignature } from "./csr.ts";
import { encodePem, parseSinglePem } from "./pem.ts";

const LABEL = "CERTIFICATE REQUEST";

describe("OpenSSL", () => {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-csr-"));
  after(() => rmSync(directory, { recursive: true }));

  const openssl = (args: readonly string[], input = ""): string =>
    execFileSync("openssl", args, { cwd: directory, encoding: "utf8", input, stdio: "pipe" });

  for (const [name, ...newKey] of [
    ["P-256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ["P-384", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    ["RSA", "rsa:2048"],
  ] as const) {
    it(`makes CSRs with ${name} that are read and prove their key`, () => {
      const san = "subjectAltName=critical,URI:spiffe://cluster.local/ns/a/sa/b,DNS:b.a.svc";
      const common = ["-nodes", "-keyout", "key.pem", "-subj", "/O=a/CN=b", "-addext", san];
      const pem = openssl(["req", "-new", "-newkey", ...newKey, ...common]);
      const csr = parseCsr(parseSinglePem(pem, LABEL));
      assert.equal(csr.signatureAlgorithm, name === "RSA" ? "rsa-sha256" : "ecdsa-sha256");
      assert.ok(verifyCsrSignature(csr));
    });
  }

  it("makes CSRs with the legacy label and without a subject that are read", () => {
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const common = ["-new", "-newhdr", "-keyout", "key.pem", "-subj", "/"];
    const pem = openssl(["req", ...newKey, ...common]);
    assert.match(pem, /BEGIN NEW CERTIFICATE REQUEST/);
    assert.ok(verifyCsrSignature(parseCsr(parseSinglePem(pem, LABEL))));
  });

  for (const [name, key] of [
    ["P-256", ecTestKey("P-256")],
    ["P-384", ecTestKey("P-384")],
    ["RSA", rsaTestKey(2048)],
  ] as const) {
    it(`verifies the CSRs with ${name} that these tests make`, () => {
      openssl(["req", "-verify", "-noout"], encodePem(makeCsr(key), LABEL));
    });
  }
});

describe("@peculiar/x509", () => {
  it("makes CSRs that are read and prove their key", async () => {
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const theirs = await Pkcs10CertificateRequestGenerator.create(
      { name: "CN=test", keys, signingAlgorithm: algorithm },
      crypto,
    );
    const csr = parseCsr(new Uint8Array(theirs.rawData));
    assert.ok(verifyCsrSignature(csr));
    assert.deepEqual(csr.publicKey.spki, new Uint8Array(theirs.publicKey.rawData));
  });

  it("verifies the CSRs that these tests make", async () => {
    const theirs = new Pkcs10CertificateRequest(makeCsr(ecTestKey("P-256")));
    assert.ok(await theirs.verify(crypto));
  });
});
