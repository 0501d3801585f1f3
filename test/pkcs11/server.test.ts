/** A server whose HSM goes away or hangs: it says so, its own thread goes on, and it can always be ended. */

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, mint, TOKEN_KEY } from "../support/control-plane.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument, TEST_ISSUER } from "../support/tokens.ts";
import { CODE, dialWire, sign, type WireConnection } from "../server/grpc-wire.ts";
import { runVerb, startServer, type ServerProcess } from "../server/portcullis-process.ts";
import { hang, pullOut } from "./hsm-faults.ts";

describe("a server whose HSM", { skip: whyNoSoftHsm() }, () => {
  const temporary = temporaryDirectory();
  const dataDir = join(temporary.path, "data");
  const hsm = new SoftHsm();
  let server: ServerProcess;
  let connection: WireConnection;
  before(async () => {
    const pki = new OpensslPki(temporary.path);
    const root = pki.root("root");
    hsm.initToken("mesh");
    const privateKey = createPrivateKey(root.keyPem);
    hsm.importKey("mesh", { label: "ca", id: "01", privateKey });
    const jwks = join(temporary.path, "jwks.json");
    writeFileSync(jwks, jwksDocument(TOKEN_KEY));
    const caDir = pki.directory({ "ca-cert.pem": root.certPem, "root-cert.pem": root.certPem });
    const any = "127.0.0.1:0";
    const ports = ["--listen", any, "--metrics-listen", any, "--bundle-listen", any];
    const issuer = ["--token-issuer", TEST_ISSUER, "--jwks", jwks];
    const ca = ["--ca-dir", caDir, "--ca-key", hsm.uri("token=mesh;object=ca")];
    server = await startServer(dataDir, ["server", ...ports, ...issuer, ...ca]);
    const rootPem = readFileSync(join(dataDir, "root-cert.pem"), "utf8");
    connection = dialWire({ address: server.endpoints.ca, rootPem });
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    temporary[Symbol.dispose]();
    hsm[Symbol.dispose]();
  });

  const codeOfSigning = async (): Promise<number> =>
    (await sign(connection, { authorization: `Bearer ${mint()}` })).code;
  const probe = async (path: string): Promise<string> => {
    const response = await fetch(`${server.endpoints.metrics}${path}`);
    return `${response.status} ${await response.text()}`;
  };

  test("is pulled out is not ready, and ready again by itself when that is back", async () => {
    assert.equal(await codeOfSigning(), CODE.ok);
    assert.equal(await probe("/readyz"), "200 ok\n");
    {
      using _ = pullOut(hsm);
      assert.equal(await codeOfSigning(), CODE.unavailable);
      await eventually(async () =>
        (await probe("/readyz")).startsWith("503 the signing key cannot be used"),
      );
      assert.equal(await probe("/healthz"), "200 ok\n");
      assert.match(await probe("/metrics"), /^portcullis_signer_available 0$/m);
      const { status, stdout } = await runVerb(["status", "--data-dir", dataDir]);
      assert.equal(status, 3);
      assert.match(stdout, /^nothing is signed: the signing key cannot be used$/m);
    }
    await eventually(async () => (await probe("/readyz")) === "200 ok\n", 15_000);
    assert.equal(await codeOfSigning(), CODE.ok);
    assert.match(await probe("/metrics"), /^portcullis_signer_available 1$/m);
    assert.equal((await runVerb(["status", "--data-dir", dataDir])).status, 0);
    await eventually(() => server.stderr().includes("signing-recovered"));
    assert.ok(!server.stderr().includes(hsm.pin));
  });

  test("hangs goes on with all the rest, and ends in time", async () => {
    using _ = hang(hsm);
    void codeOfSigning();
    // A reload wants to prove the key: not on the thread that answers here.
    server.kill("SIGHUP");
    await eventually(() => server.stderr().includes('"event":"configuration-unchanged"'));
    assert.equal(await probe("/healthz"), "200 ok\n");
    await connection[Symbol.asyncDispose]();
    const startedMs = performance.now();
    server.kill("SIGTERM");
    const { signal, stderr } = await server.outcome;
    assert.equal(signal, "SIGTERM");
    assert.ok(performance.now() - startedMs < 8_000);
    assert.match(stderr, /"event":"signing-stuck"/);
    assert.match(stderr, /"event":"stopped"/);
  });
});
