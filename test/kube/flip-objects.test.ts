/** The object of a flip that stands in the cluster: made strict and back at the real API server, and seen in the configuration at once. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CustomObjectsApi } from "@kubernetes/client-node";
import { pino } from "pino";
import { FlipConfiguration } from "../../src/app/server/flips/flip-configuration.ts";
import { FlipEdits } from "../../src/app/server/flips/flip-edits.ts";
import { ClusterEdits } from "../../src/app/server/kube/writes/cluster-edits.ts";
import { openKubeConfiguration } from "../../src/app/server/kube/configuration/kube-configuration.ts";
import { beginWatches } from "../../src/app/server/kube/kube-watches.ts";
import { Resources } from "../../src/app/server/policy/resources/resources.ts";
import type { Flip } from "../../src/core/flip/flip.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { Store } from "../../src/edge/store/store.ts";
import { until } from "../support/bundle-maps.ts";
import { flipOf } from "../support/flips.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const root = join(import.meta.dirname, "../..");
const group = { group: "security.istio.io", version: "v1", plural: "peerauthentications" };
const nowMs = (): number => performance.now();

describe("the object of a flip in a cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  let objects: CustomObjectsApi;
  const owned = new AsyncDisposableStack();
  let edits: FlipEdits;
  let configuration: FlipConfiguration;

  before(async () => {
    cluster = owned.use(await startCluster());
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    objects = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    const connection = owned.use(new KubeConnection({ access }));
    const directory = join(owned.use(temporaryDirectory()).path, "data");
    const store = owned.use(await Store.open(directory, "server"));
    const record = async (): Promise<void> => {};
    const resources = new Resources({ stored: store.resources, record, nowMs: Date.now });
    const { caches } = beginWatches({ connection, nowMs, onEvent: () => {} }, owned);
    const { signal } = new AbortController();
    const log = pino({ level: "silent" });
    const options = { resources, clusterDomain: "cluster.local", log, nowMs, signal };
    await openKubeConfiguration({ caches, connection }, options, owned);
    configuration = owned.use(new FlipConfiguration(resources.set, "cluster.local"));
    const inCluster = new ClusterEdits({ connection, set: resources.set, signal });
    edits = new FlipEdits({ resources, configuration, cluster: inCluster });
  });

  after(() => owned.disposeAsync());

  async function permissiveFlip(namespace: string): Promise<Flip> {
    const metadata = { name: "api", labels: { theirs: "1" } };
    const spec = { selector: { matchLabels: { app: "api" } }, mtls: { mode: "PERMISSIVE" } };
    const kind = "PeerAuthentication";
    const body = { apiVersion: "security.istio.io/v1", kind, metadata, spec };
    await objects.createNamespacedCustomObject({ ...group, namespace, body });
    const ref: ResourceRef = { kind, namespace, name: "api" };
    await until(() => configuration.manifestOf(ref) !== undefined);
    const before = configuration.manifestOf(ref) ?? {};
    const after = { ...before, spec: { ...spec, mtls: { mode: "STRICT" } } };
    const { target, edit } = flipOf();
    const [beforeJson, afterJson] = [JSON.stringify(before), JSON.stringify(after)];
    return flipOf({
      target: { ...target, namespace },
      edit: { ...edit, ref, beforeJson, afterJson },
    });
  }

  async function modeOf({ edit: { ref } }: Flip): Promise<string> {
    const { namespace, name } = ref;
    const { spec } = await objects.getNamespacedCustomObject({ ...group, namespace, name });
    return spec.mtls.mode;
  }

  it("is written there and back, and is in the configuration when that has ended", async () => {
    const flip = await permissiveFlip(await cluster.namespace("flip"));
    edits.assertWritable(flip.edit.ref, "");
    const { writtenSequence } = configuration;
    await edits.toStrict(flip);
    assert.equal(await modeOf(flip), "STRICT");
    assert.ok(configuration.writtenSequence > writtenSequence);
    await edits.back(flip, "ada");
    assert.equal(await modeOf(flip), "PERMISSIVE");
    const now = configuration.manifestOf(flip.edit.ref);
    assert.deepEqual(now?.["spec"], JSON.parse(flip.edit.beforeJson ?? "{}").spec);
  });

  it("is not written where somebody has changed it a moment before the watch tells", async () => {
    const flip = await permissiveFlip(await cluster.namespace("changed"));
    const { namespace, name } = flip.edit.ref;
    const body = [{ op: "add", path: "/spec/portLevelMtls", value: { 80: { mode: "DISABLE" } } }];
    await objects.patchNamespacedCustomObject({ ...group, namespace, name, body });
    await assert.rejects(edits.toStrict(flip), { code: "kube-conflict" });
    assert.equal(await modeOf(flip), "PERMISSIVE");
  });
});
