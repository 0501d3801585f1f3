/** Each thing that a server asks of a cluster, by the code that asks it and with the token of the chart's own account. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { reviewAccess, reviewOperator } from "../../src/edge/kube/access-review.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { inClusterAccess } from "../../src/edge/kube/kube-access.ts";
import { KubeError } from "../../src/edge/kube/kube-error.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { LeaseObject } from "../../src/edge/kube/trust/lease-object.ts";
import { keepCaBundle } from "../../src/edge/kube/webhook-configuration.ts";
import {
  bundleMaps,
  createBundleMap,
  findBundleMap,
  mendBundleMap,
} from "../../src/edge/kube/write/bundle-config-map.ts";
import { readPolicyObject, writePolicyObject } from "../../src/edge/kube/write/policy-object.ts";
import { writeConditions } from "../../src/edge/kube/write/policy-status.ts";
import { countRefusalEvent, createRefusalEvent } from "../../src/edge/kube/write/refusal-event.ts";
import { WritePace } from "../../src/edge/kube/write/write-pace.ts";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { watched } from "../support/watched.ts";
import { apply } from "./apply.ts";
import { ownNamespace, render } from "./chart.ts";

const signal = new AbortController().signal;

describe("the chart's account", { skip: skipKube }, () => {
  let cluster: Cluster;
  let directory: ReturnType<typeof temporaryDirectory>;
  let connection: KubeConnection;
  let namespace: string;

  before(async () => {
    cluster = await startCluster();
    directory = temporaryDirectory();
    using admin = new KubeConnection({
      access: await kubeconfigAccess({ path: cluster.adminKubeconfig }),
    });
    await cluster.applyCrds(join(import.meta.dirname, "../../deploy/kubernetes/crds"));
    const values = { trustSecret: "portcullis-trust", "guard.mode": "warn" };
    for (const each of await render({ "namespace.create": true, ...values })) {
      await apply(admin, each, false);
    }
    namespace = await cluster.namespace("shop");
    // As in a pod: a token and the cluster's certificate in files.
    const token = await cluster.tokenOf({ namespace: ownNamespace, name: "portcullis" });
    writeFileSync(join(directory.path, "token"), token);
    writeFileSync(join(directory.path, "ca.crt"), cluster.caPem);
    const { hostname: host, port } = new URL(cluster.url);
    const access = inClusterAccess({ host, port, directory: directory.path });
    connection = new KubeConnection({ access });
    await eventually(areRightsSeen, 30_000);
  });

  /** Roles and policies count when the API server has seen them. */
  async function areRightsSeen(): Promise<boolean> {
    const webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    const another = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "another" } };
    const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`;
    try {
      await connection.send({ path: `${webhooks}/portcullis-guard` });
      await connection.send({ method: "POST", path, body: another });
      return false;
    } catch (error) {
      return error instanceof KubeError && error.message.includes("its own names");
    }
  }

  after(async () => {
    connection[Symbol.dispose]();
    await cluster.stop();
    directory[Symbol.dispose]();
  });

  it("keeps the roots in a namespace, and watches its ConfigMaps alone", async () => {
    const name = "istio-ca-root-cert";
    await using maps = watched(connection, bundleMaps(name));
    await createBundleMap(connection, namespace, name, "old");
    const map = await findBundleMap(connection, namespace, name);
    assert.ok(map);
    await mendBundleMap(connection, map, "new");
    await maps.until(() => {
      const seen = maps.cache.find(namespace, name);
      return seen !== undefined && seen.rootsSha256 !== map.rootsSha256;
    });
    await assert.rejects(createBundleMap(connection, namespace, "another", "new"), {
      code: "kube-forbidden",
    });
  });

  it("writes, tells of, and takes away the object of a flip", async () => {
    const ref = { kind: "PeerAuthentication", namespace, name: "default" } as const;
    const manifest = {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "default", namespace },
      spec: { mtls: { mode: "PERMISSIVE" } },
    };
    await writePolicyObject(connection, ref, { kind: "create", manifest });
    const made = await readPolicyObject(connection, ref);
    assert.ok(made?.manifest);
    const { manifest: before, resourceVersion } = made;
    const after = { ...before, spec: { mtls: { mode: "STRICT" } } };
    await writePolicyObject(connection, ref, { kind: "change", before, after, resourceVersion });
    const pace = new WritePace({ nowMs: () => performance.now() });
    const condition = { type: "Accepted", status: "True", reason: "Valid", message: "" } as const;
    const of = { namespace, name: "default", uid: undefined };
    await writeConditions({ connection, pace, signal }, of, [condition], Date.now());
    const now = await readPolicyObject(connection, ref);
    assert.ok(now);
    await writePolicyObject(connection, ref, {
      kind: "delete",
      resourceVersion: now.resourceVersion,
    });
    assert.equal(await readPolicyObject(connection, ref), undefined);
  });

  it("makes an Event of a refusal, and counts it up", async () => {
    const account = await cluster.serviceAccount(namespace, "web");
    const subject = { kind: "ServiceAccount", ...account } as const;
    const note = { reason: "TokenRevoked", note: "refused" };
    const event = { subject, note, count: 1, lastMs: Date.now() };
    const made = await createRefusalEvent(connection, event, { id: "a", instance: "b" });
    await countRefusalEvent(connection, made, { count: 2, lastMs: Date.now() });
  });

  it("holds its Lease, and has its Secret, of one name alone", async () => {
    const lease = new LeaseObject(connection, ownNamespace, "portcullis-trust", 5_000);
    const nowMs = Date.now();
    const held = {
      holder: "a",
      durationMs: 15_000,
      acquiredMs: nowMs,
      renewedMs: nowMs,
      transitions: 0,
    };
    const { version } = await lease.write(held, (await lease.read()).version);
    await lease.write({ ...held, renewedMs: nowMs + 1 }, version);
    const secrets = `/api/v1/namespaces/${ownNamespace}/secrets`;
    const secretOf = (name: string, version?: string) => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, ...(version !== undefined && { resourceVersion: version }) },
    });
    await connection.send({ method: "POST", path: secrets, body: secretOf("portcullis-trust") });
    const path = `${secrets}/portcullis-trust`;
    const found = (await connection.send({ path })) as { metadata: { resourceVersion: string } };
    const body = secretOf("portcullis-trust", found.metadata.resourceVersion);
    await connection.send({ method: "PUT", path, body });
    const forbidden = { code: "kube-forbidden" };
    await assert.rejects(connection.send({ path: secrets }), forbidden);
    await assert.rejects(connection.send({ path: `${secrets}/another` }), forbidden);
    const another = { method: "POST", path: secrets, body: secretOf("another") } as const;
    await assert.rejects(connection.send(another), forbidden);
  });

  it("tells the API server which roots its webhook has", async () => {
    assert.equal(await keepCaBundle(connection, "portcullis-guard", cluster.caPem), "written");
    assert.equal(await keepCaBundle(connection, "portcullis-guard", cluster.caPem), "current");
  });

  it("asks who an operator is, and what he may do", async () => {
    const of = { namespace: ownNamespace, name: "portcullis-operator" };
    const token = await cluster.tokenOf(of, { audience: "portcullis-admin" });
    const operator = await reviewOperator(connection, token, "portcullis-admin", signal);
    assert.ok(operator.kind !== "refused");
    const may = (resource: string, verb: string) =>
      reviewAccess(connection, operator, { resource, verb }, signal);
    assert.equal(await may("roots", "get"), true);
    assert.equal(await may("roots", "activate"), false);
  });
});
