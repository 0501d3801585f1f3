/** The TLS port in front of the CA: whom it lets in, and how its own certificate changes. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";

import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { eventually, scrape, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { OpensslCa } from "../support/openssl-ca.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { CODE, dialWire, sign, WIRE_KEY, type WireConnection } from "./grpc-wire.ts";

const WIRE_KEY_PEM = WIRE_KEY.privateKey.export({ format: "pem", type: "pkcs8" });
const refusedMetric = (reason: string) => `portcullis_tls_refused_total{reason="${reason}"}`;

function portOf({ address }: Pick<TestControlPlane, "address">): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** The socket of a finished handshake. @throws what ended it */
async function handshake(
  it: TestControlPlane,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({
    host: "127.0.0.1",
    port: portOf(it),
    ca: it.rootPem,
    ALPNProtocols: ["h2"],
    ...options,
  });
  try {
    await once(socket, "secureConnect");
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** What `openssl s_client` says of one connection. */
async function sClient(args: readonly string[]): Promise<string> {
  const client = spawn("openssl", ["s_client", "-alpn", "h2", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let said = "";
  client.stdout.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  client.stderr.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  // The preface of HTTP/2 and empty settings: a while in which tickets would come.
  client.stdin.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0");
  setTimeout(() => client.stdin.end(), 150);
  await once(client, "close");
  return said;
}

describe("a TLS connection", () => {
  let it: TestControlPlane;
  before(async () => {
    it = await startControlPlane();
  });
  after(() => it[Symbol.asyncDispose]());

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`is taken with ${version}`, async () => {
      const versions = { minVersion: version, maxVersion: version };
      await using connection = dialWire(it, versions);
      assert.equal((await sign(connection)).code, CODE.ok);
    });

    test(`never resumes a session of ${version}`, async () => {
      using directory = temporaryDirectory();
      const session = join(directory.path, "session");
      const flag = version === "TLSv1.2" ? "-tls1_2" : "-tls1_3";
      const to = ["-connect", it.address, flag];
      const first = await sClient([...to, "-sess_out", session]);
      assert.match(first, /^New, TLSv1/m);
      writeFileSync(session, "", { flag: "a" });
      const second = await sClient([...to, "-sess_in", session]);
      const again = await sClient([...to, "-reconnect"]);
      assert.doesNotMatch(second + again, /^Reused, /m);
    });
  }

  test("is refused with TLS 1.1 and without HTTP/2", async () => {
    const old = {
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL:@SECLEVEL=0",
    } as const;
    const before = (await scrape(it)).get(refusedMetric("handshake")) ?? 0;
    await assert.rejects(handshake(it, old));
    await assert.rejects(handshake(it, { ALPNProtocols: ["http/1.1"] }));
    await eventually(async () => (await scrape(it)).get(refusedMetric("handshake")) === before + 2);
  });

  test("may bring a certificate of the mesh, and none of a stranger", async () => {
    const certificateOf = async (connection: WireConnection): Promise<string> => {
      const { certChain } = await sign(connection, { message: { validityDuration: 1n } });
      return certChain[0] ?? "";
    };
    await using anonymous = dialWire(it);
    const cert = await certificateOf(anonymous);
    await using known = dialWire(it, { cert, key: WIRE_KEY_PEM });
    assert.equal((await sign(known)).code, CODE.ok);

    using directory = temporaryDirectory();
    const domain = TrustDomain.parse("cluster.local");
    const stranger = new OpensslCa(directory.path, domain).issue(
      SpiffeId.forServiceAccount(domain, "shop", "cart"),
    );
    const strange = {
      cert: encodePem(stranger.chain[0] ?? Uint8Array.of(), "CERTIFICATE"),
      key: encodePem(stranger.privateKeyPkcs8, "PRIVATE KEY"),
    };
    const expired = { cert, key: WIRE_KEY_PEM };
    const { validToDate } = new X509Certificate(cert);
    await eventually(() => Date.now() > validToDate.getTime());
    for (const identity of [strange, expired]) {
      const metric = refusedMetric("client-certificate");
      const before = (await scrape(it)).get(metric) ?? 0;
      await using connection = dialWire(it, identity);
      assert.notEqual((await sign(connection).catch(() => ({ code: -1 }))).code, CODE.ok);
      assert.equal((await scrape(it)).get(metric), before + 1);
    }
  });
});

test("the serving certificate renews at half of its life, and no call is dropped", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  // Begun long ago, since a certificate of the future is none for TLS.
  let agoMs = 13 * 3_600_000;
  const nowMs = (): number => Date.now() - agoMs;
  await using it = await startControlPlane({ flags: { "serving-dns-name": "ca.example" }, nowMs });
  await using connection = dialWire(it);
  const serialNow = async (): Promise<string | undefined> => {
    const socket = await handshake(it);
    const { serialNumber, subjectAltName } = socket.getPeerX509Certificate() ?? {};
    socket.destroy();
    assert.equal(
      subjectAltName,
      "DNS:ca.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
    );
    return serialNumber;
  };
  const first = await serialNow();
  agoMs = 2 * 3_600_000;
  t.mock.timers.tick(60_000);
  assert.equal(await serialNow(), first);
  agoMs = 0;
  const open = sign(connection);
  t.mock.timers.tick(60_000);
  assert.equal((await open).code, CODE.ok);
  assert.notEqual(await serialNow(), first);
  assert.equal((await sign(connection)).code, CODE.ok);
  assert.equal(it.log.filter(({ event }) => event === "serving-certificate-renewed").length, 1);
});

for (const host of ["127.0.0.1", "[::1]", "[::]", "localhost"]) {
  test(`listens on ${host}`, async () => {
    await using it = await startControlPlane({ flags: { listen: `${host}:0` } });
    assert.notEqual(portOf(it), 0);
    const dialled = host === "[::]" ? ["[::1]", "127.0.0.1"] : [host];
    for (const name of dialled) {
      await using connection = dialWire({ ...it, address: `${name}:${portOf(it)}` });
      assert.equal((await sign(connection)).code, CODE.ok);
    }
  });
}
