/**
 * The cluster's pods, Services and EndpointSlices -> what stands for them in the configuration. They change all the time: what changes
 * within a moment is one change, and costs what has changed, whatever the size of the cluster.
 */

import { asServiceEntry } from "../../../../core/kube/configuration/as-service-entry.ts";
import { asWorkloadEntry } from "../../../../core/kube/configuration/as-workload-entry.ts";
import type { EndpointSlice, KubeService } from "../../../../core/kube/kube-service.ts";
import type { Pod } from "../../../../core/kube/pod.ts";
import { MultiMap } from "../../../../core/policy/multi-map.ts";
import { sameValue } from "../../../../core/policy/same-value.ts";
import { refKey } from "../../../../core/resources/policy-object.ts";
import { nameKey, type ResourceName } from "../../../../core/resources/resource.ts";
import type { DerivedObject } from "../../../../edge/kube/read/derived-manifest.ts";
import type { ResourceSet } from "../../policy/resources/resource-set.ts";
import type { StoredObject } from "../../policy/resources/stored-object.ts";
import { derivedObject } from "./derived-object.ts";
import type { WatchedCache } from "../watched-cache.ts";

export interface DerivedCaches {
  readonly pods: Pick<WatchedCache<Pod>, "cache" | "onChange">;
  readonly services: Pick<WatchedCache<KubeService>, "cache" | "onChange">;
  readonly slices: Pick<WatchedCache<EndpointSlice>, "cache" | "onChange">;
}

export interface DerivedObjectsOptions {
  readonly caches: DerivedCaches;
  readonly set: Pick<ResourceSet, "derive">;
  /** Such as `cluster.local`. */
  readonly clusterDomain: string;
}

type Names = Map<string, ResourceName>;

/** A deployment that is rolled out is many messages. */
const gatherMs = 50;

export class DerivedObjects implements Disposable {
  readonly #options: DerivedObjectsOptions;
  readonly #following = new DisposableStack();
  /** By name of the service. */
  readonly #slices = new MultiMap<string, EndpointSlice>();
  readonly #made = new Map<string, DerivedObject>();
  /** By name of the pod: services into which its labels are written. */
  readonly #writtenInto = new MultiMap<string, ResourceName>();
  /** By name of the service: the names of its pods, where they are written into it. */
  readonly #writtenPods = new Map<string, readonly string[]>();
  readonly #pods: Names = new Map();
  readonly #services: Names = new Map();
  #timer: NodeJS.Timeout | undefined;

  /** With all that is known at once. */
  constructor(options: DerivedObjectsOptions) {
    this.#options = options;
    const { pods, services, slices } = options.caches;
    for (const each of slices.cache.values()) this.#slices.add(serviceOf(each).key, each);
    for (const each of pods.cache.values()) this.#pods.set(nameKey(each), each);
    for (const each of services.cache.values()) this.#services.set(nameKey(each), each);
    this.#follow(pods, (changed) => this.#pods.set(nameKey(changed), changed));
    this.#follow(services, (changed) => this.#services.set(nameKey(changed), changed));
    this.#following.use(
      slices.onChange((changes) => {
        for (const { before, after } of changes) this.#sliceChanged(before, after);
        this.#soon();
      }),
    );
    this.#following.defer(() => clearTimeout(this.#timer));
    this.flush();
  }

  /** All that has changed is in force. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const put: StoredObject[] = [];
    const remove: string[] = [];
    const take = (key: string, now: DerivedObject | undefined): void => {
      const before = this.#made.get(key);
      if (now === undefined) {
        if (this.#made.delete(key)) remove.push(key);
      } else if (before === undefined || !sameValue(before.object, now.object)) {
        this.#made.set(key, now);
        put.push(derivedObject(now));
      }
    };
    for (const [key, name] of this.#pods) {
      take(refKey({ kind: "WorkloadEntry", ...nameOf(name) }), this.#workloadOf(name));
      for (const service of this.#writtenInto.of(key))
        this.#services.set(nameKey(service), service);
    }
    for (const name of this.#services.values()) {
      const host = `${name.name}.${name.namespace}.svc.${this.#options.clusterDomain}`;
      const ref = { kind: "ServiceEntry", namespace: name.namespace, name: host } as const;
      take(refKey(ref), this.#serviceOf(name));
    }
    this.#pods.clear();
    this.#services.clear();
    if (put.length + remove.length > 0) this.#options.set.derive(put, remove);
  }

  [Symbol.dispose](): void {
    this.#following.dispose();
  }

  #follow<T extends Pod | KubeService>(
    watch: Pick<WatchedCache<T>, "onChange">,
    mark: (changed: T) => void,
  ): void {
    this.#following.use(
      watch.onChange((changes) => {
        for (const { before, after } of changes) {
          const changed = after ?? before;
          if (changed !== undefined) mark(changed);
        }
        this.#soon();
      }),
    );
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => this.flush(), gatherMs).unref();
  }

  #sliceChanged(before: EndpointSlice | undefined, after: EndpointSlice | undefined): void {
    if (before !== undefined) this.#slices.delete(serviceOf(before).key, before);
    if (after !== undefined) this.#slices.add(serviceOf(after).key, after);
    for (const each of [before, after]) {
      if (each === undefined) continue;
      const { key, name } = serviceOf(each);
      this.#services.set(key, name);
    }
  }

  #workloadOf({ namespace, name }: ResourceName): DerivedObject | undefined {
    const pod = this.#options.caches.pods.cache.find(namespace, name);
    const object = pod && asWorkloadEntry(pod);
    return object && { kind: "WorkloadEntry", object };
  }

  #serviceOf({ namespace, name }: ResourceName): DerivedObject | undefined {
    const { caches, clusterDomain } = this.#options;
    const key = nameKey({ namespace, name });
    for (const pod of this.#writtenPods.get(key) ?? []) this.#unwrite(pod, key);
    this.#writtenPods.delete(key);
    const service = caches.services.cache.find(namespace, name);
    if (service === undefined) return undefined;
    const slices = [...this.#slices.of(key)];
    const pods = new Set<string>();
    const podNamed = (pod: string): Pod | undefined => {
      pods.add(nameKey({ namespace, name: pod }));
      return caches.pods.cache.find(namespace, pod);
    };
    const object = asServiceEntry(service, slices, { clusterDomain, podNamed });
    if (pods.size > 0) this.#writtenPods.set(key, [...pods]);
    for (const pod of pods) this.#writtenInto.add(pod, { namespace, name });
    return { kind: "ServiceEntry", object };
  }

  #unwrite(pod: string, service: string): void {
    for (const each of this.#writtenInto.of(pod)) {
      if (nameKey(each) === service) this.#writtenInto.delete(pod, each);
    }
  }
}

function serviceOf({ namespace, serviceName: name }: EndpointSlice) {
  const named: ResourceName = { namespace, name };
  return { key: nameKey(named), name: named };
}

function nameOf({ namespace, name }: ResourceName): ResourceName {
  return { namespace, name };
}
