/**
 * What is known of each PeerAuthentication of the cluster, for its status: what is wrong with it, which proxies have confirmed what it
 * decides for them, and whether what it lets in without TLS could be ended. The last is judged as `mtls check` does, at a tenth of the
 * time at most: nobody has asked for it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type {
  PolicyFacts,
  PolicyVerdict,
  ProxyShare,
} from "../../../../core/kube/writes/conditions.ts";
import {
  isPermissive,
  madeStrict,
  verdictOf,
} from "../../../../core/kube/writes/policy-verdict.ts";
import type { PeerAuthentication } from "../../../../core/resources/peer-authentication.ts";
import { nameKey, type ResourceName } from "../../../../core/resources/resource.ts";
import type { ManifestProblem } from "../../../../edge/resources/manifest.ts";
import type { WatchedManifest } from "../../../../edge/kube/read/read-policy-objects.ts";
import type { GuardJudge } from "../guard/guard-judge.ts";
import type { PolicyConditionsSource } from "./policy-conditions-source.ts";
import type { WatchedCache } from "../watched-cache.ts";

export interface PolicyFactsOptions {
  /** Of PeerAuthentications. */
  readonly watch: WatchedCache<WatchedManifest>;
  /** The one that holds under a name, of wherever. */
  readonly inForce: (name: ResourceName) => PeerAuthentication | undefined;
  readonly problems: () => readonly ManifestProblem[];
  /** By the name of the PeerAuthentication that decides. */
  readonly shares: () => ReadonlyMap<string, ProxyShare>;
  readonly judge: Pick<GuardJudge, "judge">;
  /** Told of those that are others now in the configuration. */
  readonly onPolicies: (listener: (names: readonly ResourceName[]) => void) => Disposable;
  /** Told when proxies have come, gone or said something. */
  readonly onProxy: (listener: () => void) => Disposable;
  /** Monotonic. */
  readonly nowMs: () => number;
}

interface Overview {
  readonly atMs: number;
  readonly shares: ReadonlyMap<string, ProxyShare>;
  readonly problems: ReadonlyMap<string, readonly ManifestProblem[]>;
}

/** Each goes over all that is known. */
const overviewMs = 5_000;
const gatherMs = 10_000;
/** Evidence comes in all the time: it is looked at anew after this. */
const againMs = 60_000;

export class PolicyFactsSource implements PolicyConditionsSource {
  readonly #options: PolicyFactsOptions;
  #overview: Overview | undefined;

  constructor(options: PolicyFactsOptions) {
    this.#options = options;
  }

  names(): Iterable<ResourceName> {
    return this.#options.watch.cache.values();
  }

  /** @throws the reason of the signal */
  async conditionsOf(
    { namespace, name }: ResourceName,
    signal: AbortSignal,
  ): Promise<PolicyFacts | undefined> {
    const found = this.#options.watch.cache.find(namespace, name);
    if (found === undefined) return undefined;
    const { shares, problems } = this.#look();
    const key = nameKey(found);
    const all = [...found.problems, ...(problems.get(key) ?? [])];
    const words = (severity: ManifestProblem["severity"]): readonly string[] => [
      ...new Set(all.filter((each) => each.severity === severity).map(({ text }) => text)),
    ];
    const policy = this.#options.inForce(found);
    return {
      uid: found.uid,
      generation: found.generation,
      problems: words("error"),
      warnings: words("warning"),
      proxies: shares.get(key),
      verdict: policy && isPermissive(policy) ? await this.#verdict(policy, signal) : undefined,
    };
  }

  onChange(listener: (names: readonly ResourceName[] | undefined) => void): Disposable {
    const { watch, onPolicies, onProxy, nowMs } = this.#options;
    const stack = new DisposableStack();
    let isDue = false;
    let toldMs = nowMs();
    const due = (): void => {
      isDue = true;
    };
    stack.use(
      onPolicies((names) => {
        this.#overview = undefined;
        listener(names);
      }),
    );
    // What cannot be read is no change of the configuration.
    stack.use(watch.onChange(due));
    stack.use(onProxy(due));
    const look = (): void => {
      if (!isDue && nowMs() - toldMs < againMs) return;
      isDue = false;
      toldMs = nowMs();
      listener(undefined);
    };
    const timer = setInterval(look, gatherMs).unref();
    stack.defer(() => clearInterval(timer));
    return stack;
  }

  #look(): Overview {
    const nowMs = this.#options.nowMs();
    const known = this.#overview;
    if (known !== undefined && nowMs - known.atMs < overviewMs) return known;
    const { shares, problems } = this.#options;
    const about = problems().filter(({ ref }) => ref?.kind === "PeerAuthentication");
    const byName = Map.groupBy(about, ({ ref }) => (ref === undefined ? "" : nameKey(ref)));
    this.#overview = { atMs: nowMs, shares: shares(), problems: byName };
    return this.#overview;
  }

  async #verdict(
    before: PeerAuthentication,
    signal: AbortSignal,
  ): Promise<PolicyVerdict | undefined> {
    const { judge, nowMs } = this.#options;
    const startMs = nowMs();
    const change = { name: before.ref, before, after: madeStrict(before) };
    const { parts, cut } = await judge.judge(change, signal);
    // Others are to have nine tenths.
    await sleep((nowMs() - startMs) * 9, undefined, { signal, ref: false });
    return verdictOf(parts, cut);
  }
}
