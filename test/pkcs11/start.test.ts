/** A start whose HSM hangs: it says what it waits for, and ends when it is told to. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/control-plane.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { hang } from "./hsm-faults.ts";

const launcher = fileURLToPath(new URL("../../bin/portcullis", import.meta.url));

describe("a start whose HSM hangs", { skip: whyNoSoftHsm() }, () => {
  const temporary = temporaryDirectory();
  const hsm = new SoftHsm();
  const pki = new OpensslPki(temporary.path);
  const root = pki.root("root");
  const caDir = pki.directory({ "ca-cert.pem": root.certPem, "root-cert.pem": root.certPem });
  before(() => {
    hsm.initToken("mesh");
    hsm.importKey("mesh", { label: "ca", id: "01", privateKey: createPrivateKey(root.keyPem) });
  });
  after(() => {
    temporary[Symbol.dispose]();
    hsm[Symbol.dispose]();
  });

  test("says what it waits for, and ends at SIGTERM", async () => {
    using _ = hang(hsm);
    const ca = ["--ca-dir", caDir, "--ca-key", hsm.uri("token=mesh;object=ca")];
    const ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    const args = ["server", "--data-dir", join(temporary.path, "data"), ...ports, ...ca];
    const child = spawn(launcher, args, { stdio: ["ignore", "ignore", "pipe"], timeout: 60_000 });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    await eventually(() => said.includes('"event":"signing-waiting"'), 20_000);
    const startedMs = performance.now();
    child.kill("SIGTERM");
    const [status, signal] = await once(child, "close");
    assert.ok(performance.now() - startedMs < 8_000);
    assert.deepEqual([status, signal], [null, "SIGTERM"]);
    assert.match(said, /"event":"signing-stuck"/);
    assert.match(said, /^error: told to end before it was ready/m);
  });
});
