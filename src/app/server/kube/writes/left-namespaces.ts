/** Namespaces that the API server lets us write nothing into, whoever asks again: each is said once, and tried again seldom. */

import type { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { BundleMapEvents } from "../../../../edge/telemetry/bundle-map-events.ts";
import { isRound } from "./round-count.ts";

/** RBAC, a quota or an immutable ConfigMap may be put right. */
const againMs = 300_000;
const shownMax = 20;
const lasting: ReadonlySet<string> = new Set(["kube-forbidden", "kube-invalid", "kube-not-found"]);

/** Of the ConfigMap there; undefined: there is none. */
type Uid = string | undefined;

export interface LeftNamespace {
  readonly namespace: string;
  readonly reason: string;
}

/** Whether the same would be answered a moment later. */
export function isLasting({ code }: KubeError): boolean {
  return lasting.has(code);
}

interface Left {
  readonly reason: string;
  readonly uid: Uid;
  readonly untilMs: number;
}

export class LeftNamespaces {
  readonly #events: Pick<BundleMapEvents, "refused">;
  readonly #left = new Map<string, Left>();

  constructor(events: Pick<BundleMapEvents, "refused">) {
    this.#events = events;
  }

  /** @param uid what could not be written, as far as is known. @returns when it is tried again */
  leave(namespace: string, uid: Uid, error: KubeError, nowMs: number): number {
    const { message: reason } = error;
    const isNew = this.#left.get(namespace)?.reason !== reason;
    const untilMs = nowMs + againMs;
    this.#left.set(namespace, { reason, uid, untilMs });
    const { size } = this.#left;
    if (isNew && isRound(size)) this.#events.refused(namespace, error, size);
    return untilMs;
  }

  /** @param uid another one than was left is tried at once */
  waitMs(namespace: string, uid: Uid, nowMs: number): number {
    const left = this.#left.get(namespace);
    return left === undefined || left.uid !== uid ? 0 : Math.max(0, left.untilMs - nowMs);
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
