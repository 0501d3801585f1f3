/** What happens to the ConfigMaps with the roots, one function for each event: metric and log line together. */

import { Counter, Gauge, type Registry } from "prom-client";
import { PortcullisError } from "../../core/error.ts";
import type { Logger } from "./logger.ts";

interface BundleMapCounts {
  readonly total: number;
  readonly current: number;
  readonly contested: number;
}

type BundleMapWrite = "written" | "refused" | "failed";

export class BundleMapEvents {
  readonly #log: Logger;
  readonly #writes: Counter<"result">;

  constructor(log: Logger, registry: Registry) {
    this.#log = log;
    this.#writes = new Counter({
      name: "portcullis_bundle_map_writes_total",
      help: "ConfigMaps with the roots that were made or mended, by what became of it",
      labelNames: ["result"],
      registers: [registry],
    });
  }

  written(): void {
    this.#count("written");
  }

  /** The API server will not have it, whoever asks again. @param namespaces how many, with this one */
  refused(namespace: string, error: unknown, namespaces: number): void {
    this.#count("refused");
    const fields = { event: "bundle-map-refused", namespace, namespaces, ...problemOf(error) };
    this.#log.warn(fields, "a namespace cannot have the roots in its ConfigMap");
  }

  /** Nobody can be written to: said once until it is over. */
  waiting(error: unknown, retryMs: number): void {
    this.#count("failed");
    const fields = { event: "bundle-maps-waiting", retryMs, ...problemOf(error) };
    this.#log.warn(fields, "ConfigMaps with the roots cannot be written: trying again");
  }

  recovered(): void {
    this.#log.info({ event: "bundle-maps-recovered" }, "ConfigMaps with the roots are written");
  }

  /** What there is cannot be seen, so nothing is written. */
  unseen(error: unknown, retryMs: number): void {
    const fields = { event: "bundle-maps-unseen", retryMs, ...problemOf(error) };
    this.#log.warn(fields, "ConfigMaps with the roots cannot be watched: trying again");
  }

  /** @param manager by `managedFields`; "" where nobody says. @param namespaces how many, with this one */
  contested(namespace: string, manager: string, namespaces: number): void {
    const fields = { event: "bundle-map-contested", namespace, manager, namespaces };
    this.#log.error(fields, "somebody else writes the ConfigMap with the roots, again and again");
  }

  #count(result: BundleMapWrite): void {
    this.#writes.inc({ result });
  }
}

/** @param read asked at each scrape */
export function addBundleMapGauges(registry: Registry, read: () => BundleMapCounts): void {
  const all: Gauge<"state"> = new Gauge({
    name: "portcullis_bundle_maps",
    help: "namespaces by whether their ConfigMap has the present roots; contested: somebody else writes it, too",
    labelNames: ["state"],
    registers: [registry],
    collect: () => {
      const { total, current, contested } = read();
      all.set({ state: "current" }, current);
      all.set({ state: "behind" }, total - current);
      all.set({ state: "contested" }, contested);
    },
  });
}

function problemOf(error: unknown): {
  readonly reason: string;
  readonly detail: string;
  readonly hint?: string;
} {
  if (!(error instanceof PortcullisError)) return { reason: "internal", detail: String(error) };
  const { code: reason, message: detail, hint } = error;
  return { reason, detail, ...(hint !== undefined && { hint }) };
}
