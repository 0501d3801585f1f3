/**
 * The roots in a ConfigMap of every namespace, for whoever mounts them (Istio's `istio-ca-root-cert`): made, mended when somebody edits or
 * deletes one, and brought up to date when the roots change, oldest work first. What a watch shows decides; nothing is listed for a change.
 */

import { planMap, type BundleMap } from "../../../../core/kube/writes/bundle-map.ts";
import {
  namespacesByRoots,
  viewBundleMaps,
} from "../../../../core/kube/writes/bundle-maps-view.ts";
import type { KubeNamespace } from "../../../../core/kube/namespace.ts";
import type { ObjectChange } from "../../../../core/kube/object-cache.ts";
import type { RootMaps } from "../../../../core/roll/root-maps.ts";
import { formatGoDuration } from "../../../../core/duration.ts";
import { asKubeError, type KubeError } from "../../../../edge/kube/kube-error.ts";
import { RetryPace } from "../../../../edge/kube/watch/retry-pace.ts";
import { writeBundleMap, type BundleRoots } from "./bundle-map-write.ts";
import type { BundleMapsOptions, BundleMapsState } from "./bundle-maps-options.ts";
import { LeftNamespaces, isLasting } from "./left-namespaces.ts";
import { MapContest } from "./map-contest.ts";
import { WorkLoop } from "./work-loop.ts";

/** Each waits for an answer most of its time. */
const inFlightMax = 8;
const waitingMax = 65_536;
const conflictMs = 1_000;
/** How soon it is asked again whether anything may be written. */
const heldMs = 1_000;

export class BundleMaps implements AsyncDisposable {
  readonly #options: BundleMapsOptions;
  readonly #loop: WorkLoop;
  readonly #contest: MapContest;
  readonly #left: LeftNamespaces;
  readonly #retry = new RetryPace(0);
  /** Why all of them wait. */
  #waiting: KubeError | undefined;

