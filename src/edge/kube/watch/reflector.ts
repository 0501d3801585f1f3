/**
 * A resource of the cluster, kept as small values: a list in pages, then a watch from its resource version, for ever. Whatever goes
 * wrong, the last that was known stays, and says how old it is. What is gone is gone because a whole list or an event says so.
 */

import { currentUntilMs } from "../../../core/kube/who/effective-mode.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import type { ObjectCache, ObjectChange } from "../../../core/kube/object-cache.ts";
import { asKubeError, KubeError } from "../kube-error.ts";
import { linesOf } from "./lines.ts";
import { ListPages } from "./list-pages.ts";
import { ObjectFeed } from "./object-feed.ts";
import {
  timingsDefault,
  type ReflectorOptions,
  type ReflectorState,
  type ReflectorTimings,
} from "./reflector-options.ts";
import { pauseForRetry } from "./retry-pause.ts";
import { isQuiet } from "./quiet-watch.ts";
import { RetryPace } from "./retry-pace.ts";
import { parseWatchEvent, watchPath } from "./watch-event.ts";

/** etcd has 1.5 MiB for an object; as JSON it is larger. */
const lineBytesMax = 8 * 1_048_576;
/** A watch that ends sooner without a word is no success. */
const shortMs = 1_000;

export class Reflector<T extends KubeObject> implements AsyncDisposable {
  readonly #options: ReflectorOptions<T>;
  readonly #timings: ReflectorTimings;
  readonly #feed: ObjectFeed<T>;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;
  readonly #pace: RetryPace;
  /** From where the watch goes on; undefined: from a new list. */
  #version: string | undefined;
  #hasStood = false;
  #failure: KubeError | undefined;
  #isAbsent = false;
  #listedMs: number | undefined;
  #heardMs: number | undefined;
  #openedMs: number | undefined;
  /** When the API server last was there for this. */
  #thereMs: number;

  /** Begins at once. */
  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timings = { ...timingsDefault, ...options.timings };
    this.#feed = new ObjectFeed(options.kind);
    this.#pace = new RetryPace(this.#timings.absentMs);
    this.#thereMs = options.nowMs();
    this.#running = this.#run();
  }

  get cache(): ObjectCache<T> {
    return this.#feed.cache;
  }

  get state(): ReflectorState {
    return {
      listedMs: this.#listedMs,
      heardMs: this.#heardMs,
      openedMs: this.#openedMs,
      isAbsent: this.#isAbsent,
      failure: this.#failure,
      unreadable: this.#feed.unreadable,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      if (this.#options.nowMs() - this.#thereMs > this.#timings.awayMs) this.#version = undefined;
      try {
        this.#version ??= await this.#list();
        await this.#watch(this.#version);
      } catch (error) {
        await this.#wait(asKubeError(error, `GET ${this.#options.kind.path}`));
      }
    }
  }

  async #wait(failure: KubeError): Promise<void> {
    const { signal } = this.#closed;
    if (signal.aborted) return;
    const { random, nowMs, aliveMs, onEvent } = this.#options;
    this.#isAbsent = failure.code === "kube-not-found";
    const neverWas = this.#isAbsent && this.#listedMs === undefined;
    this.#failure = neverWas ? undefined : failure;
    if (failure.code === "kube-gone" || this.#isAbsent) this.#version = undefined;
    const retryMs = this.#pace.delayMs(failure, random());
    const hasStood = this.#hasStood;
    this.#hasStood = false;
    onEvent?.({ kind: "failed", error: failure, retryMs, hasStood });
    await pauseForRetry({ ms: retryMs, failure, nowMs, aliveMs, signal });
  }

  /** @returns from where the watch goes on */
  async #list(): Promise<string> {
    const { connection, kind, nowMs, onEvent } = this.#options;
    const beganMs = nowMs();
    const pages = new ListPages(connection, kind, this.#timings.limit);
    const changes = await this.#feed.replace(pages.read(this.#closed.signal));
    this.#listedMs = beganMs;
    this.#heardMs = beganMs;
    this.#thereMs = nowMs();
    this.#isAbsent = false;
    this.#tell(changes);
    onEvent?.({ kind: "listed", objects: this.cache.size });
    return pages.resourceVersion;
  }

  /** Until it ends as it was asked to. */
  async #watch(version: string): Promise<void> {
    const { connection, kind, nowMs, aliveMs, random, onEvent } = this.#options;
    const { idleMs, watchSeconds } = this.#timings;
    const { signal } = this.#closed;
    const seconds = Math.round(watchSeconds * (1 + random() / 5));
    const path = watchPath(kind, version, seconds);
    const untilMs = nowMs() + seconds * 1_000 + idleMs;
    const isAlive = (): boolean => isQuiet({ nowMs: nowMs(), aliveMs: aliveMs?.(), untilMs });
    const stream = await connection.open({ path, idleMs, isAlive, signal });
    const openedMs = nowMs();
    this.#openedMs = openedMs;
    this.#failure = undefined;
    onEvent?.({ kind: "watching" });
    try {
      for await (const lines of linesOf(stream, lineBytesMax)) this.#take(lines);
    } finally {
      // What was known while it was open stays known.
      this.#heardMs = currentUntilMs(this.state, aliveMs?.());
      this.#openedMs = undefined;
      this.#thereMs = nowMs();
      if (this.#thereMs - openedMs >= shortMs) this.#pace.succeeded();
      this.#hasStood = this.#thereMs - openedMs >= idleMs;
    }
    if (this.#thereMs - openedMs >= shortMs || this.#version !== version) return;
    throw new KubeError("kube-unavailable", `watch ${kind.path}: ended at once`);
  }

  #take(lines: readonly string[]): void {
    const { kind, nowMs } = this.#options;
    const events = lines.map((line) => parseWatchEvent(line, `watch ${kind.path}`));
    const changes = this.#feed.take(events);
    this.#version = events.at(-1)?.resourceVersion ?? this.#version;
    this.#heardMs = nowMs();
    this.#pace.succeeded();
    this.#tell(changes);
  }

  #tell(changes: readonly ObjectChange<T>[]): void {
    if (changes.length > 0) this.#options.onChanges(changes);
  }
}
