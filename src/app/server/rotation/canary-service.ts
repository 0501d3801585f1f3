/**
 * `portcullis.mesh.v1` SignCanary: for an agent whose stream was asked to prove handshakes, a certificate to make them with. Its own
 * certificate says that it may ask, and nothing else about what it gets.
 */

import { create } from "@bufbuild/protobuf";
import { status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { hexOf } from "../../../core/bytes.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import { refusalOf, refusalStatus, type CaRefusal } from "../../../edge/rpc/ca-status.ts";
import { authenticatedPeer, type Peer } from "../../../edge/rpc/peer.ts";
import {
  SignCanaryResponseSchema,
  type SignCanaryRequest,
  type SignCanaryResponse,
} from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { agentIdOf } from "../mesh/agent-id.ts";
import type { AgentNames } from "../mesh/agent-names.ts";
import { distrustedPeer, type IsDistrusted } from "../mesh/distrust.ts";
import type { Session } from "../mesh/mesh-session.ts";
import type { CanaryControl } from "./canary-control.ts";
import { CanaryError, type CanaryErrorCode } from "./canary-error.ts";
import type { CanaryIssuer } from "./canary-issuer.ts";
import { CanaryRates } from "./canary-rates.ts";

export interface CanaryServiceDependencies {
  readonly issuer: CanaryIssuer;
  readonly control: Pick<CanaryControl, "isAsked">;
  /** The stream that speaks for an agent. */
  readonly sessionOf: (reporter: Reporter) => Session | undefined;
  /** Whether it has told of a proxy whose listeners are ours. */
  readonly hasListeners: (session: Session) => boolean;
  readonly nameOf: AgentNames["nameOf"];
  /** @throws DeniedError that the peer may read */
  readonly assertNotDenied: (identity: string, serialHex: string) => void;
  readonly isDistrusted: IsDistrusted;
  readonly requestId: () => string;
  readonly nowMs: () => number;
}

type Call = ServerUnaryCall<SignCanaryRequest, SignCanaryResponse>;

/** The handler of `SignCanary`. */
export function signCanaryHandler(
  dependencies: CanaryServiceDependencies,
): (call: Call, reply: sendUnaryData<SignCanaryResponse>) => void {
  const rates = new CanaryRates(dependencies.nowMs);
  return (call, reply) => {
    const requestId = dependencies.requestId();
    sign(call, requestId, rates, dependencies).then(
      (certChain) => reply(null, create(SignCanaryResponseSchema, { certChain: [...certChain] })),
      (error: unknown) => reply(refusalStatus(canaryRefusal(error), requestId)),
    );
  };
}

/** @throws PeerError, DeniedError, CanaryError; as `CanaryIssuer.issue` */
async function sign(
  call: Call,
  requestId: string,
  rates: CanaryRates,
  dependencies: CanaryServiceDependencies,
): Promise<readonly string[]> {
  const { issuer, control, sessionOf, hasListeners, nameOf } = dependencies;
  const peer = authenticatedPeer(call.getAuthContext());
  const assertPeer = (): void => assertBelieved(peer, dependencies);
  assertPeer();
  const agentId = nameOf(peer, agentIdOf(call.metadata));
  const spiffeId = peer.id.toString();
  const session = sessionOf({ agentId, spiffeId });
  const rootSha256 = hexOf(call.request.rootSha256);
  if (session === undefined || !control.isAsked(session, rootSha256) || !hasListeners(session)) {
    const message = "expected an agent that was asked to prove handshakes under this root";
    throw new CanaryError("canary-not-asked", message);
  }
  const caller = { agent: agentId, peerSerialHex: peer.serialHex, address: call.getPeer() };
  const { csr: csrPem } = call.request;
  return await rates.inTurn(agentKey(spiffeId, agentId), rootSha256, () =>
    issuer.issue({ ...caller, requestId, csrPem, rootSha256, assertPeer }),
  );
}

/** @throws PeerError, DeniedError */
function assertBelieved(
  peer: Peer,
  { isDistrusted, assertNotDenied }: CanaryServiceDependencies,
): void {
  if (isDistrusted(peer)) throw distrustedPeer(peer);
  assertNotDenied(peer.id.toString(), peer.serialHex);
}

const codes: Readonly<Record<CanaryErrorCode, number>> = {
  "canary-not-asked": status.PERMISSION_DENIED,
  "canary-nothing-prepared": status.FAILED_PRECONDITION,
  "canary-too-often": status.RESOURCE_EXHAUSTED,
  "canary-key-missing": status.UNAVAILABLE,
};

function canaryRefusal(error: unknown): CaRefusal {
  if (!(error instanceof CanaryError)) return refusalOf(error);
  return { grpcCode: codes[error.code], message: error.message, metric: "ARGUMENT_ERROR" };
}
