/** An intermediate whose key is in a token: requested, signed offline, imported. */

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { rootCsr } from "../../src/app/cli/verbs/root-csr.ts";
import { rootImport } from "../../src/app/cli/verbs/root-import.ts";
import { loadKeylessCa } from "../../src/edge/ca/plugged-ca.ts";
import { Pkcs11Error } from "../../src/edge/pkcs11/pkcs11-error.ts";
import { ecTestKey } from "../support/csr.ts";
import { openssl, OpensslPki } from "../support/openssl-pki.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "./run-verb.ts";

describe("an intermediate with its key in a token", { skip: whyNoSoftHsm() }, () => {
  const temporary = temporaryDirectory();
  const hsm = new SoftHsm();
  after(() => {
    hsm[Symbol.dispose]();
    temporary[Symbol.dispose]();
  });
  hsm.initToken("mesh");
  const key = ecTestKey("P-256");
  hsm.importKey("mesh", { label: "ca", id: "a0", privateKey: key.privateKey });
  hsm.importKey("mesh", { label: "other", id: "a1", privateKey: ecTestKey("P-256").privateKey });

  it("is requested and imported without a key file, and only with its own key", async () => {
    const pki = new OpensslPki(temporary.path);
    const root = pki.root("root");
    /** Later than everything that OpenSSL makes here. */
    const nowMs = Date.now() + 3_600_000;
    const dir = join(temporary.path, "ca");
    const uri = hsm.uri("token=mesh;object=ca");
    const csrFlags = { out: dir, "trust-domain": "prod.example", key: uri };
    const { out: csr } = await runVerb(rootCsr, csrFlags, nowMs);
    assert.deepEqual(readdirSync(dir), ["ca.csr"]);
    openssl(["req", "-verify", "-noout"], csr);

    const [cert, rootFile] = ["signed.pem", "root.pem"].map((name) => join(temporary.path, name));
    writeFileSync(cert ?? "", pki.sign(root, csr, true));
    writeFileSync(rootFile ?? "", root.certPem);
    const importFlags = { dir, cert, root: rootFile };
    const wrong = { ...importFlags, key: hsm.uri("token=mesh;object=other") };
    await assert.rejects(runVerb(rootImport, wrong, nowMs), Pkcs11Error);
    assert.deepEqual(readdirSync(dir), ["ca.csr"]);

    const { out } = await runVerb(rootImport, { ...importFlags, key: uri }, nowMs);
    assert.ok(out.includes(`--ca-key '${uri}'`));
    assert.deepEqual((await loadKeylessCa(dir, nowMs)).signingSpki, key.spki);
  });
});
