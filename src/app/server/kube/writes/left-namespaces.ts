/** Namespaces that the API server lets us write nothing into, whoever asks again: each is said once, and tried again seldom. */

import type { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { BundleMapEvents } from "../../../../edge/telemetry/bundle-map-events.ts";
import { isRound } from "./round-count.ts";

/** RBAC, a quota or an immutable ConfigMap may be put right. */
const againMs = 300_000;
const shownMax = 20;
const lasting: ReadonlySet<string> = new Set(["kube-forbidden", "kube-invalid", "kube-not-found"]);

export interface LeftNamespace {
  readonly namespace: string;
  readonly reason: string;
}

/** Whether the same would be answered a moment later. */
export function isLasting({ code }: KubeError): boolean {
  return lasting.has(code);
}

export class LeftNamespaces {
  readonly #events: Pick<BundleMapEvents, "refused">;
  readonly #left = new Map<string, { readonly reason: string; readonly untilMs: number }>();

  constructor(events: Pick<BundleMapEvents, "refused">) {
    this.#events = events;
  }

  /** @returns when it is tried again */
  leave(namespace: string, error: KubeError, nowMs: number): number {
    const { message: reason } = error;
    const isNew = this.#left.get(namespace)?.reason !== reason;
    const untilMs = nowMs + againMs;
    this.#left.set(namespace, { reason, untilMs });
    const { size } = this.#left;
    if (isNew && isRound(size)) this.#events.refused(namespace, error, size);
    return untilMs;
  }

  waitMs(namespace: string, nowMs: number): number {
    return Math.max(0, (this.#left.get(namespace)?.untilMs ?? nowMs) - nowMs);
  }

  /** Something about it has changed, or it went well. */
  forget(namespace: string): void {
    this.#left.delete(namespace);
  }

  some(): readonly LeftNamespace[] {
    const head = Array.from(this.#left).slice(0, shownMax);
    return head.map(([namespace, { reason }]) => ({ namespace, reason }));
  }
}
