/** A real Envoy that is told everything by its agent, over both variants of ADS. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { adsBootstrap, type AdsBootstrapOptions } from "../../src/core/envoy/ads-bootstrap.ts";
import type { WorkloadCertificate } from "../../src/core/envoy/secret.ts";
import { emptyPolicy, type ProxyPolicy, type Sending } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import { inboundPort, meshCluster, outboundPort } from "../policy-envoy/policies.ts";
import { callPlain, callTls, freePort, testEnvoy, until } from "../support/envoy.ts";
import { OpensslCa } from "../support/openssl-ca.ts";
import { secretSnapshot } from "../support/sds-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { AdsRig } from "./ads-rig.ts";

const trustDomain = TrustDomain.parse("td.test");
const serverId = SpiffeId.forServiceAccount(trustDomain, "shop", "server");
const proxyId = "server-0";

interface Scene extends AsyncDisposable {
  readonly rig: AdsRig;
  readonly certificate: WorkloadCertificate;
  readonly appPort: number;
  readonly inbound: number;
  /** Leads to `inbound`, by way of the same Envoy. */
  readonly outbound: number;
  readonly restart: () => Promise<EnvoyProcess>;
  envoy: EnvoyProcess;
}

/** In this order, each on what the one before has left. */
const steps: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  [
    "waits until there is a policy, and is live with it",
    async (scene) => {
      const { rig, envoy } = scene;
      await until(() => rig.feed.users.size === 1, "a user of the feed");
      const [user] = rig.feed.users;
      assert.deepEqual(user?.proxy, { proxyId, spiffeId: undefined });
      assert.deepEqual([...(user?.labels ?? [])], [["app", "server"]]);
      await assert.rejects(envoy.waitUntilLive(AbortSignal.timeout(300)));
      await apply(scene, policyOf(scene, "permissive", "plaintext"));
      await envoy.waitUntilLive(AbortSignal.timeout(10_000));
    },
  ],
  [
    "takes plaintext while it is permissive, and has its secrets of the same stream in the evidence",
    async ({ rig, inbound, outbound, certificate }) => {
      assert.equal(await answer(inbound), "hello");
      assert.equal(await answer(outbound), "hello");
      const acked = rig.evidence(proxyId, "default")?.acked;
      assert.equal(acked?.certificate?.serialHex, certificate.serialHex);
      assert.equal(rig.evidence(proxyId, "ROOTCA")?.acked?.bundleSequence, 1n);
    },
  ],
  [
    "moves its calls to mTLS, and then takes no plaintext any more",
    async (scene) => {
      const { inbound, outbound, certificate, envoy } = scene;
      await apply(scene, policyOf(scene, "permissive", "mtls"));
      assert.equal(await answer(outbound), "hello");
      const handshakes = await envoy.stats("ssl.handshake");
      assert.equal(handshakes.get(`cluster.outbound|${inbound}||server.shop.svc.ssl.handshake`), 1);
      await apply(scene, policyOf(scene, "strict", "mtls"));
      assert.notEqual(await answer(inbound), "hello");
      assert.equal(await answer(outbound), "hello");
      assert.equal((await callTls(inbound, certificate)).body, "hello");
    },
  ],
  [
    "takes a cluster that has changed while its endpoints have not: Envoy waits for them once more",
    async (scene) => {
      const { clusters, ...strict } = policyOf(scene, "strict", "mtls");
      const others = ["spiffe://td.test/ns/shop/sa/other"];
      const changed = clusters.map(({ mtls, ...cluster }) => {
        return { ...cluster, mtls: mtls && { ...mtls, sans: [...mtls.sans, ...others] } };
      });
      await apply(scene, { ...strict, clusters: changed });
      assert.equal(await answer(scene.outbound), "hello");
      const warming = await scene.envoy.stats("warming_clusters");
      assert.equal(warming.get("cluster_manager.warming_clusters"), 0);
      await apply(scene, { ...strict, clusters });
    },
  ],
  [
    "goes on with what it has when it has refused a policy, and is not told that one again",
    async (scene) => {
      const { rig, inbound } = scene;
      const strict = policyOf(scene, "strict", "mtls");
      const wrong = strict.inbound.map((port) => ({ ...port, bind: "not an address" }));
      const digest = rig.feed.give({ ...strict, inbound: wrong });
      await until(() => rig.feed.nacks.length === 1, "a refusal");
      assert.equal(rig.feed.nacks[0]?.digest, digest);
      assert.match(rig.feed.nacks[0]?.detail ?? "", /malformed IP address/);
      assert.deepEqual(rig.feed.nacks[0]?.resources, [`inbound_${inbound}`]);
      await sleep(300);
      assert.equal(rig.feed.nacks.length, 1);
      assert.equal(await answer(scene.outbound), "hello");
      assert.notEqual(await answer(inbound), "hello");
    },
  ],
  [
    "has what it had when the agent has restarted, and follows again",
    async (scene) => {
      const { rig, inbound, outbound } = scene;
      await rig.start();
      await until(() => rig.feed.users.size === 1, "the Envoy is back");
      await until(() => rig.feed.acked.at(-1) === rig.feed.given?.digest, "taken again");
      assert.equal(await answer(outbound), "hello");
      await apply(scene, policyOf(scene, "permissive", "plaintext"));
      assert.equal(await answer(inbound), "hello");
      assert.equal(await answer(outbound), "hello");
    },
  ],
  [
    "ends no TLS when mTLS is disabled",
    async (scene) => {
      const { inbound, outbound, certificate } = scene;
      await apply(scene, policyOf(scene, "disable", "plaintext"));
      assert.equal(await answer(inbound), "hello");
      assert.equal(await answer(outbound), "hello");
      await assert.rejects(callTls(inbound, certificate));
    },
  ],
  [
    "removes what a policy does not have any more, and brings it back",
    async (scene) => {
      const { inbound, outbound } = scene;
      const before = await clusters(scene);
      await apply(scene, emptyPolicy);
      await assert.rejects(callPlain(inbound), { code: "ECONNREFUSED" });
      for (let tries = 0; (await clusters(scene)) > before - 2 && tries < 100; tries++) {
        await sleep(10);
      }
      assert.equal(await clusters(scene), before - 2);
      await apply(scene, policyOf(scene, "strict", "mtls"));
      assert.equal(await answer(outbound), "hello");
    },
  ],
  [
    "is live again after a restart of its own",
    async (scene) => {
      const before = scene.rig.feed.acked.length;
      await scene.envoy.stop();
      scene.envoy = await scene.restart();
      await scene.envoy.waitUntilLive(AbortSignal.timeout(10_000));
      await until(() => scene.rig.feed.acked.length > before, "taken again");
      assert.equal(await answer(scene.outbound), "hello");
      assert.equal(scene.rig.feed.nacks.length, 1);
    },
  ],
];

