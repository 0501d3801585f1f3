/**
 * What lies on disk and was refused, so that something older runs: a line in the log is not enough for that, since a
 * restart would meet the same refusal and would then have nothing to run on.
 */

import type { TrustState } from "../../core/trust/trust-state.ts";
import { failureFields, type FailureFields } from "./failure-fields.ts";

export const reloadParts = ["configuration", "ca"] as const;

export type ReloadPart = (typeof reloadParts)[number];

export interface ReloadRefusal extends FailureFields {
  readonly part: ReloadPart;
  /** When it was first refused for this reason, Unix milliseconds. */
  readonly sinceMs: number;
}

/** Whether it is tried again without being asked: not a PIN, since tokens lock themselves after a few wrong ones. */
export function isRetried({ reason }: Pick<ReloadRefusal, "reason">): boolean {
  return reason !== "pkcs11-pin-rejected";
}

/** Set by whoever reloads. */
export interface ReloadsHolder {
  readonly refusals: ReloadRefusals;
  /** What was refused, now. */
  retry: () => void;
}

/** What had to wait for the end of a rotation is not left until the next look. */
export function retryAfterRotation(reloads: ReloadsHolder, { authorities }: TrustState): void {
  const isWaiting = reloads.refusals.all.some(({ reason }) => reason === "rotation-in-progress");
  if (isWaiting && authorities.length === 1) reloads.retry();
}

export class ReloadRefusals {
  readonly #byPart = new Map<ReloadPart, ReloadRefusal>();

  get all(): readonly ReloadRefusal[] {
    return [...this.#byPart.values()];
  }

  /** @returns whether it was not refused for the same reason before */
  refuse(part: ReloadPart, error: unknown, nowMs: number): boolean {
    const fields = failureFields(error);
    const before = this.#byPart.get(part);
    if (before?.reason === fields.reason && before.detail === fields.detail) return false;
    this.#byPart.set(part, { ...fields, part, sinceMs: nowMs });
    return true;
  }

  /** @returns whether it was refused before */
  accept(part: ReloadPart): boolean {
    return this.#byPart.delete(part);
  }
}
