/**
 * Certificates of other makers through our reader, whole and damaged, with OpenSSL and
 * @peculiar/x509 as second opinions. Ours may be stricter than theirs; where it accepts, all must
 * have read the same.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs the global it sets
import "reflect-metadata";
import * as peculiar from "@peculiar/x509";

import { mutate, seededRandom } from "../../../test/support/mutate.ts";
import { parseCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { CertificateError } from "./certificate-error.ts";
import { DerError } from "./der-error.ts";
import { parseSinglePem } from "./pem.ts";

const SEED = 20_261_124;
const MUTANTS = 12_000;
const KEY_CERT_SIGN = 1 << 5;
const INTERPRETED = new Set(["14", "15", "17", "19", "35", "37"].map((arc) => `2.5.29.${arc}`));

const directory = mkdtempSync(join(tmpdir(), "portcullis-certificate-"));
after(() => rmSync(directory, { recursive: true }));

const leaf = opensslCertificate("/", [
  "subjectAltName=critical,URI:spiffe://cluster.local/ns/default/sa/web",
  "basicConstraints=critical,CA:FALSE",
  "keyUsage=critical,digitalSignature",
  "extendedKeyUsage=serverAuth,clientAuth",
]);
const serving = opensslCertificate("/O=mesh/CN=control plane", [
  "subjectAltName=DNS:istiod.istio-system.svc,IP:127.0.0.1,IP:::1,email:a@example.org",
  "basicConstraints=CA:FALSE",
  "keyUsage=critical,digitalSignature,keyEncipherment",
]);
const root = opensslCertificate("/C=XX/O=mesh/CN=root", [
  "basicConstraints=critical,CA:TRUE,pathlen:1",
  "keyUsage=critical,keyCertSign,cRLSign",
  "subjectKeyIdentifier=hash",
  "authorityKeyIdentifier=keyid:always",
]);

describe("a certificate by OpenSSL", () => {
  for (const [name, der] of Object.entries({ leaf, serving, root })) {
    it(`is read alike by everybody: ${name}`, () => {
      const ours = parseCertificate(der);
      assertAgreesWithOpenssl(ours, new X509Certificate(der));
      assertAgreesWithPeculiar(ours, new peculiar.X509Certificate(der));
    });
  }

  it("gives the purposes of a leaf", () => {
    const { keyUsage, extendedKeyUsages, isCa, sanCritical, subjectDer } = parseCertificate(leaf);
    assert.equal(keyUsage, 1);
    assert.deepEqual(extendedKeyUsages, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.equal(isCa, false);
    assert.equal(sanCritical, true);
    assert.equal(subjectDer.length, 2);
  });

  it("gives the purposes of a root", () => {
    const { keyUsage, isCa, pathLength, subjectKeyId, authorityKeyId } = parseCertificate(root);
    assert.equal(keyUsage, KEY_CERT_SIGN | (1 << 6));
    assert.equal(isCa, true);
    assert.equal(pathLength, 1);
    assert.deepEqual(subjectKeyId, authorityKeyId);
  });
});

describe("a damaged certificate", () => {
  for (const [name, der] of Object.entries({ leaf, serving, root })) {
    it(`is a typed error, or read as OpenSSL reads it: ${name}`, () => {
      const random = seededRandom(SEED);
      let accepted = 0;
      for (let run = 0; run < MUTANTS; run++) {
        const mutant = mutate(der, random);
        const ours = valueOrTypedError(mutant);
        if (ours === undefined) continue;
        accepted++;
        try {
          assertAgreesWithOpenssl(ours, new X509Certificate(mutant));
        } catch (cause) {
          throw new Error(`read otherwise: ${Buffer.from(mutant).toString("hex")}`, { cause });
        }
      }
      assert.ok(accepted > MUTANTS / 20, `only ${accepted} mutants were accepted`);
    });
  }
});

function valueOrTypedError(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (!(error instanceof CertificateError || error instanceof DerError)) throw error;
    return undefined;
  }
}

function assertAgreesWithOpenssl(ours: Certificate, theirs: X509Certificate): void {
  assert.equal(BigInt(`0x${ours.serialHex}`), BigInt(`0x${theirs.serialNumber}`));
  assert.equal(ours.notBeforeMs, theirs.validFromDate.getTime());
  assert.equal(ours.notAfterMs, theirs.validToDate.getTime());
  assert.equal(mayIssue(ours), theirs.ca || isSpoiltElsewhere(ours));
  assert.deepEqual(ours.uris, namesOfType("URI:", theirs.subjectAltName));
  assert.deepEqual(ours.dnsNames, namesOfType("DNS:", theirs.subjectAltName));
  assert.deepEqual([...ours.der], [...theirs.raw]);
}

/** What OpenSSL calls a CA. */
function mayIssue({ isCa, keyUsage }: Certificate): boolean {
  return isCa && (keyUsage === 0 || (keyUsage & KEY_CERT_SIGN) !== 0);
}

/** OpenSSL distrusts a CA for damage in extensions that our reader leaves to others. */
function isSpoiltElsewhere(ours: Certificate): boolean {
  return mayIssue(ours) && ours.extensions.some(({ oid }) => !INTERPRETED.has(oid));
}

/** Node puts names with a comma, a quote or anything else that could deceive into a JSON string. */
function namesOfType(prefix: string, subjectAltName: string | undefined): unknown[] {
  return (subjectAltName ?? "")
    .split(", ")
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length))
    .map((name): unknown => (name.startsWith('"') ? JSON.parse(name) : name));
}

function assertAgreesWithPeculiar(ours: Certificate, theirs: peculiar.X509Certificate): void {
  assert.deepEqual(ours.spki, new Uint8Array(theirs.publicKey.rawData));
  assert.deepEqual(ours.issuerDer, new Uint8Array(theirs.issuerName.toArrayBuffer()));
  assert.deepEqual(ours.subjectDer, new Uint8Array(theirs.subjectName.toArrayBuffer()));
  assert.deepEqual(ours.signature, new Uint8Array(theirs.signature));
  assert.deepEqual(
    ours.extensions,
    Array.from(theirs.extensions, ({ type, critical, value }) => ({
      oid: type,
      critical,
      value: new Uint8Array(value),
    })),
  );
  const san = theirs.getExtension(peculiar.SubjectAlternativeNameExtension);
  const names = san?.names.items ?? [];
  const ofType = (type: string) => names.filter((item) => item.type === type);
  assert.deepEqual(
    ours.uris,
    ofType("url").map(({ value }) => value),
  );
  assert.deepEqual(
    ours.dnsNames,
    ofType("dns").map(({ value }) => value),
  );
  assert.equal(ours.ipAddresses.length, ofType("ip").length);
  assert.equal(ours.otherSanCount, ofType("email").length);
}

function opensslCertificate(subject: string, extensions: readonly string[]): Uint8Array {
  const config = join(directory, "openssl.cnf");
  const lines = ["[req]", "distinguished_name=dn", "x509_extensions=ext", "[dn]", "[ext]"];
  writeFileSync(config, [...lines, ...extensions, ""].join("\n"));
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-config", config, "-subj", subject, "-days", "30"];
  const pem = execFileSync("openssl", ["req", "-x509", ...key, "-keyout", "key.pem", ...names], {
    cwd: directory,
    encoding: "utf8",
    stdio: "pipe",
  });
  return parseSinglePem(pem, "CERTIFICATE");
}
