/** Refusals as Events of the real API server, at the pod or the account that was refused. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { EventsV1Api, type EventsV1Event, type V1PolicyRule } from "@kubernetes/client-node";
import { pino } from "pino";
import {
  openRefusalEvents,
  type RefusalEvents,
} from "../../src/app/server/kube/writes/refusal-events.ts";
import { AuthnError } from "../../src/core/identity/authn-error.ts";
import type { Caller } from "../../src/core/identity/caller.ts";
import { RateLimitError } from "../../src/core/issuance/rate-limit-error.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import type { Logger } from "../../src/edge/telemetry/logger.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { WritePace } from "../../src/edge/kube/write/write-pace.ts";
import { until } from "../support/bundle-maps.ts";
import { logRecorder } from "../support/log-recorder.ts";
import { OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { PodRef } from "./objects.ts";
import { skipKube } from "./skip-kube.ts";

const leastRights: V1PolicyRule[] = [
  { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
];
const revoked = (claimed: Caller): AuthnError =>
  new AuthnError("token-revoked", "the token eyJ... is of a pod that is gone", { claimed });

describe("refusals", { skip: skipKube }, () => {
  let cluster: Cluster;
  let events: EventsV1Api;

  before(async () => {
    cluster = await startCluster();
    events = cluster.kubeConfig().makeApiClient(EventsV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  function open(
    connection: KubeConnection,
    owned: AsyncDisposableStack,
    { log, skipMs = () => 0 }: { log?: Logger; skipMs?: () => number } = {},
  ): RefusalEvents {
    const nowMs = (): number => performance.now() + skipMs();
    return openRefusalEvents(
      {
        connection,
        pace: new WritePace({ nowMs }),
        instance: "portcullis-0",
        log: log ?? pino({ level: "silent" }),
        eventId: randomUUID,
        wallMs: Date.now,
        nowMs,
      },
      owned,
    );
  }

  async function callerIn(namespace: string): Promise<readonly [Caller, PodRef]> {
    const account = await cluster.serviceAccount(namespace, "cart");
    const pod = await cluster.pod(account);
    const evidence = {
      method: "jwt",
      issuer: "cluster",
      pod: { name: pod.name, uid: pod.uid },
      serviceAccountUid: account.uid,
    } as const;
    const id = SpiffeId.parse(`spiffe://td/ns/${namespace}/sa/cart`);
    return [{ id, namespace, serviceAccount: "cart", expiresAtMs: Infinity, evidence }, pod];
  }

  async function eventsIn(namespace: string): Promise<readonly EventsV1Event[]> {
    return (await events.listNamespacedEvent({ namespace })).items;
  }

  it("stand at the pod, by the least of rights, with a count and without a word of the token", async () => {
    await using ours = await OurAccount.make(cluster, leastRights);
    using connection = new KubeConnection({ access: ours.access });
    await using owned = new AsyncDisposableStack();
    const namespace = await cluster.namespace("refused");
    const [caller, pod] = await callerIn(namespace);
    let skippedMs = 0;
    const refusals = open(connection, owned, { skipMs: () => skippedMs });
    refusals.take(undefined, revoked(caller));
    await until(async () => (await eventsIn(namespace)).length === 1);
    const [event] = await eventsIn(namespace);
    const { regarding, reason, note, type, action, reportingController, series } = event ?? {};
    assert.deepEqual(
      [regarding?.kind, regarding?.name, regarding?.uid, type, reason, action],
      ["Pod", pod.name, pod.uid, "Warning", "TokenRevoked", "Issue"],
    );
    assert.equal(reportingController, "portcullis.io/server");
    assert.doesNotMatch(`${note}`, /eyJ/);
    assert.equal(series, undefined);
    for (let at = 0; at < 500; at++) refusals.take(undefined, revoked(caller));
    assert.equal((await eventsIn(namespace)).length, 1);
    skippedMs = 31_000;
    refusals.take(undefined, revoked(caller));
    await until(async () => (await eventsIn(namespace))[0]?.series?.count === 502);
    assert.equal((await eventsIn(namespace)).length, 1);
  });

  it("stand at the account where no pod is known, and nowhere where nobody is", async () => {
    using connection = await adminConnection();
    await using owned = new AsyncDisposableStack();
    const namespace = await cluster.namespace("account");
    const [{ evidence, ...caller }] = await callerIn(namespace);
    const refusals = open(connection, owned);
    refusals.take(undefined, new AuthnError("token-revoked", "nobody's"));
    const { pod: _, ...unbound } = evidence as Extract<Caller["evidence"], { method: "jwt" }>;
    refusals.take({ ...caller, evidence: unbound }, new AuthnError("token-signature", "forged"));
    refusals.take({ ...caller, evidence: unbound }, new RateLimitError("identity", 10));
    await until(async () => (await eventsIn(namespace)).length === 1);
    const [event] = await eventsIn(namespace);
    assert.deepEqual(
      [event?.regarding?.kind, event?.regarding?.name, event?.reason],
      ["ServiceAccount", "cart", "RateLimited"],
    );
  });

  it("are bounded in all: many who are refused at once are told slowly", async () => {
    using connection = await adminConnection();
    await using owned = new AsyncDisposableStack();
    const namespace = await cluster.namespace("many");
    const [caller] = await callerIn(namespace);
    const refusals = open(connection, owned);
    for (let at = 0; at < 2_000; at++) {
      refusals.take(
        { ...caller, serviceAccount: `sa-${at}`, evidence: unboundOf(caller) },
        new RateLimitError("identity", 1),
      );
    }
    await until(async () => (await eventsIn(namespace)).length >= 25);
    assert.ok((await eventsIn(namespace)).length < 40);
  });

  it("are dropped, and that is said once, where nobody may write them", async () => {
    await using ours = await OurAccount.make(cluster, []);
    using connection = new KubeConnection({ access: ours.access });
    await using owned = new AsyncDisposableStack();
    const [caller] = await callerIn(await cluster.namespace("rights"));
    const { log, events: said } = logRecorder();
    let skippedMs = 0;
    const refusals = open(connection, owned, { log, skipMs: () => skippedMs });
    refusals.take(undefined, revoked(caller));
    await until(() => said.length > 0);
    assert.match(String(said[0]?.["hint"]), /events.*create/);
    skippedMs = 60_000;
    refusals.take(undefined, revoked(caller));
    refusals.take(caller, new RateLimitError("identity", 10));
    await owned.disposeAsync();
    assert.equal(said.length, 1);
  });

  async function adminConnection(): Promise<KubeConnection> {
    return new KubeConnection({
      access: await kubeconfigAccess({ path: cluster.adminKubeconfig }),
    });
  }
});

function unboundOf({ evidence }: Caller): Caller["evidence"] {
  const { pod: _, ...unbound } = evidence as Extract<Caller["evidence"], { method: "jwt" }>;
  return unbound;
}
