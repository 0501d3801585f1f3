/** What `openssl x509 -req` makes where it is told of no extensions. */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CaFilesError } from "../../src/core/ca/ca-files-error.ts";
import { parseCaFiles } from "../../src/core/ca/ca-files.ts";
import { caFiles, OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

test("a certificate of version 1 is refused, and the hint says how it came to be", () => {
  using temporary = temporaryDirectory();
  const root = new OpensslPki(temporary.path).root("root");
  const path = (name: string): string => join(temporary.path, name);
  const run = (...args: readonly string[]): void =>
    void execFileSync("openssl", args, { stdio: "pipe" });
  run("req", "-new", "-key", root.keyFile, "-subj", "/CN=signing", "-out", path("csr.pem"));
  const issuer = ["-CA", root.certFile, "-CAkey", root.keyFile, "-set_serial", "7"];
  // OpenSSL 3.4 and newer must be told.
  const { stderr } = spawnSync("openssl", ["x509", "-help"], { encoding: "utf8" });
  const version = stderr.includes("-x509v1") ? ["-x509v1"] : [];
  run("x509", "-req", "-in", path("csr.pem"), ...issuer, ...version, "-out", path("v1.pem"));
  const files = {
    "ca-cert.pem": readFileSync(path("v1.pem"), "utf8"),
    "ca-key.pem": root.keyPem,
    "root-cert.pem": root.certPem,
  };
  assert.throws(
    () => parseCaFiles(caFiles(files), Date.now()),
    (error) => {
      assert.ok(error instanceof CaFilesError);
      assert.equal(error.message, "ca-cert.pem: expected X.509 version 3");
      assert.match(error.hint ?? "", /-extfile FILE/);
      return true;
    },
  );
});
