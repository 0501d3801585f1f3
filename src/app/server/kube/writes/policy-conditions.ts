/**
 * `status.conditions` of the cluster's PeerAuthentications, kept up with what is known of them: written when they change, at most once in
 * 10 s each. What is not written now is written later as it is then.
 */

import { sameValue } from "../../../../core/policy/same-value.ts";
import { wantedConditions, type WantedCondition } from "../../../../core/kube/writes/conditions.ts";
import { nameKey, type ResourceName } from "../../../../core/resources/resource.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import { asKubeError, type KubeError } from "../../../../edge/kube/kube-error.ts";
import { RetryPace } from "../../../../edge/kube/watch/retry-pace.ts";
import { writeConditions } from "../../../../edge/kube/write/policy-status.ts";
import type { WritePace } from "../../../../edge/kube/write/write-pace.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields } from "../../failure-fields.ts";
import { isLasting } from "./left-namespaces.ts";
import type { PolicyConditionsSource } from "./policy-conditions-source.ts";
import { WorkLoop } from "./work-loop.ts";

export interface PolicyConditionsOptions {
  readonly connection: KubeConnection;
  readonly pace: WritePace;
  readonly source: PolicyConditionsSource;
  readonly log: Logger;
  /** In [0, 1) */
  readonly random: () => number;
  /** Unix */
  readonly wallMs: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Between two writes of one object. @default 10 s */
  readonly restMs?: number;
}

interface Written {
  /** Of which object. */
  readonly uid: string | undefined;
  readonly conditions: readonly WantedCondition[];
  readonly atMs: number;
}

const restDefaultMs = 10_000;
const waitingMax = 16_384;
/** What the API server will not have of one object. */
const refusedMs = 300_000;
/** What RBAC forbids, it forbids for all. */
const forbiddenMs = 60_000;
/** Somebody else writes the same object often. */
const conflictMs = 1_000;

/** They are written until `owned` ends. */
export function openPolicyConditions(
  options: PolicyConditionsOptions,
  owned: AsyncDisposableStack,
): void {
  const conditions = owned.use(new PolicyConditions(options));
  owned.use(options.source.onChange((names) => conditions.look(names)));
  conditions.look(undefined);
}

class PolicyConditions implements AsyncDisposable {
  readonly #options: PolicyConditionsOptions;
  readonly #loop: WorkLoop;
  readonly #names = new Map<string, ResourceName>();
  readonly #written = new Map<string, Written>();
  readonly #retry = new RetryPace(0);
  /** Why the last write failed; "" where it went well. */
  #failure = "";

  constructor(options: PolicyConditionsOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({
      // Whoever waits for a certificate goes first.
      inFlightMax: 1,
      waitingMax,
      nowMs: options.nowMs,
      work: async (key, signal) => this.#work(key, signal),
      onRoom: () => this.look(undefined),
    });
  }

  /** @param names undefined: all */
  look(names: readonly ResourceName[] | undefined): void {
    // Their names alone: whoever tells of them may have the whole object.
    const all = Array.from(names ?? this.#options.source.names(), ({ namespace, name }) => {
      return { namespace, name };
    });
    for (const name of all) this.#names.set(nameKey(name), name);
    this.#loop.add(all.map(nameKey));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
  }

  async #work(key: string, signal: AbortSignal): Promise<number | undefined> {
    try {
      return await this.#say(key, signal);
    } catch (error) {
      if (this.#loop.isClosed) return undefined;
      return this.#failed(asKubeError(error, `status of PeerAuthentication ${key}`), key);
    }
  }

  /** @returns when it may be said; undefined: nothing is left to say */
  async #say(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { source, nowMs, wallMs, restMs = restDefaultMs } = this.#options;
    const name = this.#names.get(key);
    const last = this.#written.get(key);
    const dueMs = (last?.atMs ?? Number.NEGATIVE_INFINITY) + restMs;
    // It will be another answer by then.
    if (dueMs > nowMs()) return dueMs;
    const facts = name && (await source.conditionsOf(name, signal));
    if (name === undefined || facts === undefined) return this.#forget(key);
    const { uid } = facts;
    const conditions = wantedConditions(facts);
    const isSaid = last?.uid === uid && sameValue(last?.conditions, conditions);
    if (last !== undefined && isSaid) return undefined;
    await writeConditions({ ...this.#options, signal }, { ...name, uid }, conditions, wallMs());
    this.#written.set(key, { uid, conditions, atMs: nowMs() });
    this.#retry.succeeded();
    this.#failure = "";
    return undefined;
  }

  #forget(key: string): undefined {
    this.#names.delete(key);
    this.#written.delete(key);
  }

  /** @returns when it is tried again */
  #failed(error: KubeError, key: string): number {
    const { log, nowMs, random } = this.#options;
    const now = nowMs();
    if (error.code === "kube-conflict") return now + conflictMs;
    if (error.code !== this.#failure) {
      const failed = { event: "policy-conditions-failed", object: key, ...failureFields(error) };
      log.warn(failed, "the status of a PeerAuthentication cannot be written: trying again");
    }
    this.#failure = error.code;
    const isOfOne = isLasting(error) && error.code !== "kube-forbidden";
    if (isOfOne) return now + refusedMs;
    const isForbidden = error.code === "kube-forbidden";
    const retryMs = isForbidden ? forbiddenMs : this.#retry.delayMs(error, random());
    this.#loop.pauseUntil(now + retryMs);
    return now + retryMs;
  }
}
