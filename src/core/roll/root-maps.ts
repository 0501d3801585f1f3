/**
 * The ConfigMaps with the roots that the server itself writes, one in each namespace, as the gate of the verifiers sees them: by one that is
 * behind a new pod, and whoever mounts it, refuses what the next authority signs.
 */

import type { GateTally } from "./gate-tally.ts";

export type RootMaps =
  /** Not all namespaces, or not all ConfigMaps of that name, have been seen yet. */
  | {
      readonly kind: "unlisted";
      /** Why they cannot be listed; "" where nothing is known. */
      readonly failure: string;
    }
  | {
      readonly kind: "listed";
      /** Of each of the ConfigMaps. */
      readonly name: string;
      /** How many have the present roots. */
      readonly current: number;
      /** Namespaces of the others. */
      readonly behind: readonly string[];
      /** Why it cannot be written, and when it is tried again; "" where nothing is known. Asked for those that are named. */
      readonly whyOf: (namespace: string) => string;
    };

/** That the API server has one does not say that it was read: such evidence is weak. */
export function countMaps(rootMaps: RootMaps, tally: GateTally): void {
  const common = { spiffeId: "", endsAtMs: undefined } as const;
  if (rootMaps.kind === "unlisted") {
    const about = "it lists the ConfigMaps with the roots";
    const lag = { kind: "server", id: "config-maps", reason: "rebuilding", about } as const;
    return tally.lag({ ...common, ...lag, why: () => rootMaps.failure });
  }
  const { name, current, behind, whyOf } = rootMaps;
  for (let count = 0; count < current; count++) tally.confirm(true);
  const about = `what ${name} says`;
  const lag = { ...common, kind: "config-map", reason: "old-bundle", about } as const;
  for (const id of behind) tally.lag({ ...lag, id, why: () => whyOf(id) });
}
