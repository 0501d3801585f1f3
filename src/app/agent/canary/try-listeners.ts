/** All inbound listeners of one proxy, one after the other, to the first that does not take the certificate. */

import { canaryServerName } from "../../../core/envoy/canary-chain.ts";
import type { HandshakeFailure } from "../../../core/roll/handshake-proof.ts";
import { tryHandshake, type CanaryIdentity } from "../../../edge/rpc/canary-handshake.ts";
import type { ProxyTarget } from "./canary-targets.ts";

export interface TrialMeans {
  readonly identity: CanaryIdentity;
  /** PEM, that listeners are verified by; undefined while there is none. */
  readonly roots: string | undefined;
  /** Of the agent's own workload. */
  readonly ownId: string | undefined;
  readonly signal: AbortSignal;
}

const timeoutMs = 5_000;

/** Never rejects. @returns undefined where each has taken it */
export async function tryListeners(
  { listeners, spiffeId: owner }: ProxyTarget,
  { identity, roots, ownId, signal }: TrialMeans,
): Promise<HandshakeFailure | undefined> {
  const spiffeId = owner ?? ownId;
  for (const { name: listener, host, port } of listeners) {
    if (roots === undefined || spiffeId === undefined) {
      return { listener, detail: "the agent has no certificate and no bundle now" };
    }
    const options = { serverName: canaryServerName, identity, roots, timeoutMs, signal };
    const detail = await tryHandshake({ host, port, spiffeId }, options);
    if (detail !== undefined) return { listener, detail };
  }
  return undefined;
}
