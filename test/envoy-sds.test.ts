/** The subscriber machine and the bootstrap against a real Envoy, over both variants of SDS. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { envoyArguments, envoyBootstrap } from "../src/core/envoy/bootstrap.ts";
import { parseInbound, parseOutbound } from "../src/core/envoy/listen.ts";
import type { WorkloadCertificate } from "../src/core/envoy/secret.ts";
import type { EnvoyObject } from "../src/core/envoy/tls-context.ts";
import { SpiffeId, TrustDomain } from "../src/core/spiffe/id.ts";
import { startEnvoy, type EnvoyProcess } from "../src/edge/envoy/process.ts";
import { callPlain, callTls, freePort, HelloApp, testEnvoy, until } from "./support/envoy.ts";
import { OpensslCa } from "./support/openssl-ca.ts";
import { SdsServer, secretSnapshot } from "./support/sds-server.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

const trustDomain = TrustDomain.parse("td.test");
const serverId = SpiffeId.forServiceAccount(trustDomain, "shop", "server");
const otherId = SpiffeId.forServiceAccount(trustDomain, "shop", "other");

interface Scene extends AsyncDisposable {
  readonly apiType: ApiType;
  readonly ca: OpensslCa;
  readonly app: HelloApp;
  readonly envoy: EnvoyProcess;
  readonly inbound: number;
  /** Leads to `inbound`, and expects the identity that is there. */
  readonly outbound: number;
  /** Leads to `inbound`, and expects somebody else there. */
  readonly outboundToOther: number;
  readonly first: WorkloadCertificate;
  readonly second: WorkloadCertificate;
  readonly sds: SdsServer;
}

type ApiType = "GRPC" | "DELTA_GRPC";

/** In this order, each on what the one before has left. */
const steps: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  [
    "waits in silence for secrets that are pending",
    async ({ sds }) => {
      await until(() => sds.subscription("ROOTCA") !== undefined, "a stream for ROOTCA");
      await until(() => sds.subscription("default") !== undefined, "a stream for default");
      assert.equal(sds.responseCount, 0);
    },
  ],
  [
    "has its ACK of certificate and bundle recorded under its node id",
    async ({ sds, ca, envoy, first }) => {
      sds.publish(secretSnapshot(ca.secrets(first, 1n)));
      await envoy.waitUntilLive(AbortSignal.timeout(10_000));
      await untilHeld(sds, first);
      assert.equal(sds.subscription("ROOTCA")?.acked?.evidence.bundleSequence, 1n);
      assert.deepEqual(sds.nodeIds, new Set(["proxy-1"]));
    },
  ],
  [
    "lets mesh peers in and nobody else, without a touch of the application",
    async ({ inbound, app, first }) => {
      const { body, serialHex } = await callTls(inbound, first);
      assert.deepEqual([body, serialHex], ["hello", first.serialHex]);
      const before = app.connections;
      await assert.rejects(callTls(inbound));
      const plain = callPlain(inbound, "GET / HTTP/1.0\r\n\r\n");
      assert.notEqual(await plain.catch(() => "reset"), "hello");
      assert.equal(app.connections, before);
    },
  ],
  [
    "calls out over mTLS to exactly the server that it was told",
    async ({ envoy, inbound, outbound, outboundToOther }) => {
      assert.equal(await callPlain(outbound), "hello");
      assert.notEqual(await callPlain(outboundToOther).catch(() => "reset"), "hello");
      const stats = await envoy.stats("\\.ssl\\.(handshake|versions|fail_verify_san)");
      assert.equal(stats.get(`cluster.outbound_${outbound}.ssl.handshake`), 1);
      assert.equal(stats.get(`cluster.outbound_${outbound}.ssl.versions.TLSv1.3`), 1);
      assert.equal(stats.get(`cluster.outbound_${outboundToOther}.ssl.fail_verify_san`), 1);
      assert.equal(stats.get(`listener.inbound_${inbound}.ssl.versions.TLSv1.3`), 2);
    },
  ],
  [
    "serves a pushed certificate at once",
    async ({ sds, ca, envoy, inbound, second }) => {
      sds.publish(secretSnapshot(ca.secrets(second, 1n)));
      await untilHeld(sds, second);
      assert.equal((await callTls(inbound, second)).serialHex, second.serialHex);
      const { chain, roots } = await envoy.certificates();
      assert.equal(roots.length, chain.length);
      for (const { serialHex, uris, notAfterMs } of chain) {
        assert.equal(serialHex, second.serialHex);
        assert.deepEqual(uris, [serverId.toString()]);
        assert.equal(notAfterMs, second.notAfterMs);
      }
    },
  ],
  [
    "refuses a key that does not fit, once, and goes on with what it has",
    async ({ sds, ca, inbound, first, second }) => {
      const bad = { ...ca.issue(serverId), privateKeyPkcs8: first.privateKeyPkcs8 };
      const before = sds.responseCount;
      sds.publish(secretSnapshot(ca.secrets(bad, 1n)));
      await until(() => sds.subscription("default")?.nack !== undefined, "a NACK");
      await sleep(200);
      assert.equal(sds.responseCount, before + 1);
      assert.match(sds.subscription("default")?.nack?.detail ?? "", /KEY_VALUES_MISMATCH/);
      assert.equal(heldSerial(sds), second.serialHex);
      assert.equal((await callTls(inbound, second)).serialHex, second.serialHex);
    },
  ],
  [
    "recovers from a refusal with the next good certificate",
    async ({ sds, ca, first }) => {
      sds.publish(secretSnapshot(ca.secrets(first, 1n)));
      await untilHeld(sds, first);
      assert.equal(sds.subscription("default")?.nack, undefined);
    },
  ],
  [
    "proves again what it holds after the SDS server has restarted",
    async ({ apiType, sds, ca, first, inbound }) => {
      await sds.start(secretSnapshot(ca.secrets(first, 2n)));
      await untilHeld(sds, first);
      await until(() => sds.subscription("ROOTCA")?.acked !== undefined, "ROOTCA held");
      assert.equal(sds.subscription("ROOTCA")?.acked?.evidence.bundleSequence, 2n);
      const isDelta = apiType === "DELTA_GRPC";
      const source = sds.subscription("default")?.acked?.source;
      assert.equal(source, isDelta ? "initial-version" : "ack");
      assert.equal(sds.responseCount, isDelta ? 0 : 2);
      assert.equal((await callTls(inbound, first)).body, "hello");
    },
  ],
];

