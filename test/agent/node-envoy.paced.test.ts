/**
 * Real Envoys at one node agent, with a real control plane: two workloads on one socket talk over mTLS, their tokens are
 * renewed, the agent is killed and comes back.
 */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { envoyBootstrap } from "../../src/core/envoy/bootstrap.ts";
import { parseInbound, parseOutbound } from "../../src/core/envoy/listen.ts";
import type { SdsCredential } from "../../src/core/envoy/tls-context.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import { TestAgent } from "../support/agent.ts";
import { mint, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { freePort, HelloApp, testEnvoy } from "../support/envoy.ts";
import { greeting, MeshLoad } from "../support/mesh-load.ts";
import { eventually } from "../support/mesh-process.ts";
import { NODE_ID } from "../support/node-ca.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const trustDomain = TrustDomain.parse("cluster.local");

interface Scene {
  readonly directory: string;
  readonly controlPlane: TestControlPlane;
  agent: TestAgent;
  readonly client: Proxy;
  readonly server: Proxy;
  readonly owned: AsyncDisposableStack;
}

interface Proxy {
  readonly name: string;
  readonly inbound: number;
  readonly outbound: number;
  readonly tokenFile: string;
  readonly envoy: EnvoyProcess;
}

const steps: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  [
    "gives two workloads on one socket certificates of their own, and they talk over mTLS",
    async ({ client, server }) => {
      assert.equal(await greeting(client.outbound), "hello");
      for (const { name, envoy } of [client, server]) {
        const { chain } = await envoy.certificates();
        assert.deepEqual(
          new Set(chain.flatMap(({ uris }) => uris)),
          new Set([`spiffe://cluster.local/ns/shop/sa/${name}`]),
        );
      }
    },
  ],
  [
    "has both in the server's status, and nothing of what it reported dropped",
    async ({ controlPlane }) => {
      await eventually("both proxies", async () => {
        const { proxies } = await fetchStatus(controlPlane.controlPlane.endpoints.admin);
        const connected = proxies.filter(
          (proxy) => proxy.connected && proxy.subscriptions.length > 0,
        );
        return new Set(connected.map(({ proxyId }) => proxyId)).size === 2;
      });
      const dropped = controlPlane.log.filter(({ text }) => text.includes("evidence-dropped"));
      assert.deepEqual(dropped, []);
    },
  ],
  [
    "takes a fresh token when the old one has expired, and drops no request",
    async (scene) => {
      const { client, server } = scene;
      const before = await serialsOf(client, server);
      await using load = new MeshLoad(client.outbound, 20);
      for (const { name, tokenFile } of [client, server])
        writeFileSync(tokenFile, token(name, 600));
      await scene.agent.untilCount("token-expired", 2);
      await eventually("new certificates", async () => {
        const serials = await serialsOf(client, server);
        return serials.every((serial, at) => serial !== undefined && serial !== before[at]);
      });
      await load.stop();
      assert(load.sent > 20);
      assert.deepEqual(load.failures, []);
    },
  ],
  [
    "gives each its stored certificate back when the agent comes back and the server is away",
    async (scene) => {
      const { client, server, agent } = scene;
      const before = await serialsOf(client, server);
      const used = { server: scene.controlPlane.address, serverRoot: scene.controlPlane.rootPem };
      await agent.stop();
      await scene.controlPlane[Symbol.asyncDispose]();
      scene.agent = scene.owned.use(
        await TestAgent.start({ ...nodeOptions(scene.directory), ...used }),
      );
      await scene.agent.until("secret-acked", (events) => {
        return (
          new Set(events.map(({ proxyId, name }) => JSON.stringify([proxyId, name]))).size === 4
        );
      });
      assert.deepEqual(await serialsOf(client, server), before);
      assert.equal(await greeting(client.outbound), "hello");
    },
  ],
];