type Variant = Pick<AdsBootstrapOptions, "variant"> & { readonly client: "envoy" | "google" };

const variants: readonly Variant[] = [
  { variant: "delta", client: "envoy" },
  { variant: "sotw", client: "envoy" },
  { variant: "delta", client: "google" },
  { variant: "sotw", client: "google" },
];

for (const each of variants) {
  const title = `an Envoy that is told everything over ADS, ${each.variant} by ${each.client}_grpc`;
  test(title, { timeout: 60_000 }, async (t) => {
    using directory = temporaryDirectory();
    await using scene = await openScene(each, directory.path);
    for (const [title, run] of steps) await t.test(title, async () => run(scene));
  });
}

async function openScene({ variant, client }: Variant, directory: string): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const ca = new OpensslCa(directory, trustDomain);
  const certificate = ca.issue(serverId);
  // Who is passed through speaks first.
  const app = stack.use(createServer((socket) => socket.resume().end("hello")));
  app.on("connection", (socket) => socket.on("error", () => {}));
  const [appPort, inbound, outbound] = [await freePort(), await freePort(), await freePort()];
  app.listen(appPort, "127.0.0.1");
  const rig = stack.use(new AdsRig(join(directory, "sds.sock"), serverId));
  await rig.start();
  rig.publish(secretSnapshot(ca.secrets(certificate, 1n)));
  const adminSocketPath = join(directory, "admin.sock");
  const path = join(directory, "token");
  writeFileSync(path, "a.b.c");
  const bootstrap = adsBootstrap({
    nodeId: proxyId,
    nodeCluster: "shop",
    labels: new Map([["app", "server"]]),
    variant,
    ...(client === "google" && { sdsCredential: { kind: "token-file", path } }),
    sdsSocketPath: join(directory, "sds.sock"),
    adminSocketPath,
  });
  const binary = await testEnvoy();
  const envoyDirectory = join(directory, "envoy");
  mkdirSync(envoyDirectory);
  const restart = async (): Promise<EnvoyProcess> =>
    owned.use(await startEnvoy({ binary, bootstrap, adminSocketPath, directory: envoyDirectory }));
  let owned = stack;
  const envoy = await restart();
  owned = stack.move();
  const parts = { rig, certificate, appPort, inbound, outbound, restart, envoy };
  return { ...parts, [Symbol.asyncDispose]: async () => owned.disposeAsync() };
}

function policyOf(scene: Scene, mode: ServerMode, sends: Sending): ProxyPolicy {
  const app = { kind: "ip", host: "127.0.0.1", port: scene.appPort } as const;
  const inbound = inboundPort(scene.inbound, "tcp", mode, app);
  return {
    ...emptyPolicy,
    inbound: [inbound],
    outbound: [outboundPort(scene.outbound, "tcp", inbound)],
    clusters: [meshCluster(inbound, "tcp", sends)],
  };
}

async function apply({ rig }: Scene, policy: ProxyPolicy): Promise<void> {
  const digest = rig.feed.give(policy);
  await until(() => rig.feed.acked.at(-1) === digest, "the policy is taken");
}

async function clusters({ envoy }: Scene): Promise<number> {
  const name = "cluster_manager.active_clusters";
  return (await envoy.stats(name)).get(name) ?? 0;
}

/** Whoever says nothing is waited for, in case that he speaks TLS. */
async function answer(port: number): Promise<string> {
  return callPlain(port, "GET / HTTP/1.0\r\n\r\n").catch(() => "reset");
}
