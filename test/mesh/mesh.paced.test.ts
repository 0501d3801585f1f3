/**
 * The main road on real parts: a control plane, agents and Envoys as processes of their own, leaves
 * that live a few seconds, and requests through both Envoys all the time, each on a new TLS
 * connection. Processes die by SIGKILL on the way.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProxyValue } from "../../src/app/cli/status-value.ts";
import { HelloApp } from "../support/envoy.ts";
import { eventually } from "../support/mesh-process.ts";
import { greeting, MeshLoad } from "../support/mesh-load.ts";
import { ControlPlaneProcess, Workload } from "../support/mesh.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const lifeMs = 12_000;
const outageMs = 0.4 * lifeMs;
const intervalMs = 20;
const refusalPattern = /incomplete private key/;

interface Scene {
  readonly controlPlane: ControlPlaneProcess;
  readonly client: Workload;
  readonly server: Workload;
  /** Its leaves live 3 s, and its Envoy is not there yet. */
  readonly late: Workload;
  readonly load: MeshLoad;
  /** Every serial that was seen in use at each Envoy. */
  readonly used: ReadonlyMap<Workload, Set<string>>;
  /** When the control plane was killed last. */
  killedAtMs: number;
}

/** In this order, each on what the one before has left. */
const steps: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  [
    "shows each proxy with the certificate that its Envoy really uses",
    async (scene) => {
      for (const workload of [scene.client, scene.server]) {
        await eventually("status has it connected", async () =>
          isHealthy(workload, await proxiesOf(scene)),
        );
      }
      const { exitCode, value } = await scene.controlPlane.status();
      assert.equal(exitCode, 0);
      assert.equal(value.server.agentsConnected, 2);
      const pods = value.proxies.map(({ identity, pod }) => `${identity} ${pod}`);
      assert.deepEqual(new Set(pods), new Set([podOf(scene.client), podOf(scene.server)]));
    },
  ],
  [
    "goes on when the control plane is killed",
    async (scene) => {
      const { controlPlane, late } = scene;
      await late.startAgent();
      await eventually("a stored certificate", () => hasLogged(late, "certificate-received"));
      await late.agent.kill();
      await controlPlane.process.kill();
      scene.killedAtMs = Date.now();
      assert.equal((await controlPlane.status()).exitCode, 1);
    },
  ],
  [
    "starts an agent warm, and its Envoy proves the stored certificate again",
    async ({ server }) => {
      const before = await server.serial();
      const acked = server.agent.log("secret-acked").length;
      await server.agent.kill();
      await server.startAgent();
      await eventually("two ACKs", () => server.agent.log("secret-acked").length >= acked + 2);
      const ack = server.agent.log("secret-acked").find(({ serial }, at) => at >= acked && serial);
      assert.equal(ack?.["serial"], before);
      assert.equal(await server.serial(), before);
      assert.equal(server.agent.log("agent-started").at(-1)?.["serial"], before);
    },
  ],
  [
    "gives out nothing when the stored certificate has expired: the bundle beside it may be older than an Envoy's",
    async ({ late }) => {
      const received = late.agent.log("certificate-received").at(-1);
      await sleep(Math.max(0, Date.parse(String(received?.["notAfter"])) - Date.now()) + 50);
      await late.startAgent();
      await late.startEnvoy();
      await sleep(500);
      assert.deepEqual(late.agent.log("secret-acked"), []);
      assert.equal(late.agent.log("agent-started").at(-1)?.["serial"], undefined);
      assert.deepEqual((await late.envoy.certificates()).chain, []);
    },
  ],
  [
    "rebuilds the roll from the reconnects when the control plane is back",
    async (scene) => {
      const { controlPlane, client, server, late, killedAtMs } = scene;
      await sleep(killedAtMs + outageMs - Date.now());
      await controlPlane.start();
      await late.waitUntilLive();
      assert.equal(await greeting(late.outbound), "hello");
      for (const workload of [client, server, late]) {
        await eventually(`${workload.name} is back in status`, async () =>
          isHealthy(workload, await proxiesOf(scene)),
        );
      }
    },
  ],
  [
    "shows a killed agent's proxy as away, and is the same one when the agent is back",
    async (scene) => {
      const { client } = scene;
      const renewed = client.agent.log("certificate-received").length;
      await eventually("a renewal", () => {
        return client.agent.log("certificate-received").length > renewed;
      });
      await sleep(200);
      const before = await client.serial();
      const receivedAtMs = Date.now();
      await client.agent.kill();
      await eventually("status says away", async () => {
        const { exitCode, value } = await scene.controlPlane.status();
        const proxy = value.proxies.find(({ proxy }) => proxy === client.name);
        return exitCode === 3 && proxy?.connected === false && proxy.serial === before;
      });
      await sleep(receivedAtMs + 0.65 * lifeMs - Date.now());
      assert.equal(await client.serial(), before);
      await client.startAgent();
      await eventually("a new certificate in use", async () => (await client.serial()) !== before);
      await eventually("back in status", async () => isHealthy(client, await proxiesOf(scene)));
      const names = (await proxiesOf(scene)).map(({ proxy }) => proxy);
      assert.deepEqual(names.toSorted(), ["client", "late", "server"]);
    },
  ],
  [
    "shows a refusal in Envoy's own words, once, and nobody else is touched by it",
    async (scene) => {
      const { controlPlane, late } = scene;
      // Asks for the bundle where a certificate belongs: never served, and never accepted.
      await using stack = new AsyncDisposableStack();
      stack.use(await late.startConfusedEnvoy());
      await eventually("a NACK in status", async () => {
        const proxies = await proxiesOf(scene);
        const refusing = proxies.find(({ proxy }) => proxy === "late-confused");
        return refusing?.subscriptions.some(({ nack }) => refusalPattern.test(nack)) ?? false;
      });
      assert.equal((await controlPlane.status()).exitCode, 3);
      const refusals = late.agent.log("secret-nacked");
      const serial = await late.serial();
      await eventually("a renewal", async () => (await late.serial()) !== serial);
      assert.equal(late.agent.log("secret-nacked").length, refusals.length);
      const lines = controlPlane.process.log("secret-refused");
      assert.equal(lines.length, refusals.length);
      assert.match(String(lines[0]?.["detail"]), refusalPattern);
      assert.equal(await greeting(late.outbound), "hello");
    },
  ],
  [
    "has served every request over a handshake of its own, through two renewals and more",
    async ({ client, server, load, used }) => {
      await eventually("two renewals each", () => {
        return [client, server].every((workload) => (used.get(workload)?.size ?? 0) >= 3);
      });
      await load.stop();
      assert.deepEqual(load.failures, []);
      assert(load.sent > 500, `only ${load.sent} requests were sent`);
      for (const [{ envoy }, scope] of [
        [client, `cluster.outbound_${client.outbound}`],
        [server, `listener.inbound_${server.inbound}`],
      ] as const) {
        const stats = await envoy.stats(`^${scope}\\.ssl\\.`);
        assert((stats.get(`${scope}.ssl.handshake`) ?? 0) >= load.sent);
        assert.equal(stats.get(`${scope}.ssl.session_reused`) ?? 0, 0);
        const failures = [...stats].filter(
          ([name, count]) => /fail|error|no_certificate/.test(name) && count > 0,
        );
        assert.deepEqual(failures, []);
      }
    },
  ],
  [
    "acknowledged in each Envoy's name exactly what that Envoy used",
    async ({ client, server, used }) => {
      for (const workload of [client, server]) {
        const acks = workload.agent.log("secret-acked");
        const acked = new Set(
          acks.flatMap(({ serial }) => (typeof serial === "string" ? [serial] : [])),
        );
        assert.deepEqual(used.get(workload)?.difference(acked), new Set());
        const received = workload.agent.log("certificate-received").map(({ serial }) => serial);
        assert.equal(new Set(received).size, received.length);
        assert.deepEqual(acked.difference(new Set(received)), new Set());
      }
    },
  ],
];

