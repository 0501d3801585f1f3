/** A server process that loses its way to the cluster, its place in the cluster's past, or its rights, and has them again. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiException, CoreV1Api, RbacAuthorizationV1Api } from "@kubernetes/client-node";
import { CODE } from "../server/grpc-wire.ts";
import { eventually } from "../support/control-plane.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { CuttablePath } from "./cuttable-path.ts";
import { applyRights, ourAccount, ServerRig } from "./server-rig.ts";
import { skipKube } from "./skip-kube.ts";

const mapName = "istio-ca-root-cert";

describe("a server process in a cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  let core: CoreV1Api;
  before(async () => {
    cluster = await startCluster({ flags: { "etcd-compaction-interval": "1s" } });
    await applyRights(cluster);
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });
  after(() => cluster.stop());

  const isWell = (rig: ServerRig, timeoutMs = 45_000): Promise<unknown> =>
    eventually(async () => {
      const { tokenCheck, watches } = await rig.status();
      return tokenCheck === "watched" && watches.every(({ failure }) => failure === "");
    }, timeoutMs);

  /** The past from `resourceVersion` on is known to nobody any more. */
  const isForgotten = async (resourceVersion: string): Promise<boolean> => {
    try {
      await core.listPodForAllNamespaces({ resourceVersion, resourceVersionMatch: "Exact" });
      return false;
    } catch (error) {
      if (error instanceof ApiException && error.code === 410) return true;
      throw error;
    }
  };

  it("that comes back to a past which was compacted away reads all anew, and takes nobody for another", async () => {
    await using path = await CuttablePath.open(cluster.url);
    await using rig = await ServerRig.start(cluster, { url: path.url });
    const [stays, goes, again] = await Promise.all([
      rig.workload(),
      rig.workload(),
      rig.workload({ name: "cart-0" }),
    ]);
    for (const { token } of [stays, goes, again]) assert.equal(await rig.ask(token), CODE.ok);
    const { metadata } = await core.listPodForAllNamespaces({ limit: 1 });
    const version = metadata?.resourceVersion ?? "";
    path.cut();
    await cluster.deletePod(goes.pod);
    // Another one has its name.
    await cluster.deletePod(again.pod);
    const next = await cluster.pod(again.account, { name: "cart-0", ip: "127.0.0.1" });
    // Two intervals: the first notes what the second compacts. A new API server remembers nothing itself.
    await sleep(2_500);
    await cluster.restart();
    assert.ok(await isForgotten(version));
    path.mend();
    await eventually(async () => (await rig.ask(goes.token)) === CODE.unauthenticated, 45_000);
    await isWell(rig);
    assert.equal(await rig.ask(again.token), CODE.unauthenticated);
    assert.equal(await rig.ask(stays.token), CODE.ok);
    const successor = await cluster.tokenOf(again.account, { pod: next, audience: "istio-ca" });
    assert.equal(await rig.ask(successor), CODE.ok);
    const refused = rig.logOf("request-refused").map(({ reason }) => reason);
    assert.deepEqual(
      refused.filter((reason) => reason !== "token-revoked"),
      [],
    );
  });

  it("whose rights are taken away says which, lets nobody pass, and goes on when it has them again", async () => {
    await using path = await CuttablePath.open(cluster.url);
    const flags = { "kube-staleness-max": "3s" };
    await using rig = await ServerRig.start(cluster, { url: path.url, flags });
    const { token, account } = await rig.workload();
    assert.equal(await rig.ask(token), CODE.ok);
    const place = { namespace: account.namespace, name: mapName };
    const isWritten = async (): Promise<boolean> => {
      const map = await core.readNamespacedConfigMap(place).catch(() => undefined);
      return map?.data?.["root-cert.pem"] === rig.server.rootPem;
    };
    await eventually(isWritten, 10_000);

    const rbac = cluster.kubeConfig().makeApiClient(RbacAuthorizationV1Api);
    const { items } = await rbac.listClusterRoleBinding();
    const ours = items.filter(({ subjects = [] }) =>
      subjects.some(
        ({ kind, name, namespace }) =>
          kind === "ServiceAccount" &&
          name === ourAccount.name &&
          namespace === ourAccount.namespace,
      ),
    );
    assert.ok(ours.length > 0);
    for (const { metadata } of ours) {
      await rbac.deleteClusterRoleBinding({ name: metadata?.name ?? "" });
    }
    // Streams that are open stay with those who have lost the right to them.
    path.cut();
    path.mend();
    await eventually(async () => {
      const { watches } = await rig.status();
      return watches.every(({ failure }) => failure === "kube-forbidden");
    }, 30_000);
    const { watches } = await rig.status();
    const pods = watches.find(({ resource }) => resource === "pods");
    assert.match(pods?.hint ?? "", /resources: \["pods"\], verbs: \["watch"\]/);
    await eventually(async () => (await rig.status()).tokenCheck === "review", 10_000);
    const reply = await rig.call(token);
    assert.equal(reply.code, CODE.unavailable);
    assert.ok(Number(reply.metadata["grpc-retry-pushback-ms"]) > 0);
    await core.deleteNamespacedConfigMap(place);

    for (const { metadata, roleRef, subjects } of ours) {
      const body = {
        metadata: { name: metadata?.name ?? "" },
        roleRef,
        ...(subjects && { subjects }),
      };
      await rbac.createClusterRoleBinding({ body });
    }
    await isWell(rig);
    assert.equal(await rig.ask(token), CODE.ok);
    await eventually(isWritten, 60_000);
  });
});
