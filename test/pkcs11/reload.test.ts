/** A reload that an outage of the HSM refuses: nothing changes, `status` says so, and it is made up for by itself. */

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { reloadOnChange } from "../../src/app/server/reload.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { eventually, startControlPlane, testConfig } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { logRecorder } from "../support/log-recorder.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { pullOut } from "./hsm-faults.ts";

const times = { pollMs: 20, quietMs: { configuration: 100, ca: 200 }, retryMs: 60_000 };

describe("a reload while the HSM is away", { skip: whyNoSoftHsm() }, () => {
  const temporary = temporaryDirectory();
  const hsm = new SoftHsm();
  const pki = new OpensslPki(temporary.path);
  const root = pki.root("root");
  const first = pki.under(root, "mesh");
  const renewed = pki.under(root, "mesh", { keyOf: first });
  const caDir = pki.directory({ "ca-cert.pem": first.certPem, "root-cert.pem": root.certPem });
  const { log, events } = logRecorder();
  let it: TestControlPlane;
  let reloading: Disposable;
  before(async () => {
    hsm.initToken("mesh");
    hsm.importKey("mesh", { label: "ca", id: "01", privateKey: createPrivateKey(first.keyPem) });
    const flags = { "ca-dir": caDir, "ca-key": hsm.uri("token=mesh;object=ca") };
    it = await startControlPlane({ flags });
    const loadConfig = async () => testConfig(it.config.dataDir, flags);
    const options = { configFile: undefined, caDir, loadConfig, log, nowMs: Date.now, times };
    reloading = reloadOnChange(it.controlPlane, options);
  });
  after(async () => {
    reloading[Symbol.dispose]();
    await it[Symbol.asyncDispose]();
    temporary[Symbol.dispose]();
    hsm[Symbol.dispose]();
  });
  const saidOf = (name: string) => events.filter(({ event }) => event === name);
  const status = () => runVerb(["status", "--data-dir", it.config.dataDir]);

  test("is refused with what to do, shown by `status`, and made up for when that is back", async () => {
    {
      using _ = pullOut(hsm);
      writeFileSync(join(caDir, "ca-cert.pem"), renewed.certPem);
      await eventually(() => saidOf("reload-refused").length > 0, 15_000);
      const [refusal] = saidOf("reload-refused");
      assert.match(String(refusal?.["reason"]), /^pkcs11-(?:unavailable|token-not-found)$/);
      assert.match(String(refusal?.["hint"]), /is the token there/);
      const { status: code, stdout } = await status();
      assert.equal(code, 3);
      assert.match(
        stdout,
        /^the CA on disk was refused (?:now|\d+s ago), and an older one runs: /m,
      );
      const failed = it.log.find(({ event }) => event === "signing-failed");
      assert.match(String(failed?.["reason"]), /^pkcs11-/);
      assert.match(String(failed?.["hint"]), /token/);
      assert.ok(failed?.["error"] === undefined);
    }
    const [reloaded] = await eventually(() => {
      const found = saidOf("ca-reloaded");
      return found.length > 0 && found;
    }, 15_000);
    const { serialNumber } = new X509Certificate(renewed.certPem);
    assert.equal(reloaded?.["serial"], serialNumber.toLowerCase());
    assert.equal((await status()).status, 0);
    assert.equal(saidOf("reload-refused").length, 1);
  });
});