for (const apiType of ["GRPC", "DELTA_GRPC"] as const) {
  test(`a real Envoy over ${apiType}`, { timeout: 30_000 }, async (t) => {
    using directory = temporaryDirectory();
    await using scene = await openScene(apiType, directory.path);
    for (const [title, run] of steps) await t.test(title, async () => run(scene));
  });
}

test("makes a bootstrap that Envoy accepts for every kind of address", async () => {
  using directory = temporaryDirectory();
  const bootstrap = envoyBootstrap({
    nodeId: "proxy-1",
    nodeCluster: "shop",
    trustDomain,
    sdsSocketPath: join(directory.path, "sds.sock"),
    adminSocketPath: join(directory.path, "admin.sock"),
    inbound: [
      parseInbound("0.0.0.0:18443=127.0.0.1:8080"),
      parseInbound("[::]:18444=[::1]:8080"),
      parseInbound("[::1]:18445=localhost:8080"),
    ],
    outbound: [
      parseOutbound(`127.0.0.1:19001=server.shop.svc:8443@${serverId.toString()}`),
      parseOutbound(`[::1]:19002=[fd00::1]:8443@${serverId.toString()}`),
    ],
  });
  const path = join(directory.path, "envoy.json");
  writeFileSync(path, JSON.stringify(bootstrap));
  const args = [...envoyArguments(path), "--mode", "validate", "--log-level", "warning"];
  const output = execFileSync(await testEnvoy(), args, { encoding: "utf8", stdio: "pipe" });
  assert.match(output, /OK/);
});

async function openScene(apiType: ApiType, directory: string): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const ca = new OpensslCa(directory, trustDomain);
  const sdsSocketPath = join(directory, "sds.sock");
  const adminSocketPath = join(directory, "admin.sock");
  const app = stack.use(new HelloApp());
  const appPort = await app.listen();
  const [inbound, outbound, outboundToOther] = await freePorts();
  const server = `127.0.0.1:${inbound}`;
  const bootstrap = envoyBootstrap({
    nodeId: "proxy-1",
    nodeCluster: "shop",
    trustDomain,
    sdsSocketPath,
    adminSocketPath,
    inbound: [parseInbound(`${server}=127.0.0.1:${appPort}`)],
    outbound: [
      parseOutbound(`127.0.0.1:${outbound}=${server}@${serverId.toString()}`),
      parseOutbound(`127.0.0.1:${outboundToOther}=${server}@${otherId.toString()}`),
    ],
  });
  const sds = stack.use(new SdsServer(sdsSocketPath));
  await sds.start(secretSnapshot([], ["default", "ROOTCA"]));
  const envoy = stack.use(
    await startEnvoy({
      binary: await testEnvoy(),
      bootstrap: withApiType(bootstrap, apiType),
      adminSocketPath,
      directory,
    }),
  );
  const [first, second] = [ca.issue(serverId), ca.issue(serverId)];
  const owned = stack.move();
  const ports = { inbound, outbound, outboundToOther };
  const dispose = { [Symbol.asyncDispose]: async () => owned.disposeAsync() };
  return { apiType, ca, app, envoy, first, second, sds, ...ports, ...dispose };
}

async function freePorts(): Promise<[number, number, number]> {
  return [await freePort(), await freePort(), await freePort()];
}

/** The product speaks one variant; the machine speaks both. */
function withApiType(bootstrap: EnvoyObject, apiType: ApiType): EnvoyObject {
  const json = JSON.stringify(bootstrap);
  return JSON.parse(json.replaceAll('"api_type":"GRPC"', `"api_type":"${apiType}"`));
}

function heldSerial(sds: SdsServer): string | undefined {
  return sds.subscription("default")?.acked?.evidence.certificate?.serialHex;
}

async function untilHeld(sds: SdsServer, { serialHex }: WorkloadCertificate): Promise<void> {
  await until(() => heldSerial(sds) === serialHex, `Envoy holds ${serialHex}`);
}
