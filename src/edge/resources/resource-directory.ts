/**
 * `--resources DIR`: a directory of manifests, read and watched. Watches get lost (a mount, a directory in the place of another), and do not
 * see what is below it, so it is also looked at every few seconds. What is being written is left alone until it has been quiet.
 */

import { watch, type FSWatcher } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

import { PrivateFileError } from "../config/private-files.ts";
import {
  afterFailure,
  afterLook,
  memoryAtStart,
  type DirectoryMemory,
  type SeenFile,
} from "./directory-state.ts";
import { contentOf, failureOf, listManifests, type ManifestDirectory } from "./manifest-files.ts";
import type { LoadedObject, ParsedManifests } from "./manifest.ts";

export interface ResourceDirectoryOptions {
  /** What was read of it before the start. */
  readonly held?: readonly LoadedObject[];
  /** After the first state, whenever it is another. */
  readonly onChange: (state: ParsedManifests) => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  readonly pollMs?: number;
  /** How long nothing may have been written before it is read. */
  readonly quietMs?: number;
}

/** Never rejects but by `signal`: what is wrong, the directory itself included, is among the state's problems. */
export async function openResourceDirectory(
  path: string,
  options: ResourceDirectoryOptions,
): Promise<ParsedManifests> {
  const directory = new WatchedDirectory(path, options);
  const first = await directory.look();
  void directory.run();
  return first;
}

/** Of looks at a directory that never gets quiet. */
const looksMax = 50;

class WatchedDirectory {
  readonly #path: string;
  readonly #options: ResourceDirectoryOptions;
  readonly #pollMs: number;
  readonly #quietMs: number;
  #memory: DirectoryMemory;
  #watcher: FSWatcher | undefined;
  #watched = "";
  #wake: () => void = () => {};
  #isDue = false;

  constructor(path: string, options: ResourceDirectoryOptions) {
    this.#path = path;
    this.#options = options;
    this.#memory = memoryAtStart(options.held ?? []);
    this.#pollMs = options.pollMs ?? 3_000;
    this.#quietMs = options.quietMs ?? 200;
  }

  async run(): Promise<void> {
    const { signal, onChange } = this.#options;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted) {
      await this.#nextLook();
      const { state } = this.#memory;
      const next = signal.aborted ? state : await this.look().catch(() => state);
      if (!signal.aborted && !isDeepStrictEqual(next, state)) onChange(next);
    }
  }

  async look(): Promise<ParsedManifests> {
    try {
      const listing = await listManifests(this.#path);
      this.#watch(listing.identity);
      if (!this.#isAsRemembered(listing)) await this.#readQuiet(listing);
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (!(error instanceof PrivateFileError)) throw error;
      this.#memory = afterFailure(this.#memory, this.#path, failureOf(this.#path, error));
    }
    return this.#memory.state;
  }

  /** Two listings with nothing written between them, and one after the reading that is the same. */
  async #readQuiet(first: ManifestDirectory): Promise<void> {
    let listing = first;
    for (let looks = 0; ; looks++) {
      await sleep(this.#quietMs, undefined, { signal: this.#options.signal });
      const again = await listManifests(this.#path);
      const isQuiet = isDeepStrictEqual(again, listing) || looks >= looksMax;
      listing = again;
      if (!isQuiet) continue;
      const files = await this.#read(again);
      const after = await listManifests(this.#path);
      const hasMoved = !isDeepStrictEqual(after, again);
      listing = after;
      if (hasMoved && looks < looksMax) continue;
      const { identity } = again;
      this.#memory = afterLook(this.#memory, { path: this.#path, identity, files });
      return;
    }
  }

  async #read({ files }: ManifestDirectory): Promise<readonly SeenFile[]> {
    const seen: SeenFile[] = [];
    for (const { path, version } of files) {
      const isKnown = this.#memory.files.get(path)?.version === version;
      seen.push({ path, version, content: isKnown ? undefined : await contentOf(path) });
    }
    return seen;
  }

  /** Also false while a file, or the directory, could not be read. */
  #isAsRemembered({ identity, files }: ManifestDirectory): boolean {
    const { files: known, identity: before, state } = this.#memory;
    const isSame = files.every(({ path, version }) => known.get(path)?.version === version);
    const isWhole = state.problems.every(({ origin }) => origin !== this.#path);
    return identity === before && files.length === known.size && isSame && isWhole;
  }

  #watch(identity: string): void {
    if (this.#watched === identity) return;
    this.#watcher?.close();
    this.#watched = identity;
    const { signal } = this.#options;
    try {
      // Not recursive: what Node cannot watch below it would be thrown in an event, and end the server.
      this.#watcher = watch(this.#path, { persistent: false, signal }, () => {
        this.#isDue = true;
        this.#wake();
      });
      // The poll goes on without it.
      this.#watcher.on("error", () => (this.#watched = ""));
    } catch {
      this.#watched = "";
    }
  }

  async #nextLook(): Promise<void> {
    if (!this.#isDue) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, this.#pollMs).unref();
      await promise;
      clearTimeout(timer);
    }
    this.#isDue = false;
  }
}
