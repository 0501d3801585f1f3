/**
 * Whether everybody who checks certificates holds the present bundle. Confirmed is who has acknowledged its roots, in a
 * response that carried them, on each stream that takes a bundle; whoever was seen, or has a certificate that may be in use,
 * and has not, is waited for by name. Where an authority is to sign next, a proxy with listeners of ours shows it by a handshake, too.
 */

import { agentEndMs, isHeard, type AgentEntry } from "./agent-roll.ts";
import { GateTally } from "./gate-tally.ts";
import type { ProxyEvidence } from "./evidence.ts";
import { judgeHandshake, type HandshakeVerdict } from "./handshake-proof.ts";
import type { Gate } from "./laggard.ts";
import { agentKey } from "./leaf-owners.ts";
import { endOf } from "./leaf-record.ts";
import { isPresent, judgeProxy } from "./proxy-verdict.ts";
import { lastNotAfterMs, ownerOf, type RollEntry } from "./roll-entry.ts";
import { countMaps } from "./root-maps.ts";
import { countOwners } from "./verifier-owners.ts";
import type { Moment, VerifierView } from "./verifier-view.ts";
import { lagLost, lagMissed } from "./unnameable.ts";

const clientsClass = "workload-api";
/** Owners of certificates that nobody can name. */
const lostOwnersClass = "lost-owners";

/** @param namedMax how many laggards are named at most */
export function verifierGate(view: VerifierView, nowMs: number, namedMax: number): Gate {
  const tally = new GateTally(namedMax, view.waived);
  const skewMs = view.roll.maxSkewMs;
  const at: Moment = { view, nowMs, skewMs, tally };
  countUnknown(at);
  const agents = view.roll.agents();
  const entries = view.roll.entries();
  for (const name of view.classes) if (name !== clientsClass) countClass(at, name);
  if (hasUnobservedClients(at, agents, entries)) countClass(at, clientsClass);
  for (const agent of agents) countAgent(at, agent);
  for (const entry of entries) countProxy(at, entry);
  countOwners(at, agents);
  if (view.rootMaps !== undefined) countMaps(view.rootMaps, tally);
  return tally.gate();
}

function countUnknown({ view, nowMs, skewMs, tally }: Moment): void {
  const lag = { kind: "server", spiffeId: "", endsAtMs: undefined } as const;
  if (!view.owners.isBuilt) {
    const about = "it reads from the log who has a certificate";
    tally.lag({ ...lag, id: "rebuilding", reason: "rebuilding", about });
  }
  if (view.cutIndex === undefined) {
    const about = "the present bundle is being published";
    tally.lag({ ...lag, id: "publishing", reason: "rebuilding", about });
  }
  const missed = { tally, untilMs: view.owners.missedUntilMs, skewMs, nowMs };
  const about = "there are more owners of certificates than it can keep: it waits until those end";
  lagMissed(missed, "too-many-owners", about);
  lagLost({ tally, untilMs: view.lostUntilMs, skewMs, nowMs }, lostOwnersClass);
}

function countClass({ tally }: Moment, id: string): void {
  const about = "who reads the bundle there cannot be observed";
  const lag = { kind: "class", spiffeId: "", about, endsAtMs: undefined } as const;
  tally.lag({ ...lag, id, reason: "unobservable" });
}

/** By their agent's word; and streams that have broken off, while their agent is here and has not heard of them again. */
function hasUnobservedClients(
  { view, nowMs, skewMs }: Moment,
  agents: readonly AgentEntry[],
  entries: readonly RollEntry[],
): boolean {
  if (view.classes.includes(clientsClass)) return true;
  const isAlive = (untilMs: number): boolean => untilMs > 0 && nowMs < endOf(untilMs, skewMs);
  const hasReaders = (agent: AgentEntry): boolean =>
    agent.unobservedReaders > 0 && (agent.connected || nowMs < agentEndMs(agent, skewMs));
  return (
    agents.some((agent) => hasReaders(agent) || isAlive(agent.unobservedUntilMs)) ||
    entries.some((entry) => isLeftClient(view, entry) && isAlive(lastNotAfterMs(entry)))
  );
}

