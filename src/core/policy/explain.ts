/** Why a port takes what it takes, and what becomes of a call: both sides' decisions, put beside each other. */

import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";
import { decideCalls, type CallTarget, type DecidedCall, type MeshPolicy } from "./calls.ts";
import type { ClientConflict, ClientDecision, Sent } from "./client-decision.ts";
import { becauseValue, portValue, type BecauseValue, type PortValue } from "./explain-value.ts";
import {
  verdictOf,
  worstOf,
  type DecidedSides,
  type Verdict,
  type VerdictReason,
} from "./explain-verdict.ts";
import { decidePort, type NamedWorkload } from "./holds.ts";
import type { Sending } from "./proxy-policy.ts";

/** @param port the workload's own */
export function explainPort(mesh: MeshPolicy, workload: NamedWorkload, port: number): PortValue {
  return portValue(decidePort(mesh, workload, port));
}

export type ClientValue = {
  readonly sends: Sending;
  /** Null unless mTLS is sent. */
  readonly sni: string | null;
  /** Who may answer; empty for anybody, or where no mTLS is sent. */
  readonly sans: readonly string[];
  readonly because: BecauseValue;
  readonly overrode: readonly BecauseValue[];
  readonly conflicts: readonly ClientConflict[];
};

export type EndpointValue = {
  readonly address: string;
  readonly port: number;
  /** Null for one that is written into the ServiceEntry. */
  readonly workload: { readonly namespace: string; readonly name: string } | null;
  readonly client: ClientValue;
  /** Null outside of the mesh. */
  readonly server: PortValue | null;
  readonly verdict: Verdict;
  readonly why: VerdictReason;
};

export type CallValue = {
  readonly service: { readonly namespace: string; readonly name: string };
  readonly host: string;
  readonly port: number;
  readonly subset: string;
  /** The weakest of the endpoints'. */
  readonly verdict: Verdict;
  readonly why: VerdictReason;
  readonly endpoints: readonly EndpointValue[];
};

export type CallExplanation =
  | { readonly kind: "unknown-host" }
  | { readonly kind: "unknown-port"; readonly ports: readonly number[] }
  | { readonly kind: "known"; readonly call: CallValue };

/** @param source its proxy decides what is sent; without one it is what the application says */
export function explainCall(
  mesh: MeshPolicy,
  source: WorkloadEntry,
  target: CallTarget,
): CallExplanation {
  const client = { namespace: source.ref.namespace, labels: source.labels };
  const answer = decideCalls(mesh, client, target);
  if (answer.kind !== "known") return answer;
  const { port, service, calls } = answer;
  const hasProxy = takesMeshTls(source);
  const endpoints = calls.map((each): EndpointValue => {
    const sides = sidesOf(source, each);
    const { server } = sides;
    const { ref } = sides.endpoint;
    return {
      address: each.address,
      port: each.port,
      workload: ref === undefined ? null : { namespace: ref.namespace, name: ref.name },
      client: hasProxy ? clientValue(each.client) : withoutProxy(source),
      server: server === undefined ? null : portValue(server),
      ...verdictOf(sides, port, mesh.trustDomain),
    };
  });
  const { namespace, name } = service.ref;
  const call = { service: { namespace, name }, ...target, ...worstOf(endpoints), endpoints };
  return { kind: "known", call };
}

/** Who has no proxy sends what its application says. */
export function sidesOf(
  source: WorkloadEntry,
  { endpoint, server, client }: DecidedCall,
): DecidedSides {
  const sent: Sent = takesMeshTls(source) ? client.sent : { kind: "plaintext" };
  return { sent, endpoint, server };
}

function clientValue({ sent, because, overrode, conflicts }: ClientDecision): ClientValue {
  const isMtls = sent.kind === "mtls";
  return {
    sends: sent.kind === "origination" ? "tls" : sent.kind,
    sni: isMtls ? sent.sni : null,
    sans: isMtls ? sent.sans : [],
    because: becauseValue(because),
    overrode: overrode.map(becauseValue),
    conflicts,
  };
}

function withoutProxy({ ref }: WorkloadEntry): ClientValue {
  const because = becauseValue({ ref, rule: "source-without-proxy" });
  return { sends: "plaintext", sni: null, sans: [], because, overrode: [], conflicts: [] };
}
