/** Which listeners of an agent's Envoys are to be tried: those of the policy that each has acknowledged, and at no other address. */

import { inboundName } from "../../../core/envoy/chain-stats.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ProxyEvidence } from "../../../core/roll/evidence.ts";
import { parsePolicy } from "../../../edge/rpc/policy-messages.ts";
import type { Known } from "../mesh-report.ts";
import type { PolicyState } from "../policy/fed-proxy.ts";

export interface ListenerTarget {
  readonly name: string;
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

/** One proxy. */
export interface ProxyTarget {
  readonly proxyId: string;
  /** At a node agent; undefined for the agent's own workload. */
  readonly spiffeId: string | undefined;
  readonly policyDigest: string;
  readonly listeners: readonly ListenerTarget[];
  /** Of the proxy: another one if it has gone and come. */
  readonly life: symbol;
  /** Which bundles it has acknowledged: another text if they are others. */
  readonly bundles: string;
}

/**
 * By `policyKey`. Who has not acknowledged the bundle that the agent has is passed over: he is waited for anyhow, and comes with another
 * bundle soon.
 */
export function canaryTargets(
  { evidence, heldRootsDigest }: Pick<Known, "evidence" | "heldRootsDigest">,
  proxies: ReadonlyMap<string, PolicyState>,
): Map<string, ProxyTarget> {
  const targets = new Map<string, ProxyTarget>();
  for (const [key, state] of proxies) {
    const { proxyId, spiffeId, hasListeners, applied, isUnsure } = state.proxy;
    const bundles = acknowledgedBundles(evidence.get(key));
    const isBehind = bundles.some(({ rootsDigest }) => rootsDigest !== heldRootsDigest);
    if (!hasListeners || isUnsure || applied === undefined || isBehind) continue;
    const listeners = listenersOf(state);
    if (listeners.length === 0) continue;
    targets.set(key, {
      proxyId,
      spiffeId,
      policyDigest: applied.digest,
      listeners,
      life: state.life,
      bundles: bundles.map(({ text }) => text).join(),
    });
  }
  return targets;
}

export function isSameTarget(a: ProxyTarget | undefined, b: ProxyTarget | undefined): boolean {
  return a?.policyDigest === b?.policyDigest && a?.life === b?.life && a?.bundles === b?.bundles;
}

function acknowledgedBundles(
  proxy: ProxyEvidence | undefined,
): readonly { readonly rootsDigest: string; readonly text: string }[] {
  return (proxy?.subscriptions ?? []).flatMap(({ streamId, resourceName, acked }) => {
    const { rootsDigest, bundleSequence } = acked ?? {};
    if (rootsDigest === undefined) return [];
    return [{ rootsDigest, text: `${streamId} ${resourceName} ${bundleSequence}` }];
  });
}

const parsed = new WeakMap<PolicyState, readonly ListenerTarget[]>();

/** What cannot be read is not in force: its proxy has never taken it. */
function listenersOf(state: PolicyState): readonly ListenerTarget[] {
  const known = parsed.get(state);
  if (known !== undefined) return known;
  const octets = state.proxy.applied?.octets;
  const listeners = octets === undefined ? [] : inboundListeners(parsePolicy(octets));
  parsed.set(state, listeners);
  return listeners;
}

function inboundListeners({ inbound }: ProxyPolicy): readonly ListenerTarget[] {
  return inbound.map(({ port, bind }) => ({
    name: inboundName(port),
    host: reachable(bind),
    port,
  }));
}

const loopbacks: ReadonlyMap<string, string> = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

/** All addresses are listened on: then that of this machine. */
function reachable(bind: string): string {
  return loopbacks.get(bind) ?? bind;
}
