/** The configuration at a start: what the store has, and then what the directory's files are now, and from now on. */

import { noManifests, type ParsedManifests } from "../../../../edge/resources/manifest.ts";
import { openResourceDirectory } from "../../../../edge/resources/resource-directory.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields } from "../../failure-fields.ts";
import { Resources, type ResourcesDependencies } from "./resources.ts";
import { loadedObject } from "./stored-object.ts";

export interface OpenResourcesOptions extends ResourcesDependencies {
  /** Absolute. */
  readonly resourcesDir: string | undefined;
  readonly log: Logger;
  /** Aborted when the server is told to end. */
  readonly signal: AbortSignal;
}

/** @param owned ends the watch. @throws StoreError; the reason of the signal */
export async function openResources(
  { resourcesDir, log, signal, ...dependencies }: OpenResourcesOptions,
  owned: AsyncDisposableStack,
): Promise<Resources> {
  const resources = new Resources(dependencies);
  const ending = new AbortController();
  const ends = AbortSignal.any([signal, ending.signal]);
  const follower = new DirectoryFollower(resources, log, ends);
  owned.defer(async () => {
    ending.abort();
    await follower.idle;
  });
  const onChange = (state: ParsedManifests): void => void follower.take(state);
  const held = Array.from(resources.set.layer("directory").values(), loadedObject);
  const options = { held, onChange, signal: ends };
  const isRead = resourcesDir !== undefined;
  await follower.take(isRead ? await openResourceDirectory(resourcesDir, options) : noManifests);
  return resources;
}

const retryMs = 5_000;
const problemsLoggedMax = 20;

/** Where a state cannot be recorded, the newest is tried again. */
class DirectoryFollower {
  readonly #resources: Resources;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  #newest: ParsedManifests = noManifests;
  #retry: NodeJS.Timeout | undefined;
  /** Resolves when nothing is being taken. */
  idle: Promise<void> = Promise.resolve();

  constructor(resources: Resources, log: Logger, signal: AbortSignal) {
    this.#resources = resources;
    this.#log = log;
    this.#signal = signal;
  }

  take(state: ParsedManifests): Promise<void> {
    this.#newest = state;
    clearTimeout(this.#retry);
    this.idle = this.idle.then(() => this.#takeNewest());
    return this.idle;
  }

  async #takeNewest(): Promise<void> {
    const state = this.#newest;
    const { set } = this.#resources;
    const before = set.sequence;
    try {
      await this.#resources.takeDirectory(state);
      this.#sayProblems(state);
    } catch (error) {
      const fields = { event: "resources-not-recorded", ...failureFields(error) };
      this.#log.error(fields, "the directory's objects are not in force");
      if (this.#signal.aborted) return;
      this.#retry = setTimeout(() => void this.take(this.#newest), retryMs).unref();
      return;
    }
    const { sequence } = set;
    if (sequence === before) return;
    const fields = { event: "resources-read", sequence, objects: state.objects.length };
    this.#log.info(fields, "the directory's objects are in force");
  }

  #sayProblems({ problems }: ParsedManifests): void {
    for (const { severity, code, origin, path, text, hint } of problems.slice(
      0,
      problemsLoggedMax,
    )) {
      const fields = { event: "resources-problem", code, origin, path, detail: text, hint };
      if (severity === "error") this.#log.error(fields, "something of the directory is not taken");
      else this.#log.warn(fields, "in the directory");
    }
  }
}
