/**
 * Namespaces that the API server lets us write nothing into, whoever asks again: each is said once, and tried again seldom. A right that is
 * missing is mostly missing everywhere: by one namespace after the other it is noticed soon that it has come back, and then all are tried.
 */

import type { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { BundleMapEvents } from "../../../../edge/telemetry/bundle-map-events.ts";
import { isRound } from "./round-count.ts";

/** RBAC, a quota or an immutable ConfigMap may be put right. */
const againMs = 300_000;
/** Between two namespaces to which the API server says 403. */
const probeMs = 15_000;
const shownMax = 20;
const lasting: ReadonlySet<string> = new Set(["kube-forbidden", "kube-invalid", "kube-not-found"]);

/** Of the ConfigMap there; undefined: there is none. */
type Uid = string | undefined;

export interface LeftReason {
  readonly reason: string;
  /** In how long it is tried again. */
  readonly retryMs: number;
}

export interface LeftNamespace extends LeftReason {
  readonly namespace: string;
}

/** Whether the same would be answered a moment later. */
export function isLasting({ code }: KubeError): boolean {
  return lasting.has(code);
}

interface Left {
  readonly reason: string;
  readonly isForbidden: boolean;
  readonly uid: Uid;
  readonly untilMs: number;
}

export class LeftNamespaces {
  readonly #events: Pick<BundleMapEvents, "refused">;
  readonly #left = new Map<string, Left>();
  /** When the last of those to which it says 403 has its turn. */
  #lastTurnMs = Number.NEGATIVE_INFINITY;

  constructor(events: Pick<BundleMapEvents, "refused">) {
    this.#events = events;
  }

  /** @param uid what could not be written, as far as is known. @returns when it is tried again */
  leave(namespace: string, uid: Uid, error: KubeError, nowMs: number): number {
    const { message: reason } = error;
    const isForbidden = error.code === "kube-forbidden";
    const isNew = this.#left.get(namespace)?.reason !== reason;
    const untilMs = isForbidden ? this.#turn(nowMs) : nowMs + againMs;
    this.#left.set(namespace, { reason, isForbidden, uid, untilMs });
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

  /** The API server has not said 403. @returns others that are to be tried now: the right may be there again for them, too */
  allowed(namespace: string): readonly string[] {
    if (this.#left.get(namespace)?.isForbidden !== true) return [];
    this.#left.delete(namespace);
    this.#lastTurnMs = Number.NEGATIVE_INFINITY;
    const others = Array.from(this.#left).filter(([, { isForbidden }]) => isForbidden);
    for (const [name, other] of others) {
      this.#left.set(name, { ...other, untilMs: Number.NEGATIVE_INFINITY });
    }
    return others.map(([name]) => name);
  }

  find(namespace: string, nowMs: number): LeftReason | undefined {
    const left = this.#left.get(namespace);
    return left && reasonOf(left, nowMs);
  }

  some(nowMs: number): readonly LeftNamespace[] {
    const head = Array.from(this.#left).slice(0, shownMax);
    return head.map(([namespace, left]) => ({ namespace, ...reasonOf(left, nowMs) }));
  }

  /** One after the other, and none later than where nothing but time helps. */
  #turn(nowMs: number): number {
    const nextMs = Math.max(nowMs, this.#lastTurnMs) + probeMs;
    this.#lastTurnMs = Math.min(nextMs, nowMs + againMs);
    return this.#lastTurnMs;
  }
}

function reasonOf({ reason, untilMs }: Left, nowMs: number): LeftReason {
  return { reason, retryMs: Math.max(0, untilMs - nowMs) };
}
