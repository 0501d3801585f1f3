/** Who a simulated workload of the mesh is, and whose clock it has. */

import type { Random } from "../run/random.ts";

export interface PodNames {
  /** Also of its service account. */
  readonly name: string;
  readonly app: "api" | "web";
  readonly address: string;
  /** How far the clock of its host is off. */
  readonly clockMs: number;
}

export function podNames(app: PodNames["app"], at: number, random: Random): PodNames {
  const name = `${app}-${at}`;
  const address = `10.0.${app === "api" ? 0 : 1}.${at}`;
  return { name, app, address, clockMs: random.below(3_000) - 1_500 };
}
