/** A reload of the operator's CA that fails between the store and its taking over, and what a denial does meanwhile. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { interceptDurable } from "../../src/edge/store/durable.ts";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "./portcullis-process.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const root = pki.root("root");
const [first, second] = [pki.under(root, "first"), pki.under(root, "second")];
const files = ({ certPem, keyPem }: PkiNode): Record<string, string> => ({
  "ca-cert.pem": certPem,
  "ca-key.pem": keyPem,
  "root-cert.pem": root.certPem,
});

function failOnce(name: string): void {
  let isDue = true;
  interceptDurable((each, write) => {
    if (each !== name || !isDue) return write();
    isDue = false;
    throw new Error(`${name} fails`);
  });
}

const signs = (it: TestControlPlane): string | undefined =>
  it.controlPlane.trust.authority.chainTail[0];

async function deny(it: TestControlPlane): Promise<void> {
  const target = "spiffe://cluster.local/ns/shop/sa/cart";
  const dir = ["--data-dir", it.config.dataDir];
  const { status, stderr } = await runVerb(["deny", "add", target, "--reason", "test", ...dir]);
  // 3 warns of an identity that never had a certificate.
  assert.equal(status, 3, stderr);
}

for (const isDeniedMeanwhile of [false, true]) {
  const title = isDeniedMeanwhile ? ", also where somebody was denied meanwhile" : "";
  test(`a CA whose reload failed after it was stored signs from the next reload on${title}`, async () => {
    const caDir = pki.directory(files(first));
    await using it = await startControlPlane({ flags: { "ca-dir": caDir } });
    const before = signs(it);
    for (const [name, text] of Object.entries(files(second)))
      writeFileSync(join(caDir, name), text);
    failOnce("fact-remember");
    try {
      await assert.rejects(it.controlPlane.reloadTrust(), /fact-remember fails/);
    } finally {
      interceptDurable(undefined);
    }
    assert.equal(signs(it), before);
    if (isDeniedMeanwhile) await deny(it);
    const { epoch } = it.controlPlane.trust.state;
    // Unless the server has made up for it by itself already.
    await it.controlPlane.reloadTrust();
    assert.notEqual(signs(it), before);
    assert.ok(it.controlPlane.trust.state.epoch >= epoch);
    assert.equal(await it.controlPlane.reloadTrust(), false);
    await deny(it);
    assert.equal(await it.controlPlane.reloadTrust(), false);
  });
}
