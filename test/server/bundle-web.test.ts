/** The bundle endpoint with an operator's certificate (`https_web`): what it takes, and what it keeps. */

import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import {
  BundleCertificateError,
  readWebCertificate,
  type BundleCertificateErrorCode,
  type CertificateFiles,
} from "../../src/app/server/bundle-certificate.ts";
import { parseBundleDocument } from "../../src/core/spiffe/bundle-document.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { PrivateFileError } from "../../src/edge/config/private-files.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { ask, makeWebCertificate, startBundleRig, type BundleRig } from "./bundle-rig.ts";

describe("the endpoint with a web certificate", () => {
  let rig: BundleRig;
  let files: CertificateFiles;
  let ca: string;
  before(async () => {
    rig = await startBundleRig((directory) => (files = makeWebCertificate(directory)));
    ca = readFileSync(files.certificate, "utf8");
  });
  after(() => rig[Symbol.asyncDispose]());
  const failures = () =>
    rig.parts.lines.filter(({ event }) => event === "bundle-certificate-failed");

  test("FED-11: shows it, and serves the bundle to whoever trusts its issuer", async () => {
    const { status, body, certificate } = await ask(rig.endpoint.url, { ca });
    assert.equal(status, 200);
    assert.equal(parseBundleDocument(body).roots.length, 1);
    assert.deepEqual(parseCertificate(certificate).uris, []);
  });

  test("keeps it when the files are broken, and says which is", async () => {
    const key = readFileSync(files.key);
    writeFileSync(files.key, "no key");
    await rig.endpoint.renew();
    assert.equal((await ask(rig.endpoint.url, { ca })).status, 200);
    assert.match(
      failures().at(-1)?.text ?? "",
      /bundle-key-invalid.*web\.key|web\.key.*private key/,
    );
    assert.ok(failures().every(({ text }) => !text.includes("no key")));
    writeFileSync(files.key, key);
  });

  test("shows another one soon after its files have changed", async () => {
    const next = makeWebCertificate(rig.parts.directory, { name: "next" });
    const nextCa = readFileSync(next.certificate, "utf8");
    copyFileSync(next.certificate, files.certificate);
    copyFileSync(next.key, files.key);
    await eventually(() => ask(rig.endpoint.url, { ca: nextCa }).catch(() => undefined));
    assert.ok(rig.parts.lines.some(({ event }) => event === "bundle-certificate-renewed"));
  });

  test("says nothing when it is told to renew and the files are as before", async () => {
    const said = () => rig.parts.lines.length;
    await rig.endpoint.renew();
    const before = said();
    await rig.endpoint.renew();
    assert.equal(said(), before);
  });

  test("takes one that has expired, and warns", async () => {
    rig.parts.advance(2 * 86_400_000);
    await rig.endpoint.renew();
    rig.parts.advance(-2 * 86_400_000);
    const line = rig.parts.lines.find(({ event }) => event === "bundle-certificate-expired");
    assert.equal(line?.["file"], files.certificate);
  });
});

describe("files of a web certificate", () => {
  type Broken = readonly [string, BundleCertificateErrorCode, "web.pem" | "web.key", Breaker];
  type Breaker = (files: CertificateFiles, directory: string) => void;
  const table: readonly Broken[] = [
    [
      "text for a certificate",
      "bundle-certificate-invalid",
      "web.pem",
      ({ certificate }) => writeFileSync(certificate, "a"),
    ],
    [
      "a certificate of garbage",
      "bundle-certificate-invalid",
      "web.pem",
      ({ certificate }) =>
        writeFileSync(
          certificate,
          "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
    ],
    [
      "a key for a certificate",
      "bundle-certificate-invalid",
      "web.pem",
      ({ certificate, key }) => copyFileSync(key, certificate),
    ],
    ["text for a key", "bundle-key-invalid", "web.key", ({ key }) => writeFileSync(key, "a")],
    [
      "a certificate for a key",
      "bundle-key-invalid",
      "web.key",
      ({ certificate, key }) => copyFileSync(certificate, key),
    ],
    [
      "a key under a passphrase",
      "bundle-key-invalid",
      "web.key",
      (_, directory) => void makeWebCertificate(directory, { passphrase: "secret" }),
    ],
    [
      "another certificate's key",
      "bundle-key-mismatch",
      "web.key",
      ({ key }, directory) => copyFileSync(makeWebCertificate(directory, { name: "b" }).key, key),
    ],
  ];
  for (const [title, code, file, breakFiles] of table) {
    test(`are refused with ${title}, by name`, async () => {
      using directory = temporaryDirectory();
      const files = makeWebCertificate(directory.path);
      breakFiles(files, directory.path);
      await assert.rejects(readWebCertificate(files), (error) => {
        assert.ok(error instanceof BundleCertificateError);
        assert.equal(error.code, code);
        assert.ok(error.message.startsWith(`${join(directory.path, file)}: `), error.message);
        return true;
      });
    });
  }

  test("stop the start when one is missing", async () => {
    const start = startBundleRig((directory) => {
      const files = makeWebCertificate(directory);
      rmSync(files.key);
      return files;
    });
    await assert.rejects(
      start,
      (error) => error instanceof PrivateFileError && error.code === "file-missing",
    );
  });
});