test("two workloads of one node", { timeout: 100_000 }, async (t) => {
  using temporary = temporaryDirectory();
  const directory = temporary.path;
  await using owned = new AsyncDisposableStack();
  const app = owned.use(new HelloApp());
  const appPort = await app.listen();
  const controlPlane = owned.use(await startControlPlane({ flags: { "node-agent": NODE_ID } }));
  const own = { server: controlPlane.address, serverRoot: controlPlane.rootPem };
  const nodeToken = mint(claimsOf("mesh", "node-agent"));
  const agent = owned.use(
    await TestAgent.start({ ...nodeOptions(directory), ...own, token: nodeToken }),
  );
  const options = { directory, appPort, owned };
  const server = await startProxy({ ...options, name: "server" });
  const client = await startProxy({ ...options, name: "client", callee: server.inbound });
  const scene: Scene = { directory, controlPlane, agent, client, server, owned };
  for (const { envoy } of [client, server]) await envoy.waitUntilLive(AbortSignal.timeout(10_000));
  for (const [title, run] of steps) await t.test(title, async () => run(scene));
});

test("serves an Envoy whose token is in its bootstrap", { timeout: 30_000 }, async () => {
  using temporary = temporaryDirectory();
  await using owned = new AsyncDisposableStack();
  const directory = temporary.path;
  const appPort = await owned.use(new HelloApp()).listen();
  const controlPlane = owned.use(await startControlPlane({ flags: { "node-agent": NODE_ID } }));
  const own = { server: controlPlane.address, serverRoot: controlPlane.rootPem };
  const nodeToken = mint(claimsOf("mesh", "node-agent"));
  owned.use(await TestAgent.start({ ...nodeOptions(directory), ...own, token: nodeToken }));
  const credential = { kind: "token", token: token("server", 600) } as const;
  const proxy = await startProxy({ directory, appPort, owned, name: "server", credential });
  await proxy.envoy.waitUntilLive(AbortSignal.timeout(10_000));
  assert.equal(await greeting(proxy.outbound), "hello");
});

function nodeOptions(directory: string) {
  return { directory, nodeIdentity: SpiffeId.parse(NODE_ID) };
}

interface ProxyOptions {
  readonly directory: string;
  readonly appPort: number;
  readonly owned: AsyncDisposableStack;
  readonly name: string;
  /** The inbound port of `server`; its own by default. */
  readonly callee?: number;
  readonly credential?: SdsCredential;
}

async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { name, appPort, owned } = options;
  const directory = join(options.directory, name);
  mkdirSync(directory, { mode: 0o700 });
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, token(name, 4), { mode: 0o600 });
  const [inbound, outbound] = [await freePort(), await freePort()];
  const adminSocketPath = join(directory, "admin.sock");
  const serverId = "spiffe://cluster.local/ns/shop/sa/server";
  const bootstrap = envoyBootstrap({
    nodeId: name,
    nodeCluster: "shop",
    trustDomain,
    sdsSocketPath: join(options.directory, "sds.sock"),
    sdsCredential: options.credential ?? { kind: "token-file", path: tokenFile },
    adminSocketPath,
    inbound: [parseInbound(`127.0.0.1:${inbound}=127.0.0.1:${appPort}`)],
    outbound: [
      parseOutbound(`127.0.0.1:${outbound}=127.0.0.1:${options.callee ?? inbound}@${serverId}`),
    ],
  });
  const binary = await testEnvoy();
  const envoy = owned.use(await startEnvoy({ binary, bootstrap, adminSocketPath, directory }));
  return { name, inbound, outbound, tokenFile, envoy };
}

function token(name: string, lifeSeconds: number): string {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  return mint({ ...claimsOf("shop", name), exp: nowSeconds + lifeSeconds });
}

function claimsOf(namespace: string, name: string) {
  const binding = {
    namespace,
    serviceaccount: { name, uid: "1" },
    pod: { name: `${name}-0`, uid: "2" },
  };
  return { sub: `system:serviceaccount:${namespace}:${name}`, "kubernetes.io": binding };
}

/** What each Envoy uses; undefined while its TLS contexts differ. */
async function serialsOf(...proxies: readonly Proxy[]): Promise<(string | undefined)[]> {
  return Promise.all(
    proxies.map(async ({ envoy }) => {
      const { chain } = await envoy.certificates();
      const [first, ...others] = new Set(chain.map(({ serialHex }) => serialHex));
      return others.length === 0 ? first : undefined;
    }),
  );
}
