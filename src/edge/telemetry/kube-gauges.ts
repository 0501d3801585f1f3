/** How a server's watches do, and what that means for tokens: computed when it is read. */

import { Gauge } from "prom-client";
import type { TokenCheck } from "../../core/kube/who/effective-mode.ts";

export interface KubeGauges {
  readonly mode: TokenCheck;
  readonly watches: readonly {
    readonly resource: string;
    readonly objects: number;
    /** Undefined: it has never been filled. */
    readonly staleMs: number | undefined;
  }[];
}

const modes: readonly TokenCheck[] = ["watched", "review", "review-always"];

/** Of no registry yet. @param read at each scrape */
export function kubeGauges(read: () => KubeGauges): readonly Gauge[] {
  const check = new Gauge<string>({
    name: "portcullis_kube_token_check",
    help: "1 for how tokens are checked now, else 0",
    labelNames: ["mode"],
    registers: [],
    collect: () => {
      const { mode } = read();
      for (const each of modes) check.set({ mode: each }, each === mode ? 1 : 0);
    },
  });
  const staleness = new Gauge<string>({
    name: "portcullis_kube_watch_staleness_seconds",
    help: "how far behind a watch is at most; no sample before its first list",
    labelNames: ["resource"],
    registers: [],
    collect: () => {
      staleness.reset();
      for (const { resource, staleMs } of read().watches) {
        if (staleMs !== undefined) staleness.set({ resource }, staleMs / 1_000);
      }
    },
  });
  const objects = new Gauge<string>({
    name: "portcullis_kube_objects",
    help: "objects that are known by a watch",
    labelNames: ["resource"],
    registers: [],
    collect: () => {
      for (const { resource, objects: count } of read().watches) objects.set({ resource }, count);
    },
  });
  return [check, staleness, objects];
}
