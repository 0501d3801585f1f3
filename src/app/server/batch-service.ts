/**
 * `portcullis.mesh.v1` SignBatch: certificates for the workloads of a node, asked for by its agent. The agent's own
 * certificate says only that it may ask; each entry is authenticated by the token in it, answered by itself, and goes
 * through the same queue as a request that came alone.
 */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { DeniedError } from "../../core/deny/deny-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { nodeAgentName } from "../../core/roll/leaf-owners.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import { authenticatedPeer, type Peer } from "../../edge/rpc/peer.ts";
import type { CallContext } from "../../edge/telemetry/server-events.ts";
import {
  SignBatchResponseSchema,
  type SignBatchEntry,
  type SignBatchRequest,
  type SignBatchResponse,
  type SignBatchResultSchema,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { agentIdOf } from "./mesh/agent-id.ts";
import { distrustedPeer, type IsDistrusted } from "./mesh/distrust.ts";
import type { AgentNames } from "./mesh/agent-names.ts";
import { outcomeOf, type OutcomeDependencies } from "./issuance-outcome.ts";
import type { IssuanceQueue } from "./issuance-queue.ts";

export interface BatchDependencies extends OutcomeDependencies {
  readonly queue: IssuanceQueue;
  readonly isNodeAgent: (id: SpiffeId) => boolean;
  /** What an agent is called that calls itself so. */
  readonly nameOf: AgentNames["nameOf"];
  /** @throws DeniedError that the caller may read */
  readonly assertNotDenied: (identity: string, serialHex: string) => void;
  readonly isDistrusted: IsDistrusted;
  readonly authenticate: (token: string, nowMs: number) => Caller;
  readonly requestId: () => string;
  readonly deadlineMs: number;
}

type SignBatchCall = ServerUnaryCall<SignBatchRequest, SignBatchResponse>;
type Result = MessageInitShape<typeof SignBatchResultSchema>;

const entriesMax = 100;

/** The handler of `SignBatch`. */
export function signBatchHandler(
  dependencies: BatchDependencies,
): (call: SignBatchCall, reply: sendUnaryData<SignBatchResponse>) => void {
  return (call, reply) => {
    const admitted = admit(call, dependencies);
    if ("refusal" in admitted) return reply(admitted.refusal);
    const { entries } = call.request;
    const results = entries.map((): Result => ({}));
    let left = entries.length;
    for (const [index, entry] of entries.entries()) {
      submit(entry, call, admitted, dependencies, (result) => {
        results[index] = result;
        if (--left === 0) reply(null, create(SignBatchResponseSchema, { results }));
      });
    }
  };
}

interface Admitted {
  readonly peer: Peer;
  readonly agent: string;
}

interface Refused {
  readonly refusal: { readonly code: number; readonly details: string };
}

function admit(call: SignBatchCall, dependencies: BatchDependencies): Admitted | Refused {
  const { events, isNodeAgent } = dependencies;
  const refuse = (code: number, details: string, error?: unknown) => {
    events.batchRefused(call.getPeer(), details, error);
    return { refusal: { code, details } };
  };
  let peer: Peer;
  try {
    peer = authenticatedPeer(call.getAuthContext());
    if (!isNodeAgent(peer.id)) {
      return refuse(status.PERMISSION_DENIED, `${peer.id.toString()} is none of the node agents`);
    }
    assertPeer(peer, dependencies);
  } catch (error) {
    if (error instanceof DeniedError) {
      return refuse(status.PERMISSION_DENIED, error.message, error);
    }
    const details = "a node agent's certificate of this mesh is needed";
    return refuse(status.UNAUTHENTICATED, details, error);
  }
  const count = call.request.entries.length;
  if (count >= 1 && count <= entriesMax) return { peer, agent: agentOf(call, peer, dependencies) };
  return refuse(status.INVALID_ARGUMENT, `expected 1 to ${entriesMax} entries, got ${count}`);
}

/** Not what it may call itself in its own name: see `nodeAgentName`. */
function agentOf(call: SignBatchCall, peer: Peer, { nameOf }: BatchDependencies): string {
  const name = nameOf(peer, agentIdOf(call.metadata));
  return name === "" ? "" : nodeAgentName(name);
}

/** Also while an entry waits. @throws PeerError, DeniedError */
function assertPeer(peer: Peer, { isDistrusted, assertNotDenied }: BatchDependencies): void {
  if (isDistrusted(peer)) throw distrustedPeer(peer);
  assertNotDenied(peer.id.toString(), peer.serialHex);
}

function submit(
  { token, csr, validityDuration }: SignBatchEntry,
  call: SignBatchCall,
  { peer, agent }: Admitted,
  dependencies: BatchDependencies,
  settle: (result: Result) => void,
): void {
  const { queue, events, nowMs, authenticate } = dependencies;
  const startedMs = nowMs();
  const context: CallContext = {
    requestId: dependencies.requestId(),
    peer: call.getPeer(),
    startedMs,
  };
  events.csrReceived();
  queue.submit({
    requestId: context.requestId,
    address: context.peer,
    agent,
    authenticate: (now) => authenticate(token, now),
    assertPeer: () => assertPeer(peer, dependencies),
    csrPem: csr,
    requestedTtlSeconds: validityDuration,
    deadlineMs: startedMs + dependencies.deadlineMs,
    isCancelled: () => call.cancelled,
    ...outcomeOf(context, dependencies, {
      // Callers with an issuer's token come back with another one: nothing is enrolled.
      record: () => {},
      grant: (certChain, { id, expiresAtMs }) => {
        const tokenExpiresAt = timestampFromMs(expiresAtMs);
        const value = { certChain: [...certChain], spiffeId: id.toString(), tokenExpiresAt };
        settle({ result: { case: "certificate", value } });
      },
      refuse: ({ grpcCode: code, message, retryAfterMs = 0 }) => {
        const value = { code, message, retryAfterMs: BigInt(retryAfterMs) };
        settle({ result: { case: "refusal", value } });
      },
    }),
  });
}
