/** `portcullis.admin.v1` GetPolicyStatus: what each proxy does, is to do, and waits for. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { handleServerStreamingCall } from "@grpc/grpc-js";
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
import type { PolicyProxy } from "./policy-proxies.ts";

type ProxyStatus = MessageInitShape<typeof ProxyPolicyStatusSchema>;
type Nack = NonNullable<PolicyProxy["said"]["nack"]>;

export type PolicyStatusHandler = handleServerStreamingCall<
  GetPolicyStatusRequest,
  GetPolicyStatusResponse
>;

/** Each has up to a few KiB. */
const proxiesPerMessage = 50;

/** @param sequence of the configuration */
export function policyStatusHandler(
  control: PolicyControl,
  sequence: () => number,
): PolicyStatusHandler {
  return (call) => {
    const waiting = control.rollout.waiting();
    const all = [...control.proxies.all(), ...control.expected.values()];
    const pages = Math.max(1, Math.ceil(all.length / proxiesPerMessage));
    for (let page = 0; page < pages; page++) {
      const some = all.slice(page * proxiesPerMessage, (page + 1) * proxiesPerMessage);
      const proxies = some.map((each) =>
        "key" in each ? expectedStatus(control, each) : proxyStatus(control, each, waiting),
      );
      call.write(create(GetPolicyStatusResponseSchema, { sequence: BigInt(sequence()), proxies }));
    }
    call.end();
  };
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
  const { policy } = rollout.next(identity.key);
  const { nack } = said;
  const isOver = policy !== undefined && digestOfPolicy(policy) !== nack?.digest;
  return isOver ? undefined : nack;
}

/** A change to strict is done when no connection is left from before it. */
function stateOf({ rollout }: PolicyControl, { identity, applied, said }: PolicyProxy): string {
  const stage = rollout.stage(identity.key);
  const isStrict =
    typeof applied === "object" && applied.inbound.some(({ mode }) => mode === "strict");
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
