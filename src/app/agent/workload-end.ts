/** How the streams of a node agent's workload end, in the words that Envoy logs, and which names are somebody else's. */

import { status } from "@grpc/grpc-js";
import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import type { SecretStream, StreamEnd } from "./secret-channel.ts";

export const tokenExpired: StreamEnd = {
  code: status.UNAUTHENTICATED,
  details: "token expired: come back with a fresh one",
};

const foreignNameAsked: StreamEnd = {
  code: status.PERMISSION_DENIED,
  details: "expected the workload's own names",
};

/** @param code gRPC's */
export function tokenRefused(code: number = status.UNAUTHENTICATED): StreamEnd {
  return { code, details: "the token was refused" };
}

/** Whoever asks for somebody else by name is told so, and so is the operator. */
export function refuseForeignName(
  events: AgentEvents,
  id: SpiffeId | undefined,
  { subscriber }: SecretStream,
  name: string,
): StreamEnd | undefined {
  if (id === undefined || !isForeignName(id, name)) return undefined;
  events.foreignSecretAsked(id, subscriber.node?.id ?? "", name);
  return foreignNameAsked;
}

function isForeignName(id: SpiffeId, name: string): boolean {
  const own = [id.toString(), id.trustDomain.id.toString()];
  return name.startsWith("spiffe://") && !own.includes(name);
}
