/** A server that finds its cluster as a pod does: by its environment and by the files that the kubelet mounts, which change under it. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { CODE } from "../server/grpc-wire.ts";
import { eventually } from "../support/control-plane.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { PodRef } from "./objects.ts";
import { PodFiles } from "./pod-files.ts";
import { applyRights, ourAccount, ServerRig } from "./server-rig.ts";
import { skipKube } from "./skip-kube.ts";

const hindrance = await PodFiles.hindrance();

describe("a server in a pod", { skip: skipKube }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    await applyRights(cluster);
  });
  after(() => cluster.stop());

  const flags = { kubernetes: "in-cluster", "kube-namespace": ourAccount.namespace };

  const environment = (): Readonly<Record<string, string>> => {
    const { hostname, port } = new URL(cluster.url);
    return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  };
  const contentFor = async (pod: PodRef) => ({
    token: await cluster.tokenOf(ourAccount, { pod }),
    "ca.crt": cluster.caPem,
    namespace: ourAccount.namespace,
  });

  it(
    "goes on when its token is exchanged, also when the old one was refused before",
    { skip: hindrance ?? false },
    async () => {
      const first = await cluster.pod(ourAccount, { name: "portcullis-0" });
      await using files = await PodFiles.mount(await contentFor(first));
      await using rig = await ServerRig.start(cluster, { flags, env: environment() });
      const { server, namespace } = await rig.status();
      assert.deepEqual([server, namespace], [cluster.url, ourAccount.namespace]);
      const workload = await rig.workload();
      assert.equal(await rig.ask(workload.token), CODE.ok);

      const second = await cluster.pod(ourAccount, { name: "portcullis-1" });
      const next = await contentFor(second);
      await cluster.deletePod(first);
      // Watches that are open stay so with a token that is none any more.
      await cluster.restart();
      await eventually(async () => {
        const { watches } = await rig.status();
        return watches.some(({ failure }) => failure === "kube-unauthorized");
      }, 30_000);
      await files.write(next);
      await eventually(async () => {
        const { tokenCheck, watches } = await rig.status();
        return tokenCheck === "watched" && watches.every(({ failure }) => failure === "");
      }, 40_000);
      assert.equal(await rig.ask(workload.token), CODE.ok);
      // What it writes goes by the same token.
      const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
      const place = { namespace: await cluster.namespace("later"), name: "istio-ca-root-cert" };
      await eventually(async () => {
        const map = await core.readNamespacedConfigMap(place).catch(() => undefined);
        return map?.data?.["root-cert.pem"] === rig.server.rootPem;
      }, 10_000);
    },
  );

  it("says at once what is missing where its files should be", async (t) => {
    if (hindrance !== undefined) return t.skip(hindrance);
    const beganMs = performance.now();
    await assert.rejects(ServerRig.start(cluster, { flags, env: environment() }), (error) => {
      assert.match(String(error), /serviceaccount\/(?:token|ca\.crt)/);
      assert.match(String(error), /automountServiceAccountToken/);
      return true;
    });
    // Less than it waits for an API server.
    assert.ok(performance.now() - beganMs < 12_000);
  });
});
