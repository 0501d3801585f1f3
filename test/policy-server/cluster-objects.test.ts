/** What a cluster has, as operators see it and may not change it here. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { derivedObject } from "../../src/app/server/kube/configuration/derived-object.ts";
import { asServiceEntry } from "../../src/core/kube/configuration/as-service-entry.ts";
import { asWorkloadEntry } from "../../src/core/kube/configuration/as-workload-entry.ts";
import type { Pod } from "../../src/core/kube/pod.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { testPod } from "../support/kube-objects.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { openResourcesRig, peerYaml, say, type ResourcesRig } from "./resources-rig.ts";

const meshed = { "security.istio.io/tlsMode": "istio" };

function pod(name: string, address: string, changes: Partial<Pod> = {}) {
  const labels = new Map(Object.entries({ app: name, ...meshed }));
  const object = asWorkloadEntry(
    testPod({ name, uid: name, podIPs: [address], labels, ...changes }),
  );
  assert.ok(object !== undefined);
  return derivedObject({ kind: "WorkloadEntry", object });
}

function service(name: string) {
  const ports = [{ number: 80, name: "", protocol: "HTTP", targetPort: 8080 }] as const;
  const rest = { uid: name, createdMs: 1, externalName: undefined, publishesNotReady: false };
  const of = { namespace: "shop", name, ...rest, clusterIPs: ["10.96.0.1"], ports, exportTo: [] };
  const world = { clusterDomain: "cluster.local", podNamed: () => undefined };
  const object = asServiceEntry({ ...of, selector: new Map([["app", name]]) }, [], world);
  return derivedObject({ kind: "ServiceEntry", object });
}

async function has({ resources }: ResourcesRig, ...yaml: readonly string[]): Promise<void> {
  const { objects } = parseManifests(yaml.join("---\n"), "cluster");
  const read = objects.map((each) => ({ ...each, origin: "cluster" }));
  await resources.takeCluster(() => ({ objects: read, kept: [], problems: [] }));
}

async function inCluster(work: (rig: ResourcesRig, directory: string) => Promise<void>) {
  using directory = temporaryDirectory();
  await using rig = await openResourcesRig(directory.path);
  await has(rig, peerYaml("shop/default", "STRICT"));
  rig.resources.set.derive([pod("web", "10.0.0.1"), pod("api", "10.0.0.2"), service("api")], []);
  await work(rig, directory.path);
}

describe("in a cluster", () => {
  it("get shows what somebody has written, and pods and services where they are asked for", async () => {
    await inCluster(async (rig) => {
      const all = await say(rig, "get", "-A");
      assert.match(all.out, /shop +PeerAuthentication +default +\S+ +cluster +STRICT/);
      assert.doesNotMatch(all.out, /Pod|Service/);
      const pods = await say(rig, "get", "pods", "-n", "shop");
      assert.match(pods.out, /shop +Pod +api .* cluster +10\.0\.0\.2, as cart/);
      const one = await say(rig, "get", "svc", "api", "-n", "shop", "-o", "json");
      const { items } = JSON.parse(one.out);
      assert.deepEqual([items.length, items[0].kind, items[0].name], [1, "Service", "api"]);
      const none = await say(rig, "get", "pod", "apu", "-n", "shop");
      assert.match(none.err, /there is no Pod shop\/apu, did you mean "api"/);
      const kept = await say(rig, "get", "-A", "-o", "yaml");
      assert.doesNotMatch(kept.out, /WorkloadEntry|ServiceEntry/);
    });
  });

  it("explain knows pods and services, and why a port takes what it takes", async () => {
    await inCluster(async (rig) => {
      const host = "api.shop.svc.cluster.local:80";
      const call = await say(rig, "mtls", "explain", "shop/web", host);
      assert.match(call.out, /PeerAuthentication shop\/default \(cluster\)/, call.err);
      assert.match(call.out, /10\.0\.0\.2/);
    });
  });

  it("validate tells of what is written, and counts that alone", async () => {
    await inCluster(async (rig) => {
      rig.resources.set.derive([pod("twin", "10.0.0.1"), service("nobody")], []);
      const { out } = await say(rig, "validate", "-o", "json");
      const { objects, findings } = JSON.parse(out);
      assert.deepEqual([objects, findings], [1, []]);
    });
  });

  it("apply and delete are refused of what stands there, with what to do", async () => {
    await inCluster(async (rig, directory) => {
      const file = join(directory, "peer.yaml");
      writeFileSync(file, peerYaml("shop/default", "DISABLE"));
      for (const argv of [
        ["apply", "-f", file],
        ["delete", "pa", "default", "-n", "shop"],
        ["delete", "we", "web", "-n", "shop"],
      ]) {
        const { code, err } = await say(rig, ...argv);
        assert.notEqual(code, 0);
        assert.match(err, /stands in the cluster, and is (changed|deleted) there only/);
        assert.match(err, /kubectl/);
      }
    });
  });

  it("the log has what its policies are, and not who comes and goes", async () => {
    await inCluster(async (rig) => {
      const events = rig
        .events()
        .map(({ subject, operator, detail }) => [subject, operator, detail]);
      const detail = {
        sequence: 1,
        created: ["PeerAuthentication/shop/default"],
        configured: [],
        deleted: [],
        unnamed: 0,
      };
      assert.deepEqual(events, [["cluster", "", JSON.stringify(detail)]]);
    });
  });
});
