/** Envoys whose certificate waits until they have answered for their trust bundles: as in `src/app/agent/leaf-hold.ts`, by the world's clock. */

import { holdMsMax, type BundleState } from "../../src/app/agent/leaf-hold.ts";
import type { Envoy } from "./envoy.ts";

interface Hold {
  /** Until a trust bundle is asked for, too: that stream may only be down. */
  needsBundle: boolean;
  readonly untilMs: number;
}

export class LeafHolds {
  readonly #holds = new Map<Envoy, Hold>();

  has(envoy: Envoy): boolean {
    return this.#holds.has(envoy);
  }

  begin(envoy: Envoy, needsBundle: boolean, nowMs: number): void {
    if (this.#holds.has(envoy)) return;
    this.#holds.set(envoy, { needsBundle, untilMs: nowMs + holdMsMax });
  }

  /** One of its streams has closed. */
  closed(envoy: Envoy): void {
    const hold = this.#holds.get(envoy);
    if (hold !== undefined) hold.needsBundle = true;
  }

  isOver(envoy: Envoy, state: BundleState, nowMs: number): boolean {
    const hold = this.#holds.get(envoy);
    if (hold === undefined) return false;
    const isSettled = state === "settled" || (state === "none" && !hold.needsBundle);
    return isSettled || nowMs >= hold.untilMs;
  }

  end(envoy: Envoy): void {
    this.#holds.delete(envoy);
  }

  clear(): void {
    this.#holds.clear();
  }

  envoys(): readonly Envoy[] {
    return [...this.#holds.keys()];
  }
}
