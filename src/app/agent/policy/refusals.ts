/** What one proxy has refused while it is here: it is not given again, and whoever sends it again is told so again. */

import type { PolicyNack } from "../../../core/policy/policy-report.ts";

const refusedMax = 64;
const detailLengthMax = 1_024;

export class Refusals {
  /** By digest, the oldest first. */
  readonly #all = new Map<string, PolicyNack>();

  get areNone(): boolean {
    return this.#all.size === 0;
  }

  has(digest: string): boolean {
    return this.#all.has(digest);
  }

  get(digest: string): PolicyNack | undefined {
    return this.#all.get(digest);
  }

  /** @returns what is remembered of it */
  add(nack: PolicyNack): PolicyNack {
    const { digest, detail, resources } = nack;
    const refusal = { digest, detail: detail.slice(0, detailLengthMax), resources };
    this.#all.set(digest, refusal);
    const [oldest = digest] = this.#all.keys();
    if (this.#all.size > refusedMax) this.#all.delete(oldest);
    return refusal;
  }
}

/** Of the agent itself: no Envoy has seen it, and nobody may wait for one's answer. */
export function refusalOf(digest: string, error: unknown): PolicyNack {
  const reason = error instanceof Error ? error.message : String(error);
  return { digest, detail: `the agent can do nothing with it: ${reason}`, resources: [] };
}
