/** A server whose CA ends soon says so: in the log, in its metrics, and to whoever asks for its status. */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import { startControlPlane } from "../support/control-plane.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "./portcullis-process.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const longRoot = pki.root("long root", { days: 365 });
const briefRoot = pki.root("brief root", { days: 20 });

describe("a server on an operator's CA", () => {
  const shapes: readonly (readonly [string, PkiNode, PkiNode, boolean])[] = [
    ["with years to go", longRoot, pki.under(longRoot, "long", { days: 300 }), false],
    ["that ends in 10 days", longRoot, pki.under(longRoot, "brief", { days: 10 }), true],
    ["under a root that ends in 20", briefRoot, pki.under(briefRoot, "b", { days: 300 }), true],
  ];
  for (const [title, root, signing, isSoon] of shapes) {
    test(`${title} ${isSoon ? "warns" : "is silent"} of its end`, async () => {
      const dir = pki.directory({
        "ca-cert.pem": signing.certPem,
        "ca-key.pem": signing.keyPem,
        "root-cert.pem": root.certPem,
      });
      const endpoint = { "bundle-listen": "127.0.0.1:0" };
      await using it = await startControlPlane({ flags: { "ca-dir": dir, ...endpoint } });
      const { status, stdout } = await runVerb(["status", "--data-dir", it.config.dataDir]);
      assert.equal(status, isSoon ? 3 : 0, stdout);
      const line = /^authority [0-9a-f]+ expires in \d+d.*: nothing that it signs outlives it$/m;
      assert.equal(line.test(stdout), isSoon, stdout);
      const warned = it.log.some(({ event }) => event === "ca-expires-soon");
      assert.equal(warned, isSoon);
      const response = await fetch(`${it.controlPlane.endpoints.metrics}/metrics`);
      const [, left] =
        /^portcullis_bundle_endpoint_cert_expiry_seconds (\d+)$/m.exec(await response.text()) ?? [];
      // An SVID of a day.
      assert.ok(Number(left) > 86_000 && Number(left) <= 86_400, String(left));
    });
  }
});
