/** The test cluster does what other tests build on, and leaves nothing. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { CoreV1Api, KubeConfig, VersionApi, WellKnownApi } from "@kubernetes/client-node";
import { eventually } from "../support/mesh-process.ts";
import { kubeAssets } from "./assets.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { reviewToken } from "./token-review.ts";

describe("a test cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  let startMs: number;

  before(async () => {
    await kubeAssets();
    const beforeMs = performance.now();
    cluster = await startCluster();
    startMs = performance.now() - beforeMs;
  });

  after(async () => cluster.stop());

  it("starts in under 15 s, and says its true version", async () => {
    assert(startMs < 15_000, `${startMs} ms`);
    const { gitVersion } = await cluster.kubeConfig().makeApiClient(VersionApi).getCode();
    assert.equal(gitVersion, `v${cluster.version}`);
  });

  it("is reached by its kubeconfig, which only its owner can read", async () => {
    assert.equal(statSync(cluster.adminKubeconfig).mode & 0o777, 0o600);
    const config = new KubeConfig();
    config.loadFromFile(cluster.adminKubeconfig);
    const { items } = await config.makeApiClient(CoreV1Api).listNamespace();
    assert(items.some(({ metadata }) => metadata?.name === "kube-system"));
  });

  it("gives a service account nothing that RBAC does not give it", async () => {
    const account = await cluster.serviceAccount(await cluster.namespace("rbac"), "nobody");
    const name = `system:serviceaccount:${account.namespace}:${account.name}`;
    for (const user of [{ token: await cluster.tokenOf(account) }, { impersonate: name }]) {
      const api = cluster.kubeConfig(user).makeApiClient(CoreV1Api);
      await assert.rejects(api.listNamespace(), { code: 403 });
    }
  });

  it("has discovery that names the API server itself, for service accounts", async () => {
    const account = await cluster.serviceAccount(await cluster.namespace("keys"), "app");
    const token = await cluster.tokenOf(account);
    const api = cluster.kubeConfig({ token }).makeApiClient(WellKnownApi);
    // Typed as a text.
    const found: unknown = await api.getServiceAccountIssuerOpenIDConfiguration();
    assert(found !== null && typeof found === "object" && "jwks_uri" in found);
    assert.equal(found.jwks_uri, `${cluster.url}/openid/v1/jwks`);
  });

  it("has pods with an address, as a kubelet would report it", async () => {
    const account = await cluster.serviceAccount(await cluster.namespace("pods"), "app");
    const { namespace, name } = await cluster.pod(account, { ip: "10.1.2.3" });
    const api = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const { status } = await api.readNamespacedPod({ namespace, name });
    assert.deepEqual(
      [status?.phase, status?.podIPs?.map(({ ip }) => ip)],
      ["Running", ["10.1.2.3"]],
    );
  });

  it("keeps its objects and its tokens' worth over a restart, and over a crash", async () => {
    const account = await cluster.serviceAccount(await cluster.namespace("kept"), "app");
    const pod = await cluster.pod(account);
    const token = await cluster.tokenOf(account, { pod });
    const isTaken = async (): Promise<boolean | undefined> =>
      (await reviewToken(cluster.kubeConfig(), token)).authenticated;
    await cluster.restart();
    assert.equal(await isTaken(), true);
    await cluster.kill();
    await assert.rejects(isTaken());
    await cluster.restart();
    assert.equal(await isTaken(), true);
  });

  it("lets requests wait while it is frozen, and answers them once it is thawed", async () => {
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    await core.listNamespace();
    cluster.freeze();
    const hanging = core.listNamespace();
    const first = await Promise.race([
      hanging.then(() => "answered"),
      new Promise((resolve) => setTimeout(resolve, 500, "waits")),
    ]);
    cluster.thaw();
    assert.equal(first, "waits");
    assert((await hanging).items.length > 0);
  });

  it("tells what its processes use of CPU", async () => {
    const { apiServer, etcd } = cluster.cpuMs();
    assert(apiServer > 100 && etcd > 0, `${apiServer} ms and ${etcd} ms`);
  });

  it("leaves no process and no file, stopped or with its own process killed", async () => {
    const module = JSON.stringify(join(import.meta.dirname, "cluster.ts"));
    const program = `
      import { startCluster } from ${module};
      console.log((await startCluster()).adminKubeconfig);
      setInterval(() => {}, 1e6);
    `;
    const words = ["--input-type=module", "--eval", program];
    const owner = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface({ input: owner.stdout }), "line");
    const [killed, stopped] = [dirname(String(line)), dirname(cluster.adminKubeconfig)];
    assert.deepEqual([processesOf(killed), processesOf(stopped)], [3, 3]);
    owner.kill("SIGKILL");
    await cluster.stop();
    assert.deepEqual([processesOf(stopped), existsSync(stopped)], [0, false]);
    await eventually("nothing is left", () => processesOf(killed) === 0 && !existsSync(killed));
  });
});

/** By their command lines, the guard too. */
function processesOf(directory: string): number {
  const { stdout } = spawnSync("ps", ["-Ao", "args"], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line.includes(directory)).length;
}
