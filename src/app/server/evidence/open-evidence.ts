/**
 * Evidence of connections, put together. The CA does not wait for it, and goes on without: then agents are not asked, and whoever asks
 * gets no answer.
 */

import { refKey } from "../../../core/resources/policy-object.ts";
import type { ResourceName } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import type { OpenedFile } from "../../../edge/evidence/evidence-protocol.ts";
import { EvidenceStore } from "../../../edge/evidence/evidence-store.ts";
import { EvidenceEvents } from "../../../edge/telemetry/evidence-events.ts";
import type { KubeConfiguration } from "../kube/configuration/kube-configuration.ts";
import type { Parts } from "../parts.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { ProxyWatch } from "../policy/proxy-watch.ts";
import type { ResourceSet, ResourceSetChange } from "../policy/resources/resource-set.ts";
import { ConnectionEvidence } from "./connection-evidence.ts";
import { ConnectionIntake } from "./connection-intake.ts";
import { EvidenceMembers } from "./evidence-members.ts";
import { WorkloadAddresses } from "./workload-addresses.ts";
import { placeOfEntry, placeOfPod, type WorkloadPlace } from "./workload-places.ts";

export interface OpenEvidenceOptions {
  readonly resources: ResourceSet;
  readonly dataDir: string;
  readonly trustDomain: string;
  readonly nowMs: () => number;
  /** The cluster's. */
  readonly cluster?: Pick<KubeConfiguration, "podOf" | "pods"> | undefined;
}

export interface OpenedConnections {
  readonly watch: ProxyWatch & Pick<EvidenceMembers, "untold">;
  readonly intake: ConnectionIntake;
  /** When policy has its proxies. */
  readonly evidenceOf: (control: Pick<PolicyControl, "index" | "expected">) => ConnectionEvidence;
}

/** @returns undefined where there is no file to write to: that is said in the log */
export async function openConnections(
  { log, metrics, live }: Pick<Parts, "log" | "metrics" | "live">,
  { resources, dataDir, trustDomain, nowMs, cluster }: OpenEvidenceOptions,
  owned: AsyncDisposableStack,
): Promise<OpenedConnections | undefined> {
  let store: EvidenceStore | undefined;
  const events = new EvidenceEvents(log, metrics.registry, {
    isWritable: () => store !== undefined && store.failure === undefined,
    waitingSeconds: () => Math.max(0, nowMs() - (store?.waitingSinceMs ?? nowMs())) / 1_000,
  });
  const retentionMs = (): number => live.config.evidenceRetentionSeconds * 1_000;
  const opened = await open(events, dataDir, retentionMs, nowMs);
  if (opened === undefined) return undefined;
  const { left } = opened;
  store = owned.use(opened.store);
  if (left.aside !== undefined) events.setAside(left.aside.path, left.aside.reason);
  const note: EvidenceStore["note"] = (change) => opened.store.note(change);
  const entryOf = (namespace: string, name: string): WorkloadEntry | undefined => {
    const found = resources.find(refKey({ kind: "WorkloadEntry", namespace, name }))?.object;
    return found?.kind === "WorkloadEntry" ? found.object : undefined;
  };
  let addresses: WorkloadAddresses | undefined;
  const onPresence = (namespace: string, name: string): void =>
    addresses?.changed({ namespace, name });
  const members = new EvidenceMembers({ note, entryOf, onPresence, nowMs }, left.members);
  const isThere: EvidenceMembers["isThere"] = (...of) => members.isThere(...of);
  const placeOf = (name: ResourceName): WorkloadPlace | undefined => {
    const entry = entryOf(name.namespace, name.name);
    if (entry !== undefined && entry.ref.standsFor === undefined) return placeOfEntry(entry);
    const pod = cluster?.podOf(name);
    return pod && placeOfPod(pod);
  };
  addresses = new WorkloadAddresses(
    { trustDomain, note, placeOf, isThere, nowMs },
    left.addresses,
    left.knownMs,
  );
  const changed = ({ set, deleted }: ResourceSetChange): void => {
    const refs = [...set.map(({ object }) => object.ref), ...deleted];
    for (const ref of refs) {
      if (ref.kind !== "WorkloadEntry") continue;
      members.entryChanged(ref.namespace, ref.name);
      addresses.changed(ref);
    }
  };
  changed({ set: resources.objects().map(({ object }) => object), deleted: [] });
  owned.use(resources.onChange(changed));
  const following = cluster?.pods.onChange((changes) => {
    for (const { before, after } of changes) {
      const pod = after ?? before;
      if (pod !== undefined) addresses.changed(pod);
    }
  });
  if (following !== undefined) owned.use(following);
  const intake = new ConnectionIntake({ store, members, events, retentionMs, nowMs });
  owned.use(intake.onCounted((proxies) => members.kept(proxies)));
  const { createdMs, isAnew } = left;
  const entriesIn = (namespace: string): readonly WorkloadEntry[] =>
    resources.objects().flatMap(({ object: each }) => {
      const isIt = each.kind === "WorkloadEntry" && each.object.ref.namespace === namespace;
      return isIt ? [each.object] : [];
    });
  const parts = { store, createdMs, isAnew, entryOf, entriesIn, trustDomain };
  return {
    watch: members,
    intake,
    evidenceOf: (control) => new ConnectionEvidence({ ...parts, control }),
  };
}

async function open(
  events: EvidenceEvents,
  dataDir: string,
  retentionMs: () => number,
  nowMs: () => number,
): Promise<{ readonly store: EvidenceStore; readonly left: OpenedFile } | undefined> {
  try {
    return await EvidenceStore.open({
      dataDir,
      retentionMs,
      nowMs,
      onFailed: (error) => events.notWritten(error),
      onRecovered: () => events.writtenAgain(),
      onEnded: (error) => events.ended(error),
      onBounded: (identities) => {
        for (const { spiffeId, bound } of identities) events.bounded(spiffeId, bound);
      },
      onRefused: (change, error) => events.refused(change.kind, error),
    });
  } catch (error) {
    if (!(error instanceof EvidenceStoreError)) throw error;
    events.notOpened(error);
    return undefined;
  }
}
