/** What keeps a gate closed, whoever has confirmed: a clock that cannot be believed. */

import { formatGoDuration } from "../../../core/duration.ts";
import type { Gate, Laggard } from "../../../core/roll/laggard.ts";

const clockLag = (detail: string): Laggard => {
  return { kind: "server", name: "server/clock", spiffeId: "", reason: "clock", detail };
};

/** One that was set forward would end every certificate, and open every gate. */
export const clockJumped: Gate = {
  kind: "closed",
  laggards: [clockLag("its clock has jumped: what has expired is not known")],
  lagging: 1,
  evidence: { total: 1, confirmed: 0, weak: 0, waived: 0 },
};

/**
 * The gate as it is by the time that is proven; where the wall clock would open it further, it says that it waits for somebody
 * to confirm that clock.
 * @param aheadMs of the wall clock before what is proven; 0 within what is forgiven
 */
export function provenGate(
  gateAt: (nowMs: number) => Gate,
  { wallMs, provenMs, aheadMs }: Record<"wallMs" | "provenMs" | "aheadMs", number>,
  namedMax: number,
): Gate {
  const gate = gateAt(provenMs);
  if (gate.kind === "open" || aheadMs === 0) return gate;
  const byWall = gateAt(wallMs);
  if (byWall.kind === "closed" && byWall.lagging >= gate.lagging) return gate;
  const span = formatGoDuration(Math.floor(aheadMs / 1_000));
  const clock = clockLag(`its clock is ${span} ahead of what agents or its log have confirmed`);
  const { opensAtMs: _, evidence, ...rest } = gate;
  return {
    ...rest,
    laggards: [clock, ...gate.laggards].slice(0, Math.max(1, namedMax)),
    lagging: gate.lagging + 1,
    evidence: { ...evidence, total: evidence.total + 1 },
  };
}
