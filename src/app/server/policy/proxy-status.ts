/** What one proxy does, is to do, and waits for, as GetPolicyStatus says it. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Absent } from "../../../core/evidence/member.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ProxyProgress } from "../../../core/policy/rollout.ts";
import type { Applied } from "../../../core/policy/rollout-proxy.ts";
import type { ServerMode } from "../../../core/policy/server-mode.ts";
import { nameKey, type ResourceRef } from "../../../core/resources/resource.ts";
import type {
  PortStatusSchema,
  ProxyPolicyStatusSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { absenceIn, unheardOf } from "../flips/proxy-absence.ts";
import type { PortColumns } from "../flips/port-columns.ts";
import { digestOfPolicy } from "./encoded-policies.ts";
import type { PolicyControl } from "./policy-control.ts";
import type { PolicyProxy } from "./policy-proxy.ts";

type ProxyStatus = MessageInitShape<typeof ProxyPolicyStatusSchema>;
type Nack = NonNullable<PolicyProxy["said"]["nack"]>;

/** Of one that the rollout does not have. */
const notThere: ProxyProgress = { policy: undefined, stage: "unknown", held: [] };

/** Nothing was heard of it since the server's start. */
export function expectedStatus(
  control: PolicyControl,
  identity: ProxyIdentity,
  columns?: PortColumns,
): ProxyStatus {
  const { key, nodeId } = identity;
  const workload = control.index.workloadOf(key);
  return {
    spiffeId: key.slice(0, key.lastIndexOf(" ")),
    proxyId: nodeId,
    workload: workload === undefined ? "" : nameKey(workload),
    state: "unknown",
    ...absenceMessage(unheardOf(control, key)),
    ports: portsOf(control, identity, { applied: undefined, draining: new Map(), columns }),
  };
}

export function proxyStatus(
  control: PolicyControl,
  proxy: PolicyProxy,
  progress: ProxyProgress = notThere,
  columns?: PortColumns,
): ProxyStatus {
  const { identity, said, reporter, spiffeId } = proxy;
  const { key } = identity;
  const workload = control.index.workloadOf(key);
  const nack = refusalOf(proxy, progress);
  return {
    spiffeId,
    proxyId: said.proxyId,
    agentId: reporter.agentId,
    workload: workload === undefined ? "" : nameKey(workload),
    state: stateOf(proxy, progress),
    ...absenceMessage(absenceIn(control, proxy)),
    ports: portsOf(control, identity, {
      applied: proxy.applied,
      draining: said.draining,
      columns,
    }),
    held: progress.held.map(({ step, endpoint, waitsFor, count }) => ({
      step,
      endpoint,
      waitsFor: waitsFor.map((each) => nameOf(control, each)),
      waitsForCount: count,
    })),
    ...(nack && {
      refusal: {
        detail: nack.detail,
        resources: [...nack.resources],
        objects: control.objectsOf(proxy).map(resourceName),
      },
    }),
  };
}

/** As flips say it, too. */
export function absenceMessage(absent: Absent | undefined): {
  readonly absence: string;
  readonly absenceUntil?: Timestamp;
} {
  const { absence = "", absentUntilMs } = absent ?? {};
  if (absentUntilMs === undefined) return { absence };
  return { absence, absenceUntil: timestampFromMs(absentUntilMs) };
}

/** Of what it is to do now: what has come in the place of what it refused is no refusal any more, whether it has it or not. */
function refusalOf({ said }: PolicyProxy, { policy }: ProxyProgress): Nack | undefined {
  const { nack } = said;
  if (nack === undefined) return undefined;
  const isOver = policy !== undefined && digestOfPolicy(policy) !== nack.digest;
  return isOver ? undefined : nack;
}

/** Of the listeners that are ours; of all ports where the proxy only asks `ext_authz`. */
function modesOf(
  { inbound, modes }: ProxyPolicy,
  { hasListeners }: PolicyProxy["said"],
): readonly ServerMode[] {
  return hasListeners ? inbound.map(({ mode }) => mode) : [modes.other, ...modes.ports.values()];
}

/** A change to strict is done when no connection is left from before it. */
function stateOf({ applied, said }: PolicyProxy, { stage }: ProxyProgress): string {
  const isStrict = typeof applied === "object" && modesOf(applied, said).includes("strict");
  if (stage !== "in-force" || !isStrict || said.oldConnections === "gone") return stage;
  return said.oldConnections === "unproven" ? "draining" : "unobserved";
}

interface PortsOf {
  readonly applied: Applied;
  readonly draining: ReadonlyMap<number, number>;
  readonly columns: PortColumns | undefined;
}

function portsOf(
  control: PolicyControl,
  identity: ProxyIdentity,
  { applied, draining, columns }: PortsOf,
): MessageInitShape<typeof PortStatusSchema>[] {
  const { key } = identity;
  const has = typeof applied === "object" ? applied.inbound : [];
  const inForce = new Map(has.map(({ port, mode }) => [port, mode]));
  const wanted = control.index.desired(key)?.inbound ?? [];
  const ports = new Set([...inForce.keys(), ...wanted.map(({ port }) => port)]);
  return [...ports]
    .toSorted((a, b) => a - b)
    .map((port) => {
      const decision = control.index.portDecision(key, port);
      const because = decision?.because;
      return {
        port,
        wanted: wanted.find((each) => each.port === port)?.mode ?? "",
        inForce: inForce.get(port) ?? "",
        ...(because?.ref && { because: resourceName(because.ref) }),
        rule: because?.rule ?? "",
        draining: draining.get(port) ?? 0,
        ...columns?.(identity, port, decision),
      };
    });
}

/** Of a proxy, for people; one that is only expected is named by its workload. */
function nameOf(control: PolicyControl, key: string): string {
  const proxy = control.proxies.get(key);
  return proxy === undefined ? key : `${proxy.spiffeId} ${proxy.said.proxyId}`;
}

function resourceName({ kind, namespace, name }: ResourceRef) {
  return { kind, namespace, name };
}
