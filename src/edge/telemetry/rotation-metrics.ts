/** How long roots last, and how far a rotation of them has got. Label sets are closed: a server knows few roots. */

import { Gauge, type Registry } from "prom-client";

/** Read at each scrape. */
export interface RotationGauges {
  /** By root, named by the head of its SHA-256: from 1 to 0. */
  readonly rootLifeLeft: () => ReadonlyMap<string, number>;
  /** Who must hold the present bundle; undefined while nothing rotates. */
  readonly verifiers: () => RotationEvidence | undefined;
  /** By authority: unexpired certificates that only its root makes good; none while nothing rotates. */
  readonly holders: () => ReadonlyMap<string, number>;
}

export interface RotationEvidence {
  readonly total: number;
  readonly confirmed: number;
  readonly lagging: number;
}

export function addRotationGauges(registry: Registry, gauges: RotationGauges): void {
  const lifeLeft = "how much of its life a trusted root has left, from 1 to 0";
  addLabelled(registry, "portcullis_root_life_left_ratio", lifeLeft, "root", gauges.rootLifeLeft);
  const holders = "unexpired certificates that keep the root of an authority from going";
  addLabelled(registry, "portcullis_holders", holders, "authority", gauges.holders);
  const names = ["verifiers", "confirmed", "laggards"] as const;
  const helps = [
    "whoever must hold the present roots before a rotation goes on",
    "verifiers that were seen to hold the present roots",
    "verifiers that a rotation waits for",
  ];
  const all = names.map(
    (name, index) =>
      new Gauge({
        name: `portcullis_rotation_${name}`,
        help: helps[index] ?? "",
        registers: [registry],
        // The first of them asks for all three: a gate is judged once a scrape.
        collect: () => {
          if (name === names[0]) set();
        },
      }),
  );
  const set = (): void => {
    const evidence = gauges.verifiers();
    const values = evidence && [evidence.total, evidence.confirmed, evidence.lagging];
    for (const [index, gauge] of all.entries()) {
      const value = values?.[index];
      // Without a value there is no sample: 0 would say that all is well.
      if (value === undefined) gauge.remove();
      else gauge.set(value);
    }
  };
}

function addLabelled(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => ReadonlyMap<string, number>,
): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect: () => set(),
  });
  const set = (): void => {
    gauge.reset();
    for (const [value, number] of read()) gauge.set({ [label]: value }, number);
  };
}
