/** Pods of a real API server as the owners of addresses, and as verifiers that are gone: by UID, and never by a name that comes again. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { GonePods } from "../../src/app/server/kube/configuration/gone-pods.ts";
import { PodFarewells } from "../../src/app/server/kube/configuration/pod-farewells.ts";
import { WorkloadAddresses } from "../../src/app/server/evidence/workload-addresses.ts";
import { placeOfPod } from "../../src/app/server/evidence/workload-places.ts";
import { AddressHistory, type AddressSpan } from "../../src/core/evidence/address-history.ts";
import type { Pod } from "../../src/core/kube/pod.ts";
import type { ObjectChange } from "../../src/core/kube/object-cache.ts";
import type { AddressChange } from "../../src/edge/evidence/evidence-change.ts";
import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { pods } from "../../src/edge/kube/read/read-identities.ts";
import type { CertificateIndex } from "../../src/edge/log/certificate-index.ts";
import { watched } from "../support/watched.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { PodRef } from "./objects.ts";
import { skipKube } from "./skip-kube.ts";

type Records = ReturnType<CertificateIndex["page"]>["records"];

describe("a pod", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;
  let core: CoreV1Api;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  it("names who called from its address while it held it, and not who holds it now", async () => {
    await using known = watched(connection, pods);
    await known.when("listed");
    const account = await cluster.serviceAccount(await cluster.namespace("named"), "web");
    const { namespace } = account;
    const spans: AddressSpan[] = [];
    const note = ({ kind, address, workload: name, isMeshed, atMs }: AddressChange): void => {
      if (kind === "held")
        spans.push({ address, name, isMeshed, sinceMs: atMs, untilMs: undefined });
      const at = spans.findIndex((each) => each.name === name && each.untilMs === undefined);
      const span = spans[at];
      if (kind === "left" && span !== undefined) spans[at] = { ...span, untilMs: atMs };
    };
    let now = 0;
    const addresses = new WorkloadAddresses(
      {
        trustDomain: "cluster.local",
        note,
        placeOf: ({ namespace: of, name }) => {
          const pod = known.cache.find(of, name);
          return pod && placeOfPod(pod);
        },
        isThere: () => false,
        nowMs: () => now,
      },
      [],
      0,
    );
    let seen = 0;
    const take = (): void => {
      for (const { before: old, after: pod } of known.batches.slice(seen).flat()) {
        const of = pod ?? old;
        if (of !== undefined) addresses.changed(of);
      }
      seen = known.batches.length;
    };
    const node = await cluster.node("node");
    const options = { node: node.name, ip: "10.8.0.1" };
    const first = await cluster.pod(account, { ...options, name: "first" });
    await known.until(() => known.cache.find(namespace, "first")?.podIPs.length === 1);
    now = 10_000;
    take();
    await cluster.deletePod(first);
    await known.until(() => known.cache.wasRemoved(first.uid));
    now = 60_000;
    take();
    await cluster.pod(account, { ...options, name: "second" });
    await known.until(() => known.cache.find(namespace, "second")?.podIPs.length === 1);
    now = 61_000;
    take();
    const history = new AddressHistory(spans);
    const who = (firstMs: number, lastMs: number): unknown =>
      history.holderOf("10.8.0.1", firstMs, lastMs);
    const named = (name: string) => ({
      kind: "workload",
      name: `${namespace}/${name}`,
      isMeshed: false,
    });
    assert.deepEqual(who(20_000, 30_000), named("first"));
    assert.deepEqual(who(70_000, 80_000), named("second"));
    assert.deepEqual(who(20_000, 80_000), {
      kind: "several",
      names: [`${namespace}/first`, `${namespace}/second`],
    });
  });

  it("that was deleted by force is gone for those of whom nobody hears, and an earlier one when its name comes again", async () => {
    await using known = watched(connection, pods);
    await known.when("listed");
    const account = await cluster.serviceAccount(await cluster.namespace("forced"), "web");
    const { namespace } = account;
    const identity = `spiffe://cluster.local/ns/${namespace}/sa/web`;
    const node = await cluster.node("node");
    const options = { node: node.name, ip: "10.8.0.3", name: "web-0" };
    const first = await cluster.pod(account, options);
    const evidence = { pod: "web-0", podUid: first.uid };
    const intent = { artifact: "workload", agent: "a", notAfterMs: 9e12, evidence };
    const records = [{ intentIndex: 0, intent }] as unknown as Records;
    using gone = new GonePods({
      certificates: { page: () => ({ records, next: undefined }) },
      podOf: ({ namespace: of, name }) => known.cache.find(of, name),
      isListed: () => true,
      isConnected: () => false,
      identities: () => [identity],
      onFailed: (error) => assert.fail(String(error)),
      nowMs: Date.now,
    });
    await gone.run();
    const absence = () => gone.of(`${identity} a ${identity} web-0`)?.absence;
    await known.until(() => known.cache.find(namespace, "web-0")?.uid === first.uid);
    assert.equal(absence(), undefined);
    await cluster.deletePod(first);
    await known.until(() => known.cache.wasRemoved(first.uid));
    assert.equal(absence(), "pod-gone");
    const second = await cluster.pod(account, options);
    await known.until(() => known.cache.find(namespace, "web-0")?.uid === second.uid);
    assert.equal(absence(), "earlier-pod");
  });

  it("that has ended says goodbye for its agents, and one that is gone by force, or comes again, does not", async () => {
    await using known = watched(connection, pods);
    await known.when("listed");
    const account = await cluster.serviceAccount(await cluster.namespace("ended"), "web");
    const node = await cluster.node("node");
    const events: string[] = [];
    const records: unknown[] = [];
    using farewells = new PodFarewells({
      trustDomain: "cluster.local",
      certificates: { page: () => ({ records: records as Records, next: undefined }) },
      record: async ({ detail }) => void events.push(detail ?? ""),
      hasSaid: () => false,
      isConnected: () => false,
      gone: () => {},
      onFailed: (_, error) => assert.fail(String(error)),
      nowMs: Date.now,
    });
    const issue = (agent: string, { uid: podUid }: PodRef): void => {
      const intent = { artifact: "workload", agent, serial: Uint8Array.of(1) };
      const intentIndex = records.length;
      records.push({ intentIndex, intent: { ...intent, evidence: { podUid } } });
    };
    const take = async (of: PodRef): Promise<void> => {
      await known.until(() => known.cache.wasRemoved(of.uid));
      const changes: readonly ObjectChange<Pod>[] = known.batches.splice(0).flat();
      farewells.take(changes);
      await farewells.run();
    };
    const options = { node: node.name, ip: "10.8.0.2", name: "web-0" };
    const forced = await cluster.pod(account, options);
    issue("forced", forced);
    await known.until(() => known.cache.find(forced.namespace, "web-0")?.phase === "Running");
    await cluster.deletePod(forced);
    await take(forced);
    assert.deepEqual(events, []);

    const ended = await cluster.pod(account, options);
    issue("ended", ended);
    const { namespace, name } = ended;
    const now = await core.readNamespacedPodStatus({ namespace, name });
    const body = Object.assign(now, {
      status: Object.assign({}, now.status, { phase: "Succeeded" }),
    });
    await core.replaceNamespacedPodStatus({ namespace, name, body });
    await known.until(() => known.cache.find(namespace, name)?.phase === "Succeeded");
    await cluster.deletePod(ended);
    const again = await cluster.pod(account, options);
    issue("again", again);
    await take(ended);
    assert.deepEqual(events, ["ended"]);
  });
});
