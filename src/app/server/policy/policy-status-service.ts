/** `portcullis.admin.v1` GetPolicyStatus: what each proxy does, is to do, and waits for. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { handleServerStreamingCall } from "@grpc/grpc-js";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ServerMode } from "../../../core/policy/server-mode.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { Applied } from "../../../core/policy/rollout-proxy.ts";
import type { HeldStep } from "../../../core/policy/rollout-waiting.ts";
import { nameKey, type ResourceRef } from "../../../core/resources/resource.ts";
import {
  GetPolicyStatusResponseSchema,
  type GetPolicyStatusRequest,
  type GetPolicyStatusResponse,
  type PortStatusSchema,
  type ProxyPolicyStatusSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { digestOfPolicy } from "./encoded-policies.ts";
import type { PolicyControl } from "./policy-control.ts";
import type { PolicyProxy } from "./policy-proxy.ts";

type ProxyStatus = MessageInitShape<typeof ProxyPolicyStatusSchema>;
type Nack = NonNullable<PolicyProxy["said"]["nack"]>;

export type PolicyStatusHandler = handleServerStreamingCall<
  GetPolicyStatusRequest,
  GetPolicyStatusResponse
>;

type StatusCall = Parameters<PolicyStatusHandler>[0];

/** Each has up to a few KiB. */
const proxiesPerMessage = 50;

/** @param sequence of the configuration */
export function policyStatusHandler(
  control: PolicyControl,
  sequence: () => number,
): PolicyStatusHandler {
  return (call) => {
    // Whoever hangs up has read enough.
    send(call, statusPages(control, sequence)).catch(() => call.end());
  };
}

function* statusPages(
  control: PolicyControl,
  sequence: () => number,
): Generator<GetPolicyStatusResponse> {
  const waiting = control.rollout.waiting();
  const all = [...control.proxies.all(), ...control.expected.values()];
  const pages = Math.max(1, Math.ceil(all.length / proxiesPerMessage));
  for (let page = 0; page < pages; page++) {
    const some = all.slice(page * proxiesPerMessage, (page + 1) * proxiesPerMessage);
    const proxies = some.map((each) =>
      "key" in each ? expectedStatus(control, each) : proxyStatus(control, each, waiting),
    );
    yield create(GetPolicyStatusResponseSchema, { sequence: BigInt(sequence()), proxies });
  }
}

/** Others have their turn after each page. */
async function send(call: StatusCall, pages: Iterable<GetPolicyStatusResponse>): Promise<void> {
  const cancelling = new AbortController();
  const { signal } = cancelling;
  call.once("cancelled", () => cancelling.abort());
  for (const page of pages) {
    if (!call.write(page)) await once(call, "drain", { signal });
    await nextTurn();
    signal.throwIfAborted();
  }
  call.end();
}

/** Nothing was heard of it since the server's start. */
function expectedStatus(control: PolicyControl, { key, nodeId }: ProxyIdentity): ProxyStatus {
  const workload = control.index.workloadOf(key);
  return {
    spiffeId: key.slice(0, key.lastIndexOf(" ")),
    proxyId: nodeId,
    workload: workload === undefined ? "" : nameKey(workload),
    state: "unknown",
    ports: portsOf(control, key, undefined, new Map()),
  };
}

function proxyStatus(
  control: PolicyControl,
  proxy: PolicyProxy,
  waiting: ReadonlyMap<string, readonly HeldStep[]>,
): ProxyStatus {
  const { identity, said, reporter, spiffeId } = proxy;
  const { key } = identity;
  const workload = control.index.workloadOf(key);
  const nack = refusalOf(control, proxy);
  return {
    spiffeId,
    proxyId: said.proxyId,
    agentId: reporter.agentId,
    workload: workload === undefined ? "" : nameKey(workload),
    state: stateOf(control, proxy),
    ports: portsOf(control, key, proxy.applied, said.draining),
    held: (waiting.get(key) ?? []).map(({ step, endpoint, waitsFor, count }) => ({
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

/** Of what it is to do now: what has come in the place of what it refused is no refusal any more, whether it has it or not. */
function refusalOf({ rollout }: PolicyControl, { identity, said }: PolicyProxy): Nack | undefined {
  const { nack } = said;
  if (nack === undefined) return undefined;
  const { policy } = rollout.next(identity.key);
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
function stateOf({ rollout }: PolicyControl, { identity, applied, said }: PolicyProxy): string {
  const stage = rollout.stage(identity.key);
  const isStrict = typeof applied === "object" && modesOf(applied, said).includes("strict");
  if (stage !== "in-force" || !isStrict || said.oldConnections === "gone") return stage;
  return said.oldConnections === "unproven" ? "draining" : "unobserved";
}

function portsOf(
  control: PolicyControl,
  key: string,
  applied: Applied,
  draining: ReadonlyMap<number, number>,
): MessageInitShape<typeof PortStatusSchema>[] {
  const has = typeof applied === "object" ? applied.inbound : [];
  const inForce = new Map(has.map(({ port, mode }) => [port, mode]));
  const wanted = control.index.desired(key)?.inbound ?? [];
  const ports = new Set([...inForce.keys(), ...wanted.map(({ port }) => port)]);
  return [...ports]
    .toSorted((a, b) => a - b)
    .map((port) => {
      const because = control.index.portDecision(key, port)?.because;
      return {
        port,
        wanted: wanted.find((each) => each.port === port)?.mode ?? "",
        inForce: inForce.get(port) ?? "",
        ...(because?.ref && { because: resourceName(because.ref) }),
        rule: because?.rule ?? "",
        draining: draining.get(port) ?? 0,
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