  constructor(options: BundleMapsOptions) {
    const { nowMs, events } = options;
    this.#options = options;
    this.#contest = new MapContest(events);
    this.#left = new LeftNamespaces(events);
    this.#loop = new WorkLoop({
      inFlightMax,
      waitingMax,
      nowMs,
      work: async (namespace, signal) => this.#work(namespace, signal),
      onRoom: () => this.lookAtAll(),
    });
  }

  /** After the first list, after a change of the roots. */
  lookAtAll(): void {
    this.#look(Array.from(this.#options.namespaces.values(), ({ name }) => name));
  }

  mapsChanged(changes: readonly ObjectChange<BundleMap>[]): void {
    this.#look(changes.map(({ before, after }) => (after ?? before)?.namespace ?? ""));
  }

  namespacesChanged(changes: readonly ObjectChange<KubeNamespace>[]): void {
    for (const { before, after } of changes) {
      const name = (after ?? before)?.name ?? "";
      this.#left.forget(name);
      if (after !== undefined) continue;
      this.#loop.forget(name);
      this.#contest.forget(name);
    }
    this.#look(changes.flatMap(({ after }) => (after === undefined ? [] : [after.name])));
  }

  state(): BundleMapsState {
    const { namespaces, roots, maps, name, nowMs } = this.#options;
    const mapOf = (namespace: string): BundleMap | undefined => maps()?.find(namespace, name);
    return {
      ...viewBundleMaps(namespaces.values(), mapOf, roots().sha256),
      failing: this.#left.some(nowMs()),
      contested: this.#contest.size(nowMs()),
      contestedBy: this.#contest.rival,
    };
  }

  /** For the gates of a rotation; undefined until all have been seen. */
  rootMaps(): RootMaps | undefined {
    const { namespaces, roots, name, nowMs } = this.#options;
    const maps = this.#options.maps();
    if (maps === undefined) return undefined;
    const now = nowMs();
    const byRoots = namespacesByRoots(
      namespaces.values(),
      (namespace) => maps.find(namespace, name),
      roots().sha256,
      (namespace) => this.#contest.isRestless(namespace, now),
    );
    return { kind: "listed", name, ...byRoots, whyOf: (namespace) => this.#whyOf(namespace, now) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
  }

  #whyOf(namespace: string, nowMs: number): string {
    if (!this.#options.mayWrite()) return "the roots of this server may be old: portcullis status";
    const left = this.#left.find(namespace, nowMs);
    if (left !== undefined) return `${left.reason}; ${nextTry(left.retryMs)}`;
    const rival = this.#contest.rivalIn(namespace, nowMs);
    if (rival !== undefined) return `${rival || "somebody else"} writes it, too, again and again`;
    if (this.#waiting === undefined) return "";
    return `${this.#waiting.message}; ${nextTry(this.#loop.pausedUntilMs - nowMs)}`;
  }

  #look(namespaces: readonly string[]): void {
    const { roots, name, namespaces: known } = this.#options;
    const maps = this.#options.maps();
    if (maps === undefined) return;
    const { sha256 } = roots();
    this.#loop.add(
      namespaces.filter(
        (each) => planMap(known.find("", each), maps.find(each, name), sha256) !== "none",
      ),
    );
  }

  async #work(namespace: string, signal: AbortSignal): Promise<number | undefined> {
    const nowMs = this.#options.nowMs();
    const wanted = this.#options.roots();
    const seen = this.#options.maps()?.find(namespace, this.#options.name);
    const waitMs = Math.max(
      this.#contest.waitMs(namespace, wanted.sha256, nowMs),
      this.#left.waitMs(namespace, seen?.uid, nowMs),
    );
    if (waitMs > 0) return nowMs + waitMs;
    if (!this.#options.mayWrite()) return this.#holdBack();
    try {
      return await this.#write(namespace, wanted, signal);
    } catch (error) {
      if (this.#loop.isClosed) return undefined;
      const failure = asKubeError(error, `ConfigMap in ${namespace}`);
      return this.#failed(namespace, seen?.uid, failure);
    }
  }

  /** @returns when it is tried again */
  async #write(
    namespace: string,
    wanted: BundleRoots,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { namespaces, name, events, nowMs } = this.#options;
    const found = namespaces.find("", namespace);
    const maps = this.#options.maps();
    if (found === undefined || maps === undefined) return undefined;
    const seen = maps.find(namespace, name);
    const written = await writeBundleMap({ ...this.#options, signal }, found, seen, wanted);
    if (written === "held") return this.#holdBack();
    const { isWritten, manager } = written;
    if (isWritten) this.#loop.add(this.#left.allowed(namespace));
    this.#left.forget(namespace);
    this.#retry.succeeded();
    if (this.#waiting !== undefined) events.recovered();
    this.#waiting = undefined;
    if (!isWritten) return undefined;
    events.written();
    this.#contest.wrote(namespace, { content: wanted.sha256, manager }, nowMs());
    return undefined;
  }

  /** All of them: what holds one back holds back the others. @returns when it is tried again */
  #holdBack(): number {
    const againMs = this.#options.nowMs() + heldMs;
    this.#loop.pauseUntil(againMs);
    return againMs;
  }

  /** @returns when it is tried again */
  #failed(namespace: string, uid: string | undefined, error: KubeError): number {
    const { events, nowMs, random } = this.#options;
    const now = nowMs();
    if (error.code === "kube-conflict") return now + conflictMs;
    // Who may write, and cannot write this one, may write the others.
    if (error.code === "kube-invalid") this.#loop.add(this.#left.allowed(namespace));
    if (isLasting(error)) return this.#left.leave(namespace, uid, error, now);
    const { pausedUntilMs } = this.#loop;
    // Of some that were under way together only the first counts.
    if (now < pausedUntilMs) return pausedUntilMs;
    const retryMs = this.#retry.delayMs(error, random());
    this.#loop.pauseUntil(now + retryMs);
    if (this.#waiting === undefined) events.waiting(error, retryMs);
    this.#waiting = error;
    return now + retryMs;
  }
}

function nextTry(afterMs: number): string {
  return `next try in ${formatGoDuration(Math.ceil(Math.max(0, afterMs) / 1_000))}`;
}
