/** Our definitions of Istio's objects, as a real API server takes them. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ApiextensionsV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import { startCluster, type Cluster } from "./cluster.ts";
import {
  destinationRules,
  peerAuthentications,
  refusedSpecs,
  serviceEntries,
  sidecars,
  takenSpecs,
  workloadEntries,
  type Kind,
} from "./istio-objects.ts";
import { skipKube } from "./skip-kube.ts";

const directory = join(import.meta.dirname, "../../deploy/kubernetes/crds");

describe("a definition of ours", { skip: skipKube }, () => {
  let cluster: Cluster;
  let objects: CustomObjectsApi;
  let namespace: string;

  before(async () => {
    cluster = await startCluster();
    await cluster.applyCrds(directory);
    objects = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
    namespace = await cluster.namespace("crds");
  });

  after(async () => cluster.stop());

  let made = 0;

  async function create(
    { kind, group, plural }: Kind,
    spec: unknown,
    version = "v1",
  ): Promise<{ readonly name: string; readonly spec: unknown }> {
    made += 1;
    const name = `object-${made}`;
    const metadata = { name };
    const body = { apiVersion: `${group}/${version}`, kind, metadata, spec };
    const of = { group, version, plural, namespace };
    const created = await objects.createNamespacedCustomObject({ ...of, body });
    return { name, spec: created.spec };
  }

  it("is taken as structural, and again without a change", async () => {
    await cluster.applyCrds(directory);
    const api = cluster.kubeConfig().makeApiClient(ApiextensionsV1Api);
    const { items } = await api.listCustomResourceDefinition();
    assert.equal(items.length, 5);
    for (const { metadata, status } of items) {
      const name = metadata?.name ?? "";
      const conditions = new Map(
        (status?.conditions ?? []).map((each) => [each.type, each.status]),
      );
      assert.equal(conditions.get("Established"), "True", name);
      assert.notEqual(conditions.get("NonStructuralSchema"), "True", name);
    }
  });

  for (const [what, plural, spec] of takenSpecs) {
    it(`takes a ${what}, and keeps all of it`, async () => {
      assert.deepEqual((await create(plural, spec)).spec, spec);
    });
  }

  it("serves each version that Istio has, of the same object", async () => {
    const spec = { mtls: { mode: "STRICT" } };
    const { name } = await create(peerAuthentications, spec, "v1beta1");
    const of = { ...peerAuthentications, namespace, name };
    const read = await objects.getNamespacedCustomObject({ ...of, version: "v1" });
    assert.deepEqual(read.spec, spec);
    for (const kind of [destinationRules, serviceEntries, workloadEntries, sidecars]) {
      for (const version of ["v1", "v1beta1", "v1alpha3"]) {
        await objects.listNamespacedCustomObject({ ...kind, namespace, version });
      }
    }
  });

  for (const [what, plural, spec, message] of refusedSpecs) {
    it(`refuses ${what}: what the schema says survives`, async () => {
      await assert.rejects(create(plural, spec), (error) => {
        assert(error instanceof Error);
        assert.match(error.message, message);
        assert.match(error.message, /HTTP-Code: 422/);
        return true;
      });
    });
  }

  it("has a status of its own, which no write of the spec changes", async () => {
    const { name, spec } = await create(peerAuthentications, { mtls: { mode: "STRICT" } });
    const of = { ...peerAuthentications, version: "v1", namespace, name };
    const read = await objects.getNamespacedCustomObject(of);
    const lastTransitionTime = "2026-01-31T12:00:00Z";
    const condition = { type: "Accepted", status: "True", reason: "Valid", lastTransitionTime };
    const status = { conditions: [condition] };
    const body = { ...read, spec: {}, status };
    const written = await objects.replaceNamespacedCustomObjectStatus({ ...of, body });
    assert.deepEqual([written.spec, written.status], [spec, status]);
    const wrong = { ...written, status: { conditions: [{ ...condition, status: "Yes" }] } };
    const refusedStatus = objects.replaceNamespacedCustomObjectStatus({ ...of, body: wrong });
    await assert.rejects(refusedStatus, { code: 422 });
    const again = { ...written, status: {} };
    const replaced = await objects.replaceNamespacedCustomObject({ ...of, body: again });
    assert.deepEqual(replaced.status, status);
  });
});
