/** Clocks of the host that an agent and its Envoys are on. */

export interface HostClocks {
  readonly nowMs: () => number;
  /** Since any time, by a clock that nobody sets; undefined where nobody sets the other one. */
  readonly monotonicMs?: (() => number) | undefined;
}

/** The same for all processes of a host since its start. */
export function hostMonotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** From one clock to the other: it rises when the wall clock is set forward. */
export function clockOffsetMs({ nowMs, monotonicMs }: HostClocks): number | undefined {
  return monotonicMs && nowMs() - monotonicMs();
}
