/**
 * The policies of the cluster, as its watch tells of them, into the configuration: what comes within a moment is one change, and there are
 * at most two in a second, so that nobody who applies by turns fills the log.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { ResourceKind } from "../../../../core/resources/resource.ts";
import type { ManifestProblem } from "../../../../edge/resources/manifest.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields } from "../../failure-fields.ts";
import { clusterStateAfter } from "../../policy/resources/cluster-state.ts";
import type { Resources } from "../../policy/resources/resources.ts";
import {
  ClusterKinds,
  type AskedKind,
  type AskedKinds,
  type WatchedPolicies,
} from "./cluster-kinds.ts";

export interface ClusterFollowerOptions {
  readonly policies: readonly WatchedPolicies[];
  readonly resources: Resources;
  readonly log: Logger;
  /** Monotonic. */
  readonly nowMs: () => number;
}

const gatherMs = 100;
const pauseMs = 500;
const retryMs = 5_000;
/** A list of nothing, and a kind that is gone, are no message. */
const lookMs = 1_000;
const problemsLoggedMax = 20;

export class ClusterFollower implements AsyncDisposable {
  readonly #options: ClusterFollowerOptions;
  readonly #kinds: ClusterKinds;
  readonly #owned = new DisposableStack();
  readonly #ending = new AbortController();
  #isDue = false;
  #running: Promise<void> | undefined;
  /** Of the kinds, when they were taken last. */
  #moment = "";
  #said = new Set<string>();

  constructor(options: ClusterFollowerOptions) {
    this.#options = options;
    this.#kinds = new ClusterKinds(options.policies, options.nowMs);
    for (const each of options.policies) this.#owned.use(each.onChange(() => this.#due()));
    const timer = setInterval(() => this.#look(), lookMs).unref();
    this.#owned.defer(() => clearInterval(timer));
  }

  /** What is known now is in force when it resolves, or cannot be recorded, which is tried again. Never rejects. */
  async takeNow(): Promise<void> {
    if (!(await this.#take()) || this.#isDue) this.#due();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#owned.dispose();
    this.#ending.abort();
    await this.#running;
  }

  #look(): void {
    if (this.#kinds.moment !== this.#moment) this.#due();
  }

  #due(): void {
    this.#isDue = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (this.#isDue && !signal.aborted) {
      await sleep(gatherMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      this.#isDue = false;
      const isTaken = await this.#take();
      if (!isTaken) this.#isDue = true;
      const waitMs = isTaken ? pauseMs : retryMs;
      await sleep(waitMs, undefined, { signal }).catch(() => {});
    }
  }

  /** @returns whether it is in force */
  async #take(): Promise<boolean> {
    const { resources, log } = this.#options;
    const before = resources.set.sequence;
    let problems: readonly ManifestProblem[] = [];
    let isWhole = true;
    try {
      const asked = await this.#ask();
      await resources.takeCluster((layer) => {
        this.#moment = this.#kinds.moment;
        const kinds = this.#kinds.seen(layer, asked);
        isWhole = kinds.every(({ stays }) => stays === undefined || stays.size === 0);
        const state = clusterStateAfter(layer, kinds);
        ({ problems } = state);
        return state;
      });
    } catch (error) {
      if (this.#ending.signal.aborted) return false;
      const fields = { event: "cluster-resources-not-recorded", ...failureFields(error) };
      log.error(fields, "what the cluster's objects say now is not in force");
      return false;
    }
    // More has gone meanwhile.
    if (!isWhole) this.#isDue = true;
    this.#sayProblems(problems);
    const { sequence } = resources.set;
    if (sequence === before) return true;
    const objects = resources.set.layer("cluster").size;
    const fields = { event: "cluster-resources-read", sequence, objects };
    log.info(fields, "the cluster's objects are in force");
    return true;
  }

  /**
   * What is gone is written down before its kind is asked about: the answer may be old when the turn comes.
   * @throws KubeError
   */
  async #ask(): Promise<AskedKinds> {
    const { set } = this.#options.resources;
    const asked = new Map<ResourceKind, AskedKind>();
    for (const [{ kind, definition }, gone] of this.#kinds.gone(set.layer("cluster"))) {
      asked.set(kind, { definition: await definition(this.#ending.signal), gone });
    }
    return asked;
  }

  /** Each once, as long as it stands. */
  #sayProblems(problems: readonly ManifestProblem[]): void {
    const now = new Set(problems.map((each) => JSON.stringify(each)));
    const isNew = (each: ManifestProblem): boolean => !this.#said.has(JSON.stringify(each));
    for (const each of problems.filter(isNew).slice(0, problemsLoggedMax)) {
      const { severity, code, ref, path, text, hint } = each;
      const fields = {
        event: "cluster-resources-problem",
        code,
        object: ref,
        path,
        detail: text,
        hint,
      };
      const { log } = this.#options;
      if (severity === "error") log.error(fields, "something of the cluster is not taken");
      else log.warn(fields, "in the cluster");
    }
    this.#said = now;
  }
}
