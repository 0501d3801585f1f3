/** A reflector with all that it has said, for tests that wait for what it says next. */

import { EventEmitter, once } from "node:events";
import type { KubeObject } from "../../src/core/kube/kube-object.ts";
import type { ObjectCache, ObjectChange } from "../../src/core/kube/object-cache.ts";
import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { Reflector } from "../../src/edge/kube/watch/reflector.ts";
import type {
  ReflectorEvent,
  ReflectorState,
  ReflectorTimings,
  WatchedKind,
} from "../../src/edge/kube/watch/reflector-options.ts";

const timeoutMs = 30_000;
const pollMs = 20;

export function watched<T extends KubeObject>(
  connection: KubeConnection,
  kind: WatchedKind<T>,
  timings: Partial<ReflectorTimings> = {},
  aliveMs?: () => number,
): Watched<T> {
  return new Watched(connection, kind, timings, aliveMs);
}

export class Watched<T extends KubeObject> implements AsyncDisposable {
  /** As they came, each with all that one message has changed. */
  readonly batches: (readonly ObjectChange<T>[])[] = [];
  readonly events: ReflectorEvent[] = [];
  readonly #told = new EventEmitter();
  readonly #reflector: Reflector<T>;

  constructor(
    connection: KubeConnection,
    kind: WatchedKind<T>,
    timings: Partial<ReflectorTimings>,
    aliveMs?: () => number,
  ) {
    this.#reflector = new Reflector({
      connection,
      kind,
      onChanges: (changes) => {
        this.batches.push(changes);
        this.#told.emit("told");
      },
      onEvent: (event) => {
        this.events.push(event);
        this.#told.emit("told");
      },
      random: () => 0,
      nowMs: () => performance.now(),
      ...(aliveMs && { aliveMs }),
      timings,
    });
  }

  get cache(): ObjectCache<T> {
    return this.#reflector.cache;
  }

  get state(): ReflectorState {
    return this.#reflector.state;
  }

  /** Until it has said so so many times. */
  async when(kind: ReflectorEvent["kind"], times = 1): Promise<void> {
    await this.until(() => this.events.filter((event) => event.kind === kind).length >= times);
  }

  /** @param condition looked at whenever it says something, and each 20 ms for what others say */
  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    while (!condition()) {
      deadline.throwIfAborted();
      const pause = AbortSignal.any([deadline, AbortSignal.timeout(pollMs)]);
      await once(this.#told, "told", { signal: pause }).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reflector[Symbol.asyncDispose]();
  }
}
