/**
 * The current key set of a token issuer. It is read at start, at intervals, and when a
 * token names a key that is not in it; strangers can cause the latter at will, so it is one read at
 * a time and not often. Whatever goes wrong, the last good set stays: an outage must neither lock
 * everybody out nor let anybody in, and there is no key that was not read (CVE-2026-31837).
 */

import { unlessAborted } from "../../core/unless-aborted.ts";
import type { JwksLocation } from "./jwks-document.ts";
import { assertSafeLocation, locationName, readJwksDocument } from "./jwks-document.ts";
import { JwksError, KeySet } from "./key-set.ts";

export interface JwksSourceOptions {
  readonly location: JwksLocation;
  /** Judges each set before it is used; where it throws, the last good one stays. */
  readonly accept?: (keySet: KeySet) => void;
  /** Told about each read. Must not throw. */
  readonly onEvent: (event: JwksEvent) => void;
  /** @default 300000 */
  readonly refreshIntervalMs?: number;
  /** The least time from one read to the next that an unknown key may cause. @default 5000 */
  readonly refreshGapMs?: number;
  /** @default 5000 */
  readonly readTimeoutMs?: number;
}

export type JwksEvent =
  | { readonly kind: "loaded"; readonly keySet: KeySet; readonly changed: boolean }
  /** The last good set is still in use. The error is a `JwksError`, unless we have a bug. */
  | { readonly kind: "failed"; readonly error: unknown; readonly keySetAgeMs: number };

export class JwksSource implements Disposable {
  readonly #location: JwksLocation;
  readonly #onEvent: (event: JwksEvent) => void;
  readonly #accept: (keySet: KeySet) => void;
  readonly #refreshGapMs: number;
  readonly #readTimeoutMs: number;
  readonly #closed = new AbortController();
  readonly #timer: NodeJS.Timeout;

  #document: string | undefined;
  #keySet: KeySet;
  #isCurrent: boolean;
  #loadedAtMs: number;
  #startedAtMs: number;
  #reading: Promise<boolean> | undefined;

  /**
   * Reads the key set for the first time; without one there is nothing to start with.
   *
   * @throws JwksError
   */
  static async open(options: JwksSourceOptions, signal: AbortSignal): Promise<JwksSource> {
    assertSafeLocation(options.location);
    const startedAtMs = performance.now();
    const timeout = AbortSignal.timeout(options.readTimeoutMs ?? READ_TIMEOUT_MS);
    const document = await readJwksDocument(options.location, AbortSignal.any([signal, timeout]));
    const source = new JwksSource(options, document, startedAtMs);
    options.onEvent({ kind: "loaded", keySet: source.keySet, changed: true });
    return source;
  }

  /**
   * Begins to read and waits for nothing: until the first read succeeds, there are no keys. For an
   * issuer without which the mesh must be able to start.
   *
   * @throws JwksError `jwks-location`
   */
  static openLater(options: JwksSourceOptions): JwksSource {
    assertSafeLocation(options.location);
    const source = new JwksSource(options, undefined, performance.now());
    void source.#read();
    return source;
  }

  private constructor(
    options: JwksSourceOptions,
    document: string | undefined,
    startedAtMs: number,
  ) {
    this.#location = options.location;
    this.#onEvent = options.onEvent;
    this.#accept = options.accept ?? (() => {});
    this.#refreshGapMs = options.refreshGapMs ?? REFRESH_GAP_MS;
    this.#readTimeoutMs = options.readTimeoutMs ?? READ_TIMEOUT_MS;
    this.#document = document;
    this.#keySet = document === undefined ? KeySet.NONE : this.#parse(document);
    this.#isCurrent = document !== undefined;
    this.#startedAtMs = startedAtMs;
    this.#loadedAtMs = performance.now();
    const intervalMs = options.refreshIntervalMs ?? REFRESH_INTERVAL_MS;
    this.#timer = setInterval(() => void this.#read(), intervalMs).unref();
  }

  /** The last good set. It is replaced and never changed: another object, other keys. */
  get keySet(): KeySet {
    return this.#keySet;
  }

  /** Whether the last read succeeded. If not, the issuer may have keys that are unknown here. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /**
   * Reads the key set again, together with everybody else who asks meanwhile, unless it was read a
   * moment ago. The signal ends the wait, but not the read that others wait for.
   *
   * @returns whether a good set was read, so that it is worth looking for the key again
   * @throws the reason of `signal`, and nothing else
   */
  async refresh(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const isDue = performance.now() - this.#startedAtMs >= this.#refreshGapMs;
    if (this.#reading === undefined && !isDue) return false;
    return await unlessAborted(this.#read(), signal);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#closed.abort();
  }

  #parse(document: string): KeySet {
    const keySet = parseAt(this.#location, document);
    this.#accept(keySet);
    return keySet;
  }

  #read(): Promise<boolean> {
    this.#reading ??= this.#load().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #load(): Promise<boolean> {
    const event = await this.#attempt();
    if (!this.#closed.signal.aborted) this.#onEvent(event);
    return event.kind === "loaded";
  }

  async #attempt(): Promise<JwksEvent> {
    this.#startedAtMs = performance.now();
    const timeout = AbortSignal.timeout(this.#readTimeoutMs);
    try {
      const signal = AbortSignal.any([this.#closed.signal, timeout]);
      const document = await readJwksDocument(this.#location, signal);
      const changed = document !== this.#document;
      if (changed) this.#keySet = this.#parse(document);
      this.#document = document;
      this.#isCurrent = true;
      this.#loadedAtMs = performance.now();
      return { kind: "loaded", keySet: this.#keySet, changed };
    } catch (error) {
      this.#isCurrent = false;
      const keySetAgeMs = Math.round(performance.now() - this.#loadedAtMs);
      return { kind: "failed", error, keySetAgeMs };
    }
  }
}

const REFRESH_INTERVAL_MS = 300_000;
const REFRESH_GAP_MS = 5_000;
const READ_TIMEOUT_MS = 5_000;

/** @throws JwksError that names the location */
function parseAt(location: JwksLocation, document: string): KeySet {
  try {
    return KeySet.parse(document);
  } catch (error) {
    if (!(error instanceof JwksError)) throw error;
    throw new JwksError(error.code, `${locationName(location)}: ${error.message}`);
  }
}
