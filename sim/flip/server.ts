/** A simulated process of the server: production's decisions, and between them and the streams no more than has to be. */

import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import { noClaims } from "../../src/app/server/policy/policy-claims.ts";
import type { PolicyProxy } from "../../src/app/server/policy/policy-proxy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import type { ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { MeshView } from "../../src/core/policy/mesh-view.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import type { WorkloadEntry } from "../../src/core/resources/workload-entry.ts";
import type { ConnectionAck } from "../../src/edge/rpc/connection-messages.ts";
import type { Disk, StoredObject } from "./disk.ts";
import { FlipSight } from "./flip-sight.ts";
import { Flips, type FlipsOptions } from "./flips.ts";
import type { Link } from "./link.ts";
import { namespace, spiffeIdOf, trustDomain } from "./mesh-objects.ts";
import type { Pod, SaidPolicy } from "./pod.ts";
import { ServerEvidence } from "./server-evidence.ts";
import { ServerPolicy, type ToldProxy } from "./server-policy.ts";
import type { Timeline } from "./timeline.ts";

export interface ServerSurroundings {
  readonly disk: Disk;
  readonly timeline: Timeline;
  /** What it does later; not if it is killed before. */
  readonly later: (ms: number, work: () => void) => void;
  readonly delayMs: () => number;
  readonly hasCertificate: (name: string) => boolean;
  readonly onDurable: FlipsOptions["onDurable"];
  /** What all are to do may be another. */
  readonly onDecided: () => void;
  readonly onPush: (name: string, policy: ProxyPolicy) => void;
  readonly sendPolicy: (link: Link, policy: ProxyPolicy) => void;
}

const groupMs = 50;
const lookMs = 2_000;
/** How well it is known when a server that was killed was last at work. */
const knownMs = 10_000;
/** No flip is looked at oftener. */
const paceMs = 250;

export class Server {
  readonly policy: ServerPolicy = new ServerPolicy();
  readonly evidence: ServerEvidence;
  readonly sight: FlipSight;
  readonly flips: Flips;
  readonly #around: ServerSurroundings;
  readonly #links = new Map<string, Link>();
  #view: MeshView | undefined;
  #isPublishing = false;
  #isWriting = false;
  #isLooking = false;

  constructor(around: ServerSurroundings) {
    this.#around = around;
    const { disk, hasCertificate, later } = around;
    const nowMs = (): number => this.nowMs;
    const entryOf = (of: string, name: string): WorkloadEntry | undefined => {
      const key = refKey({ kind: "WorkloadEntry", namespace: of, name });
      const found = disk.objects.get(key)?.object;
      return found?.kind === "WorkloadEntry" ? found.object : undefined;
    };
    for (const { object } of disk.objects.values()) this.policy.set(object, hasCertificate);
    const onWaiting = (): void => this.#writeSoon();
    this.evidence = new ServerEvidence({ disk, entryOf, nowMs, onWaiting });
    for (const { object } of disk.objects.values()) this.#entryChanged(object.object.ref);
    const view = (): MeshView => this.view;
    this.sight = new FlipSight({
      evidence: this.evidence,
      policy: this.policy,
      view,
      waived: () => waivedAt(disk, nowMs()),
      nowMs,
    });
    this.flips = new Flips({
      disk,
      sight: this.sight,
      view,
      hold: (holds) => {
        this.policy.hold(holds);
        this.#publishSoon();
      },
      put: (ref, object) => this.put(ref, object),
      nowMs,
      later,
      delayMs: around.delayMs,
      onDurable: around.onDurable,
    });
    const look = (): void => {
      this.#lookForEnds();
      this.lookSoon();
      later(lookMs, look);
    };
    later(lookMs, look);
    const know = (): void => {
      this.#writeSoon();
      later(knownMs, know);
    };
    later(knownMs, know);
  }