function isLeftClient({ roll }: VerifierView, { evidence, connected, reporter }: RollEntry) {
  if (connected || evidence.weak !== true) return false;
  return isHeard(roll.agent(agentKey(reporter.spiffeId, reporter.agentId)));
}

function countAgent({ view, nowMs, skewMs, tally }: Moment, agent: AgentEntry): void {
  const { reporter, connected, lastSeenMs, heldRootsDigest, heldBundleSequence } = agent;
  const { agentId: id, spiffeId } = reporter;
  const lag = { kind: "agent", id, spiffeId } as const;
  if (connected) {
    const silent = { endsAtMs: undefined, silentMs: silenceOf(view, lastSeenMs, nowMs) };
    if (heldRootsDigest === undefined) {
      const about = "a bundle of its own";
      return tally.lag({ ...lag, ...silent, reason: "not-acknowledged", about });
    }
    if (isPresent(view, heldRootsDigest, heldBundleSequence)) return tally.confirm(false);
    const about = "what it holds itself";
    return tally.lag({ ...lag, ...silent, reason: "old-bundle", about });
  }
  const owner = view.owners.get(agentKey(spiffeId, id));
  const ownerEndMs = owner === undefined ? 0 : endOf(owner.notAfterMs, skewMs);
  const endsAtMs = Math.max(agentEndMs(agent, skewMs), ownerEndMs);
  if (nowMs < endsAtMs) tally.lag({ ...lag, reason: "not-connected", about: "", endsAtMs });
}

function silenceOf({ sentMs }: VerifierView, lastSeenMs: number, nowMs: number): number {
  return sentMs !== undefined && lastSeenMs < sentMs ? nowMs - sentMs : 0;
}

/** With what its streams had that may only be down. */
function withLapsed({ evidence, lapsed }: RollEntry, nowMs: number): ProxyEvidence {
  if (lapsed.length === 0) return evidence;
  const still = lapsed.filter(({ untilMs }) => nowMs < untilMs);
  const subscriptions = [...evidence.subscriptions, ...still.map((each) => each.subscription)];
  return { ...evidence, subscriptions };
}

function handshakeOf({ handshakes }: VerifierView, entry: RollEntry): HandshakeVerdict | undefined {
  if (handshakes === undefined) return undefined;
  const { reporter, evidence } = entry;
  return judgeHandshake(handshakes, {
    reporter,
    spiffeId: ownerOf(entry),
    proxyId: evidence.proxyId,
  });
}

function countProxy({ view, nowMs, skewMs, tally }: Moment, entry: RollEntry): void {
  const { evidence, connected } = entry;
  const isWeak = evidence.weak === true;
  const kind = isWeak ? "workload-api" : "proxy";
  const lag = { kind, id: evidence.proxyId, spiffeId: ownerOf(entry) } as const;
  const notAfterMs = lastNotAfterMs(entry);
  const endsAtMs = notAfterMs === 0 ? 0 : endOf(notAfterMs, skewMs);
  if (!connected) {
    if (nowMs >= endsAtMs || isLeftClient(view, entry)) return;
    return tally.lag({ ...lag, reason: "not-connected", about: "", endsAtMs });
  }
  const verdict = judgeProxy(withLapsed(entry, nowMs), view, nowMs < endsAtMs);
  if (verdict === "none") return;
  const proof = verdict === "confirmed" && !isWeak ? handshakeOf(view, entry) : undefined;
  if (typeof proof === "object") return tally.lag({ ...lag, ...proof, endsAtMs: undefined });
  if (proof === "ack-only") tally.confirmedByWord();
  if (verdict === "confirmed") return tally.confirm(isWeak);
  const silentMs = silenceOf(view, entry.lastSeenMs, nowMs);
  tally.lag({ ...lag, ...verdict, endsAtMs: undefined, silentMs });
}
