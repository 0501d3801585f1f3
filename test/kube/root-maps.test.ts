/** A rotation in a cluster waits for the server's own ConfigMaps with the roots: by name, with the reason, until the right comes back. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CoreV1Api, RbacAuthorizationV1Api } from "@kubernetes/client-node";
import { mapName, until } from "../support/bundle-maps.ts";
import { runWith } from "../server/root-rig.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { applyRights, ServerRig } from "./server-rig.ts";
import { skipKube } from "./skip-kube.ts";

const binding = "portcullis-bundle";

interface Laggard {
  readonly name: string;
  readonly reason: string;
  readonly detail: string;
}

describe("a rotation and the ConfigMaps with the roots", { skip: skipKube }, () => {
  let cluster: Cluster;
  let rig: ServerRig;
  let core: CoreV1Api;
  let rbac: RbacAuthorizationV1Api;

  before(async () => {
    cluster = await startCluster();
    await applyRights(cluster);
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    rbac = cluster.kubeConfig().makeApiClient(RbacAuthorizationV1Api);
    rig = await ServerRig.start(cluster);
  });

  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    await cluster.stop();
  });

  const run = (...words: readonly string[]) =>
    runWith([...words, "--data-dir", rig.server.dataDir], {});

  async function laggards(): Promise<readonly Laggard[]> {
    const { stdout } = await run("root", "status", "--all", "-o", "json");
    return JSON.parse(stdout).verifiers.laggards;
  }

  const isBehind = async (): Promise<boolean> => (await laggards()).length > 0;

  it("goes on where each namespace has the present roots, and counts them", async () => {
    await cluster.namespace("shop");
    await until(async () => !(await isBehind()));
    const { stdout } = await run("root", "status", "-o", "json");
    const { total, confirmed, weak } = JSON.parse(stdout).verifiers;
    const { bundleMaps } = await rig.status();
    assert.ok(total >= 4, stdout);
    assert.deepEqual([confirmed, weak, Number(bundleMaps?.current)], [total, total, total]);
  });

  it("does not go on without the right to write them, and goes on soon after it has come back", async () => {
    const shop = await cluster.namespace("shop");
    const frozen = await cluster.namespace("frozen");
    await until(async () => !(await isBehind()));
    const held = await core.readNamespacedConfigMap({ namespace: frozen, name: mapName });
    const body = { metadata: { name: mapName }, data: held.data ?? {}, immutable: true };
    await core.replaceNamespacedConfigMap({ namespace: frozen, name: mapName, body });
    const bound = await rbac.readClusterRoleBinding({ name: binding });
    await rbac.deleteClusterRoleBinding({ name: binding });
    const prepared = await run("root", "prepare");
    assert.equal(prepared.status, 0, prepared.stderr);
    const refused = await run("root", "activate");
    assert.equal(refused.status, 4, refused.stdout);
    assert.match(refused.stderr, new RegExp(`config-map/${shop} +old-bundle`));
    await until(async () => (await laggards()).every(({ detail }) => detail.includes("next try")));
    const named = (await laggards()).find(({ name }) => name === `config-map/${shop}`);
    assert.match(named?.detail ?? "", /is not the present bundle: .*forbidden.*; next try in \d+/);
    const said = await run("status");
    assert.match(said.stdout, /cannot have it: .*forbidden.*; next try in \d+/);
    const { roleRef, subjects = [] } = bound;
    await rbac.createClusterRoleBinding({
      body: { metadata: { name: binding }, roleRef, subjects },
    });
    const backMs = performance.now();
    await until(async () => (await laggards()).length === 1);
    assert.ok(performance.now() - backMs < 30_000);
    const [left] = await laggards();
    assert.deepEqual([left?.name, left?.reason], [`config-map/${frozen}`, "old-bundle"]);
    assert.match(left?.detail ?? "", /immutable/);
    assert.equal((await run("root", "activate")).status, 4);
    const waiver = ["--waive", `config-map/${frozen}`, "--reason", "nobody mounts it"];
    const waived = await run("root", "activate", ...waiver, "--for", "1h", "--yes");
    assert.equal(waived.status, 0, waived.stderr);
  });

  it("does not end before they are without the old root", async () => {
    const retired = await run("root", "rotate", "--resume", "--timeout", "6s");
    assert.equal(retired.status, 3, retired.stdout + retired.stderr);
    const left = await laggards();
    assert.ok(
      left.every(({ name }) => name.startsWith("config-map/frozen")),
      JSON.stringify(left),
    );
    const [frozen] = left;
    assert.ok(frozen !== undefined);
    const namespace = frozen.name.slice("config-map/".length);
    // Whoever deletes it has it made anew at once.
    await core.deleteNamespacedConfigMap({ namespace, name: mapName });
    const ended = await run("root", "rotate", "--resume", "--timeout", "20s");
    assert.equal(ended.status, 0, ended.stderr + ended.stdout);
  });
});