  get nowMs(): number {
    return Math.floor(this.#around.timeline.nowMs);
  }

  get view(): MeshView {
    const objects = [...this.#around.disk.objects.values()].map(({ object }) => object);
    this.#view ??= new MeshView(objects, trustDomain);
    return this.#view;
  }

  /** By an operator, or by a flip. @throws crash */
  put(ref: ResourceRef, stored: StoredObject | undefined): void {
    const { disk, hasCertificate } = this.#around;
    disk.write("object", () => {
      if (stored === undefined) disk.objects.delete(refKey(ref));
      else disk.objects.set(refKey(ref), stored);
    });
    this.#view = undefined;
    if (stored === undefined) this.policy.delete(ref);
    else this.policy.set(stored.object, hasCertificate);
    this.#entryChanged(ref);
    this.#publishSoon();
    this.lookSoon();
  }

  accept(name: string, link: Link): void {
    if (this.#links.has(name)) this.policy.disconnected(name);
    this.#links.set(name, link);
  }

  closed(name: string, link: Link): void {
    if (this.#links.get(name) !== link) return;
    this.#links.delete(name);
    this.policy.disconnected(name);
    this.#publishSoon();
    this.lookSoon();
  }

  policyReport({ name, serviceAccount }: Pod, link: Link, said: SaidPolicy): void {
    if (this.#links.get(name) !== link) return;
    const reporter = reporterOf(name, serviceAccount);
    if (this.policy.report(reporter, serviceAccount, said, link.policies)) {
      const told = this.policy.told.get(name);
      if (told !== undefined) this.evidence.members.added(proxyOf(told));
    }
    this.#publishSoon();
    this.lookSoon();
  }

  connectionReport(
    { name, serviceAccount }: Pod,
    link: Link,
    report: ConnectionReport,
    onAck: (ack: ConnectionAck) => void,
  ): void {
    if (this.#links.get(name) !== link) return;
    this.evidence.take(reporterOf(name, serviceAccount), report, onAck);
  }

  goodbye(name: string): void {
    this.#links.delete(name);
    const told = this.policy.remove(name);
    if (told !== undefined) this.evidence.members.removed(proxyOf(told));
    this.#publishSoon();
    this.lookSoon();
  }

  /** What a pod's port is to take. */
  modeOf(name: string, port: number): ServerMode {
    const { told, expected, index } = this.policy;
    const identity = told.get(name)?.identity ?? expected.get(name);
    const decision = identity && index.portDecision(identity.key, port);
    return decision?.mode ?? "permissive";
  }

  lookSoon(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#around.later(paceMs, () => {
      this.#isLooking = false;
      this.flips.look();
    });
  }

  #entryChanged({ kind, name }: ResourceRef): void {
    if (kind !== "WorkloadEntry") return;
    this.evidence.members.entryChanged(namespace, name);
    this.evidence.addresses.changed({ namespace, name });
  }

  /** Whoever is away, and has no certificate any more, does not come back. */
  #lookForEnds(): void {
    const { hasCertificate } = this.#around;
    for (const [name, { isConnected }] of this.policy.told) {
      if (!isConnected && !hasCertificate(name)) this.goodbye(name);
    }
    for (const name of this.policy.expected.keys()) {
      if (!hasCertificate(name)) this.policy.remove(name);
    }
    this.evidence.members.look((spiffeId) => !hasCertificate(spiffeId.split("/").at(-1) ?? ""));
    this.#publishSoon();
  }

  #writeSoon(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#around.later(groupMs, () => {
      this.#isWriting = false;
      this.evidence.write();
      this.lookSoon();
    });
  }

  #publishSoon(): void {
    if (this.#isPublishing) return;
    this.#isPublishing = true;
    this.#around.later(0, () => {
      this.#isPublishing = false;
      this.#around.onDecided();
      for (const { key, policy } of this.policy.takePushes()) {
        const name = key.slice(key.lastIndexOf(" ") + 1);
        const link = this.#links.get(name);
        this.#around.onPush(name, policy);
        if (link === undefined) continue;
        link.policies += 1;
        this.#around.sendPolicy(link, policy);
      }
    });
  }
}

export function waivedAt({ waivers }: Disk, nowMs: number): ReadonlySet<string> {
  return new Set(Array.from(waivers).flatMap(([name, untilMs]) => (untilMs > nowMs ? [name] : [])));
}

function reporterOf(agentId: string, serviceAccount: string) {
  return { spiffeId: spiffeIdOf(serviceAccount), agentId };
}

function proxyOf({ identity, reporter }: ToldProxy): PolicyProxy {
  const said = {
    proxyId: identity.nodeId,
    spiffeId: undefined,
    labels: identity.claimedLabels,
    hasListeners: true,
    applied: undefined,
    isUnsure: false,
    assignmentsAnswered: 0,
    nack: undefined,
    draining: new Map<number, number>(),
    oldConnections: "unobserved",
  } as const;
  const { spiffeId } = reporter;
  const rest = {
    session: undefined,
    tooLarge: undefined,
    saidRefusals: [],
    goneSinceMs: undefined,
  };
  return { ...noClaims, identity, spiffeId, reporter, said, ...rest };
}
