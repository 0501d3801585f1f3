/** A root is changed while others write, damage and delete what the server keeps in the cluster: it ends, and no request fails. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { isOver, Operator as RootOperator } from "../../src/app/demo/mesh/operator.ts";
import { parseTrustRecord } from "../../src/core/kube/trust/trust-record.ts";
import { addWaivers, expandWaiver } from "../../src/edge/rpc/root-client.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { httpCaller } from "../policy-mesh/callers.ts";
import { Traffic } from "../policy-mesh/traffic.ts";
import { eventually } from "../support/control-plane.ts";
import { KubeMesh } from "./kube-mesh.ts";
import { TrustStorm } from "./trust-storm.ts";

const place = { namespace: "default", name: "portcullis-trust" } as const;

describe("a mesh whose trust is in a Secret", { skip: skipKube, timeout: 400_000 }, () => {
  test("changes its root while the Secret, its Lease and the ConfigMaps are written by others, and no request fails", async (t) => {
    const flags = {
      "kube-namespace": place.namespace,
      "trust-secret": place.name,
      "default-ttl": "60s",
      "reissue-per-second": "10",
    };
    await using mesh = await KubeMesh.open({ flags, apis: 2 });
    const { cluster, shop, web, server } = mesh;
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const door = { address: mesh.client?.address ?? "", port: mesh.ports.call };
    const { host } = mesh;
    const first = server.rootPem;
    await using traffic = new Traffic([
      { name: "new", perSecond: 20, caller: httpCaller({ door, host, kept: 0 }) },
      { name: "kept", perSecond: 20, caller: httpCaller({ door, host, kept: 4 }) },
    ]);
    const roots = new RootOperator(server.admin, "ada");
    const beganMs = performance.now();
    {
      await using storm = await TrustStorm.begin({ cluster, ...place, namespaces: [shop, web] });
      await step("prepare");
      await waiveMaps("activate");
      await step("activate");
      await step("retire");
      await waiveMaps("");
      await roots.until(isOver, AbortSignal.timeout(120_000));
      t.diagnostic(
        `${Math.round(performance.now() - beganMs)} ms; ${JSON.stringify(storm.counts)}`,
      );
    }
    await traffic.stop();
    t.diagnostic(`${traffic.sent} requests`);
    assert.deepEqual(traffic.failures, []);
    assert.ok(traffic.sent > 1_000, `${traffic.sent} sent`);
    assert.notEqual(server.rootPem, first);
    // Afterwards all is as the server has it: it looks at the Secret each 5 s. What others write again and again it puts back once a minute.
    await eventually(async () => {
      const { data } = (await core.readNamespacedSecret(place).catch(() => undefined)) ?? {};
      if (data === undefined) return false;
      const record = Buffer.from(data["trust.json"] ?? "", "base64").toString();
      if (record === "{") return false;
      const { authorities } = parseTrustRecord(record).state;
      return authorities.length === 1;
    }, 75_000);
    for (const namespace of [shop, web]) {
      await eventually(async () => {
        const name = "istio-ca-root-cert";
        const map = await core.readNamespacedConfigMap({ namespace, name }).catch(() => undefined);
        return map?.data?.["root-cert.pem"] === server.rootPem;
      }, 60_000);
    }

    /** What is deleted each second is behind for as long: an operator says that nobody reads it. */
    async function waiveMaps(command: string): Promise<void> {
      const { rootsSequence } = await expandWaiver(server.admin, "config-map/*", command);
      await addWaivers(server.admin, {
        names: [shop, web].map((each) => `config-map/${each}`),
        operator: "ada",
        reason: "a storm",
        untilMs: Date.now() + 3_600_000,
        rootsSequence,
      });
    }

    /** Until it is done; what is stored and not in force yet comes into force by itself. */
    async function step(kind: "prepare" | "activate" | "retire"): Promise<void> {
      try {
        await roots.insist(kind, AbortSignal.timeout(150_000));
      } catch (error) {
        if (!/it is stored/.test(String(error))) throw error;
        t.diagnostic(`${kind} came into force later: ${String(error)}`);
      }
    }
  });
});
