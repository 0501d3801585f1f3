/** How the trust in a Secret of the cluster does: computed when it is read. */

import { Gauge, type Registry } from "prom-client";

interface TrustSecretGauges {
  /** Unix ms; undefined while they are in step. */
  readonly behindSinceMs: number | undefined;
  /** Undefined while it lets this server sign. */
  readonly problem: object | undefined;
  readonly lease: { readonly isHeld: boolean };
}

/** @param read asked at each scrape */
export function addTrustSecretGauges(
  registry: Registry,
  read: () => TrustSecretGauges,
  nowMs: () => number,
): void {
  gauge(
    registry,
    "portcullis_trust_secret_behind_seconds",
    "for how long something is stored here that the Secret of the trust does not have; 0 while they are in step",
    () => {
      const { behindSinceMs } = read();
      return behindSinceMs === undefined ? 0 : Math.max(0, (nowMs() - behindSinceMs) / 1_000);
    },
  );
  gauge(
    registry,
    "portcullis_trust_secret_good",
    "1 while the Secret of the trust lets this server sign, else 0",
    () => Number(read().problem === undefined),
  );
  gauge(
    registry,
    "portcullis_trust_lease_held",
    "1 while this server has the Lease of the trust, else 0",
    () => Number(read().lease.isHeld),
  );
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  const one: Gauge = new Gauge({
    name,
    help,
    registers: [registry],
    collect: () => one.set(read()),
  });
}