test("two workloads through renewals, outages and a refusal", { timeout: 70_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const app = stack.use(new HelloApp());
  const appPort = await app.listen();
  const controlPlane = stack.use(
    await ControlPlaneProcess.create(directory.path, `${lifeMs / 1_000}s`),
  );
  await controlPlane.start();
  const server = stack.use(await Workload.create(controlPlane, { name: "server", appPort }));
  const client = stack.use(
    await Workload.create(controlPlane, { name: "client", appPort, callee: server }),
  );
  const late = stack.use(
    await Workload.create(controlPlane, { name: "late", appPort, agentFlags: ["--ttl", "3s"] }),
  );
  await Promise.all([client, server].map(async (workload) => workload.startAgent()));
  await Promise.all([client, server].map(async (workload) => workload.startEnvoy()));
  await Promise.all([client, server].map(async (workload) => workload.waitUntilLive()));
  assert.equal(await greeting(client.outbound), "hello");
  const load = stack.use(new MeshLoad(client.outbound, intervalMs));
  const used = new Map([client, server].map((workload) => [workload, new Set<string>()]));
  const stopWatching = new AbortController();
  const watching = watchSerials(used, stopWatching.signal);
  stack.defer(async () => {
    stopWatching.abort();
    await watching;
  });
  const scene: Scene = { controlPlane, client, server, late, load, used, killedAtMs: 0 };
  for (const [title, run] of steps) await t.test(title, async () => run(scene));
});

async function watchSerials(
  used: ReadonlyMap<Workload, Set<string>>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const [workload, serials] of used) {
      const serial = await workload.serial();
      if (serial !== undefined) serials.add(serial);
    }
    await sleep(100, undefined, { signal }).catch(() => {});
  }
}

async function proxiesOf({ controlPlane }: Scene): Promise<readonly ProxyValue[]> {
  return (await controlPlane.status()).value.proxies;
}

/**
 * Connected, without a refusal, and with the newest bundle and the certificate that Envoy says it
 * uses.
 */
async function isHealthy(workload: Workload, proxies: readonly ProxyValue[]): Promise<boolean> {
  const proxy = proxies.find(({ proxy, connected }) => proxy === workload.name && connected);
  if (proxy === undefined || proxy.subscriptions.some(({ nack }) => nack !== "")) return false;
  assert.equal(proxy.identity, workload.id.toString());
  return proxy.bundleConfirmed === 1 && proxy.serial === (await workload.serial());
}

function podOf({ id, name }: Workload): string {
  return `${id.toString()} ${name}-0`;
}

function hasLogged(workload: Workload, event: string): boolean {
  return workload.agent.log(event).length > 0;
}
