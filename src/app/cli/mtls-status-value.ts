/** What each proxy does, is to do, and waits for, as `-o json` has it. */

import { compareText } from "../../core/compare-text.ts";
import type {
  PortStatus,
  ProxyPolicyStatus,
  ProxyRefusal,
  ResourceName,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { JsonValue } from "./output.ts";
import { timeText } from "./time-text.ts";

/** All of them null where no object is. */
export interface NameValue {
  readonly [key: string]: string | null;
  readonly kind: string | null;
  readonly namespace: string | null;
  readonly name: string | null;
}

export interface PortValue {
  readonly [key: string]: JsonValue;
  readonly port: number;
  readonly wanted: string | null;
  readonly inForce: string | null;
  readonly because: NameValue & { readonly rule: string };
  readonly openPlaintext: number;
  /** That holds it back, or has opened it. */
  readonly flip: number | null;
  /** Its stage is not open, or was taken back. */
  readonly heldBack: boolean;
  /** Within the look-back, of those that have ended. */
  readonly mtlsConnections: number;
  /** As of the last report. */
  readonly openMtls: number;
  readonly otherConnections: number;
  /** Of those: they were not taken. */
  readonly refusedConnections: number;
  /** Distinct sources of those. */
  readonly otherCallers: number;
  /** RFC 3339. */
  readonly permissiveUntil: string | null;
  /** As it is written, where it is no date: it counts as one that has come. */
  readonly permissiveUntilText: string | null;
  readonly owner: string | null;
}

interface WaitValue {
  readonly [key: string]: JsonValue;
  readonly step: string;
  readonly endpoint: string;
  readonly for: readonly string[];
  readonly count: number;
}

interface RefusalValue {
  readonly [key: string]: JsonValue;
  readonly detail: string;
  readonly resources: readonly string[];
  readonly objects: readonly NameValue[];
}

export interface ProxyPolicyValue {
  readonly [key: string]: JsonValue;
  readonly spiffeId: string;
  readonly proxy: string;
  readonly agent: string;
  /** NAMESPACE/NAME of its WorkloadEntry. */
  readonly workload: string | null;
  readonly state: string;
  /** Of one of which nothing is heard: away, unheard, envoy-away, pod-gone, earlier-pod; else empty. */
  readonly absence: string;
  /** Of the last two: when its certificates end; else empty. */
  readonly absenceUntil: string;
  readonly ports: readonly PortValue[];
  readonly waits: readonly WaitValue[];
  readonly refusal: RefusalValue | null;
}

export interface PolicyStatusValue {
  readonly [key: string]: JsonValue;
  readonly sequence: number;
  readonly proxies: readonly ProxyPolicyValue[];
}

export function policyStatusValue(
  sequence: number,
  proxies: readonly ProxyPolicyStatus[],
): PolicyStatusValue {
  return { sequence, proxies: proxies.map(proxyValue).toSorted(byName) };
}

function proxyValue(proxy: ProxyPolicyStatus): ProxyPolicyValue {
  const { spiffeId, proxyId, agentId, workload, state, absence, ports, held, refusal } = proxy;
  return {
    spiffeId,
    proxy: proxyId,
    agent: agentId,
    workload: workload === "" ? null : workload,
    state,
    absence,
    absenceUntil: timeText(proxy.absenceUntil),
    ports: ports.map(portValue),
    waits: held.map(({ step, endpoint, waitsFor, waitsForCount }) => ({
      step,
      endpoint,
      for: waitsFor,
      count: waitsForCount,
    })),
    refusal: refusal === undefined ? null : refusalValue(refusal),
  };
}

function portValue(status: PortStatus): PortValue {
  const { port, wanted, inForce, because, rule, draining, flip, otherCallers, owner } = status;
  const text = status.permissiveUntilText;
  return {
    port,
    wanted: wanted || null,
    inForce: inForce || null,
    because: { ...nameValue(because), rule },
    openPlaintext: draining,
    flip: Number(flip) || null,
    heldBack: status.heldBack,
    mtlsConnections: Number(status.mtlsConnections),
    openMtls: status.openMtls,
    otherConnections: Number(status.otherConnections),
    refusedConnections: Number(status.refusedConnections),
    otherCallers,
    permissiveUntil: text === "" ? timeText(status.permissiveUntil) || null : null,
    permissiveUntilText: text || null,
    owner: owner || null,
  };
}

function refusalValue({ detail, resources, objects }: ProxyRefusal): RefusalValue {
  return { detail, resources, objects: objects.map(nameValue) };
}

export function nameValue(name: ResourceName | undefined): NameValue {
  return {
    kind: name?.kind ?? null,
    namespace: name?.namespace ?? null,
    name: name?.name ?? null,
  };
}

function byName(a: ProxyPolicyValue, b: ProxyPolicyValue): number {
  return compareText(`${a.spiffeId} ${a.proxy}`, `${b.spiffeId} ${b.proxy}`);
}
