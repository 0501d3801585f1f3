/** Planted bugs of evidence and of what is concluded from it, which the simulator of flips must find. */

import type { Mutation } from "../mutation/mutations.ts";

const callers = "src/core/evidence/callers.ts";
const missing = "src/core/evidence/missing-evidence.ts";
const gaps = "src/core/evidence/coverage-gaps.ts";
const history = "src/core/evidence/address-history.ts";
const tally = "src/core/evidence/connection-tally.ts";
const account = "src/core/evidence/connection-account.ts";
const losses = "src/core/evidence/port-losses.ts";
const reader = "src/edge/evidence/evidence-reader.ts";

export const evidenceMutations: readonly Mutation[] = [
  {
    name: "what a stage takes away counts only where no other object says it",
    file: "src/core/flip/strict-breaks.ts",
    before: "return [...brokenCalls(view, after, target), ...strictBreaks(target, sources)];",
    after: "return [...brokenCalls(view, after, target)].filter(() => sources !== undefined);",
    seed: 320,
  },
  {
    name: "a caller that was refused is none",
    file: callers,
    before: 'if (seen.kind === "mtls" && !seen.isRefused) mtls += seen.count;',
    after: 'if (seen.kind === "mtls" || seen.isRefused) mtls += seen.count;',
    seed: 5,
  },
  {
    name: "callers without a name do not count",
    file: callers,
    before: "if (seen.lastMs < fromMs || !isAsked(ports, seen.port)) continue;",
    after:
      'if (seen.lastMs < fromMs || !isAsked(ports, seen.port) || seen.source.kind === "others") continue;',
  },
  {
    name: "what an Envoy has counted and not told does not count",
    file: missing,
    before: "const lost = asked.filter(({ lostUnmeshed }) => lostUnmeshed > 0);",
    after: "const lost = asked.filter(({ lostUnmeshed }) => lostUnmeshed > 1e9);",
    seed: 3,
  },
  {
    name: "what is missing before the newest that was told is waited for",
    file: missing,
    before: "const toMs = Math.max(wanted.toMs, Math.min(lastMs, goneMs - epochSlackMs));",
    after: "const { toMs } = wanted;",
    isLong: true,
  },
  {
    name: "open connections of nobody do not count",
    file: missing,
    before: "const open = lastOfEpochs(asked).filter(({ openUnnamed }) => openUnnamed > 0);",
    after: "const open = lastOfEpochs(asked).filter(({ openUnnamed }) => openUnnamed > 1e9);",
    seed: 4,
  },
  {
    name: "a proxy that has told nothing is not waited for",
    file: missing,
    before: "if (!isDue) return [];",
    after: "if (isDue) return [];",
    seed: 51,
  },
  {
    name: "a proxy that tells no more is not waited for",
    file: gaps,
    before: "if (coveredMs < wanted.toMs) gaps.push({ fromMs: coveredMs, toMs: wanted.toMs });",
    after: "",
    seed: 307,
  },
  {
    name: "a gap between two spans is none",
    file: gaps,
    before: "if (fromMs > coveredMs) gaps.push({ fromMs: coveredMs, toMs: fromMs });",
    after: "",
    seed: 3,
  },
  {
    name: "a caller is named by who holds its address now",
    file: history,
    before: "if (untilMs <= firstMs - skewMs || span.sinceMs > lastMs + skewMs) continue;",
    after: "if (span.untilMs !== undefined) continue; knownMs = lastMs; void untilMs;",
    seed: 6,
  },
  {
    name: "an address that several have held is the first one's",
    file: history,
    before: "if (others === undefined) return",
    after: "if (others === undefined || others.size > 0) return",
    isLong: true,
  },
  {
    name: "what there is no room for is not counted",
    file: tally,
    before: "const source = isRoom ? seen.source : others;",
    after:
      "const source = isRoom ? seen.source : others; if (!isRoom) return { ...seen, source, isWaiting: true, takenMs: 0 };",
  },
  {
    name: "an agent answers for all of an Envoy's life, whenever it came",
    file: "src/core/evidence/connection-ports.ts",
    before: "const times = { beginMs, sinceMs: isMeshed ? this.#life.sinceMs : beginMs };",
    after: "const times = { beginMs, sinceMs: this.#life.sinceMs }; void isMeshed;",
    seed: 45,
  },
  {
    name: "an Envoy that was started again goes on with its life",
    file: account,
    before: "if (!isSameLife(life, flush, isOtherStream)) return false;",
    after: "",
    seed: 43,
  },
  {
    name: "what was not told in time is not lost",
    file: losses,
    before: "if (least > ledger.lost) ledger.lose(",
    after: "if (least > 1e9) ledger.lose(",
    seed: 3,
  },
  {
    name: "what ended while there was no agent is not lost",
    file: "src/app/agent/connections/resumed-life.ts",
    before: "lostUnmeshed: now.lostUnmeshed + unmeshed,",
    after: "lostUnmeshed: now.lostUnmeshed,",
    seed: 9,
  },
  {
    name: "an agent that begins goes on with an Envoy that has begun anew",
    file: "src/app/agent/connections/resumed-life.ts",
    before: "if (Math.abs(life.epochMs - this.#epochMs) > epochSlackMs) return life;",
    after: "",
    seed: 3,
  },
  {
    name: "a report counts as often as it is sent",
    file: "src/edge/evidence/report-table.ts",
    before: "if (sequence <= lastSequence) {",
    after: "if (sequence < lastSequence) {",
  },
  {
    name: "spans are joined over a gap",
    file: "src/edge/evidence/span-table.ts",
    before: "if (sinceMs > last.untilMs) return sinceMs;",
    after: "if (sinceMs > last.untilMs) return last.sinceMs;",
  },
  {
    name: "what was lost is forgotten when spans are joined",
    file: "src/edge/evidence/span-table.ts",
    before: '" lost_unmeshed = min(lost_unmeshed + excluded.lost_unmeshed, 1000000000000)," +',
    after: '" lost_unmeshed = 0," +',
    seed: 3,
  },
  {
    name: "callers of a proxy that is gone are not asked for",
    file: reader,
    before: "AND (gone_ms IS NULL OR gone_ms >= :since) ORDER BY id",
    after: "AND gone_ms IS NULL AND :since > 0 ORDER BY id",
    seed: 6,
  },
  {
    name: "the end of a call is when it began",
    file: "src/core/evidence/named-connections.ts",
    before: "lastMs: Math.max(seen.lastMs, untilMs),",
    after: "lastMs: seen.lastMs + 0 * untilMs,",
  },
  {
    name: "a report is acknowledged before it is durable",
    file: "sim/flip/server-evidence.ts",
    before: "const agent = agentKey(reporter.spiffeId, reporter.agentId);",
    after:
      "const agent = agentKey(reporter.spiffeId, reporter.agentId); onAck({ runId, sequence, unproven: [] });",
  },
];
