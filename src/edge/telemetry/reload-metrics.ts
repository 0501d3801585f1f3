/** For alerts: that what lies on disk was refused, so that something older runs, and by which of our codes. */

import { Gauge, type Registry } from "prom-client";

interface Refusal {
  readonly part: string;
  readonly reason: string;
}

/** @param refusals read at each scrape; of `parts`, and with codes of ours: both are closed sets */
export function addReloadGauge(
  registry: Registry,
  parts: readonly string[],
  refusals: () => readonly Refusal[],
): void {
  const gauge = new Gauge({
    name: "portcullis_reload_refused",
    help: "1 while the newest configuration or CA on disk is refused, else 0",
    labelNames: ["part", "reason"],
    registers: [registry],
    collect: () => set(),
  });
  const set = (): void => {
    gauge.reset();
    for (const part of parts) {
      const refusal = refusals().find((each) => each.part === part);
      gauge.set({ part, reason: refusal?.reason ?? "" }, refusal === undefined ? 0 : 1);
    }
  };
}
