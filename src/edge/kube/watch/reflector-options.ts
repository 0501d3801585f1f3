/** What a reflector watches, how patient it is, and what it says of itself. */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { WatchMoments } from "../../../core/kube/who/effective-mode.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { ObjectChange } from "../../../core/kube/object-cache.ts";
import type { KubeConnection } from "../kube-connection.ts";
import type { KubeError } from "../kube-error.ts";

export interface WatchedKind<T extends KubeObject> {
  /** Of all namespaces, such as `/api/v1/pods`. */
  readonly path: string;
  /** Of those alone, such as `metadata.name=NAME`. */
  readonly fieldSelector?: string;
  /** @returns undefined for what it cannot read: the last good one stays. Keeps nothing of what it is given */
  readonly parse: (raw: JsonObject) => T | undefined;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly connection: KubeConnection;
  readonly kind: WatchedKind<T>;
  /** All that one message has changed. Must not throw. */
  readonly onChanges: (changes: readonly ObjectChange<T>[]) => void;
  /** Must not throw. */
  readonly onEvent?: (event: ReflectorEvent) => void;
  /** In [0, 1) */
  readonly random: () => number;
  /** Monotonic; counts a suspension of the machine, too. */
  readonly nowMs: () => number;
  /** When the last question began that the API server answered. By it a stream that was silent counts until it is cut. */
  readonly aliveMs?: () => number | undefined;
  readonly timings?: Partial<ReflectorTimings>;
}

export interface ReflectorTimings {
  /** A watch is asked to end after this, and a fifth of it more at most. */
  readonly watchSeconds: number;
  /** Most bookmarks come each minute. A stream that is silent for longer is cut, unless the API server is known to live by the same connection. */
  readonly idleMs: number;
  /** An API server that was away for longer may have another past (a restored etcd): it is asked for its list again. */
  readonly awayMs: number;
  /** A resource that the API server does not know is looked for again after this. */
  readonly absentMs: number;
  /** Objects of a page: of 10,000 pods, pages of 100 take 50 MiB less than pages of 500 while they are read, and no more CPU. */
  readonly limit: number;
}

export const timingsDefault: ReflectorTimings = {
  watchSeconds: 300,
  idleMs: 75_000,
  awayMs: 10_000,
  absentMs: 30_000,
  limit: 100,
};

export type ReflectorEvent =
  | { readonly kind: "listed"; readonly objects: number }
  | { readonly kind: "watching" }
  | {
      readonly kind: "failed";
      readonly error: KubeError;
      readonly retryMs: number;
      /** It ends a watch that stood as long as one may that hears nothing: no trouble, if the next one stands. */
      readonly hasStood: boolean;
    };

export interface ReflectorState extends WatchMoments {
  /** When the last list began that came whole; undefined: none has. */
  readonly listedMs: number | undefined;
  /** The API server does not know the resource. Nothing is wrong with that while it never has. */
  readonly isAbsent: boolean;
  /** Since the last success; what is known is from before it. */
  readonly failure: KubeError | undefined;
  /** Objects that could not be read, since the last list. */
  readonly unreadable: number;
}
