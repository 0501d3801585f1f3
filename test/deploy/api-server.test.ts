/** What a real API server says of every manifest, by a dry run on its side, strict about unknown fields. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { KubeError } from "../../src/edge/kube/kube-error.ts";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { eventually } from "../support/control-plane.ts";
import { apply } from "./apply.ts";
import {
  find,
  keyOf,
  ownNamespace,
  parseManifests,
  render,
  variants,
  type Manifest,
} from "./chart.ts";
import { monitoringCrds } from "./monitoring-crds.ts";
import { podSpecOf } from "./pod-spec.ts";

const directory = join(import.meta.dirname, "../../deploy/kubernetes");

function read(file: string): Manifest[] {
  return parseManifests(readFileSync(join(directory, file), "utf8"));
}

describe("a real API server", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    await cluster.applyCrds(join(directory, "crds"));
    for (const each of monitoringCrds) await apply(connection, each, false);
    const manifests = await render({ "namespace.create": true });
    await apply(connection, find(manifests, "Namespace", ownNamespace), false);
    const accounts = manifests.filter(({ kind }) => kind === "ServiceAccount");
    for (const each of accounts) await apply(connection, each, false);
  });

  after(async () => {
    await cluster.stop();
  });

  const dryRun = async (manifests: readonly Manifest[]): Promise<void> => {
    assert.notEqual(manifests.length, 0);
    for (const each of manifests) {
      // A definition that was just made is not served at once.
      await eventually(async () => {
        try {
          // What others need to be there is made.
          await apply(connection, each, !["Namespace", "ServiceAccount"].includes(each.kind));
          return true;
        } catch (error) {
          if (error instanceof KubeError && error.code === "kube-not-found") return false;
          throw new Error(keyOf(each), { cause: error });
        }
      });
    }
  };

  for (const [name, values] of variants) {
    it(`takes the whole chart: ${name}`, async () => dryRun(await render(values)));
  }

  for (const file of globSync("**/*.yaml", { cwd: directory }).toSorted()) {
    it(`takes deploy/kubernetes/${file}`, async () => dryRun(read(file)));
  }

  it("refuses a field that it does not know, so that the others are known", async () => {
    const service = find(await render(), "Service", "portcullis");
    const wrong = { ...service, spec: { ...(service["spec"] as object), selectr: {} } };
    await assert.rejects(apply(connection, wrong, true), /selectr/);
  });

  for (const [name, values] of variants) {
    it(`lets the server's pod run in its namespace, which is restricted: ${name}`, async () => {
      const set = find(await render(values), "StatefulSet", "portcullis");
      await dryRun([podOf(set)]);
    });
  }

  it("lets a workload of the example run where only restricted pods may", async () => {
    const manifests = read("examples/workload.yaml");
    await dryRun(manifests.filter(({ kind }) => ["Namespace", "ServiceAccount"].includes(kind)));
    const spec = podSpecOf(find(manifests, "Deployment", "web"));
    const metadata = { name: "web-0", namespace: "shop" };
    await dryRun([{ apiVersion: "v1", kind: "Pod", metadata, spec }]);
  });

  it("would not let it run with one right more", async () => {
    const pod = podOf(find(await render(), "StatefulSet", "portcullis"));
    const spec = podSpecOf(pod);
    for (const more of [
      { allowPrivilegeEscalation: true },
      { capabilities: { add: ["NET_ADMIN"] } },
    ]) {
      const containers = spec.containers.map((each) => {
        return { ...each, securityContext: { ...each.securityContext, ...more } };
      });
      const wrong = { ...pod, spec: { ...spec, containers } };
      await assert.rejects(apply(connection, wrong, true), /violates PodSecurity "restricted/);
    }
  });
});

/** As the StatefulSet's controller makes it, without its claim, which nobody binds here. */
function podOf(set: Manifest): Manifest {
  const spec = podSpecOf(set);
  const volumes = [...(spec.volumes ?? []), { name: "data", emptyDir: {} }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "portcullis-0", namespace: ownNamespace },
    spec: { ...spec, volumes },
  };
}
