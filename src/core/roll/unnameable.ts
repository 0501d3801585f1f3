/** Certificates of which a gate knows nothing but when the last of them ends. */

import type { GateTally, Lag } from "./gate-tally.ts";
import { endOf } from "./leaf-record.ts";

interface Until {
  readonly tally: GateTally;
  /** When the last of them ends; 0 for none. */
  readonly untilMs: number;
  readonly skewMs: number;
  readonly nowMs: number;
}

/** There was no room for them. @param about what there is too much of */
export function lagMissed(until: Until, id: string, about: string): void {
  lagUntil(until, { kind: "server", id, spiffeId: "", reason: "too-many", about });
}

/** The log has lost them with its end, or another server has signed them. @param id of their class: another one for each gate, since who is waived for the one is not for the other */
export function lagLost(until: Until, id: string): void {
  const about = "certificates that may have been signed and do not stand in this log";
  lagUntil(until, { kind: "class", id, spiffeId: "", reason: "perhaps-signed", about });
}

function lagUntil({ tally, untilMs, skewMs, nowMs }: Until, lag: Omit<Lag, "endsAtMs">): void {
  const endsAtMs = endOf(untilMs, skewMs);
  if (untilMs > 0 && nowMs < endsAtMs) tally.lag({ ...lag, endsAtMs });
}
