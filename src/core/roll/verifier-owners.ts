/**
 * The owners of unexpired certificates whom the roll does not have: an agent that has not come yet, or one that speaks
 * Istio's API only, and confirms, weakly, with a certificate whose reply has brought the present bundle.
 */

import type { AgentEntry } from "./agent-roll.ts";
import { nodeAgentName, ownersPerIdentityMax } from "./leaf-owners.ts";
import { endOf } from "./leaf-record.ts";
import type { Moment } from "./verifier-view.ts";

/** @param agents those of the roll */
export function countOwners(
  { view, nowMs, skewMs, tally }: Moment,
  agents: readonly AgentEntry[],
): void {
  const nodes = new Map<string, AgentEntry[]>();
  for (const agent of agents) {
    const name = nodeAgentName(agent.reporter.agentId);
    if (agent.isNodeAgent) nodes.set(name, [...(nodes.get(name) ?? []), agent]);
  }
  const cutIndex = view.cutIndex ?? Number.POSITIVE_INFINITY;
  for (const [key, owner] of view.owners.entries()) {
    const { identity, isRest, agent, serialHex, notAfterMs, signedIndex } = owner;
    const endsAtMs = endOf(notAfterMs, skewMs);
    if (nowMs >= endsAtMs) continue;
    const lag = { spiffeId: identity, about: "", endsAtMs };
    if (isRest) {
      const about = `it has more than ${ownersPerIdentityMax} with certificates: the others are not told apart`;
      tally.lag({ ...lag, kind: "agents", id: "others", reason: "too-many", about });
      continue;
    }
    if (agent === "") {
      if (signedIndex >= cutIndex) tally.confirm(true);
      else tally.lag({ ...lag, kind: "leaf", id: serialHex, reason: "not-renewed" });
      continue;
    }
    // Counted as the agent that it is.
    if (view.roll.agent(key) !== undefined) continue;
    const heard = (nodes.get(agent) ?? []).filter(({ connected }) => connected);
    if (heard.some((each) => view.speaksFor(each, identity))) continue;
    if (heard.length > 0) {
      const about = "all that its node agent serves for it";
      tally.lag({ ...lag, kind: "agent", id: agent, reason: "not-acknowledged", about });
      continue;
    }
    const reason = nodes.has(agent) ? "not-connected" : "never-connected";
    tally.lag({ ...lag, kind: "agent", id: agent, reason });
  }
}
