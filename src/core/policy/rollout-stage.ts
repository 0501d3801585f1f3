/** How far a proxy is, by what it is told now. */

import type { ProxyPolicy } from "./proxy-policy.ts";
import type { HeldSending } from "./rollout-client.ts";
import { newestPolicy, type ProxyState } from "./rollout-proxy.ts";
import type { HeldPort } from "./rollout-server.ts";
import { sameValue } from "./same-value.ts";

export interface NextPolicy {
  /** Undefined: it is told nothing, since it has not said what it has, or nothing is known of what it is to do. */
  readonly policy: ProxyPolicy | undefined;
  readonly heldPorts: readonly HeldPort[];
  readonly heldSendings: readonly HeldSending[];
}

/** `unknown`: it has not said what it has; `silent`: its agent is away, and it goes on with what it had. */
export type RolloutStage = "in-force" | "pushed" | "held" | "refused" | "silent" | "unknown";

export function stageOf(state: ProxyState, next: NextPolicy): RolloutStage {
  const { policy, heldPorts, heldSendings } = next;
  const { applied, isConnected, refused } = state;
  if (applied === undefined) {
    const isRefused = policy !== undefined && sameValue(refused, policy);
    return isConnected && isRefused ? "refused" : "unknown";
  }
  if (!isConnected) return "silent";
  if (policy === undefined) return "unknown";
  if (state.sent !== undefined) return "pushed";
  const isNewest = sameValue(newestPolicy(state), policy);
  if (!isNewest && sameValue(state.refused, policy)) return "refused";
  if (!isNewest || state.pending.length > 0) return "pushed";
  return heldPorts.length + heldSendings.length > 0 ? "held" : "in-force";
}

/** It has it, or has refused it. */
export function isTold(state: ProxyState, policy: ProxyPolicy): boolean {
  return sameValue(newestPolicy(state), policy) || sameValue(state.refused, policy);
}
