/**
 * When the configuration and the operator's CA are read again: on SIGHUP, when their files have changed, when an HSM is
 * back, and from time to time while the last reading was refused.
 */

import { join } from "node:path";
import { CA_FILE_BYTES_MAX, CA_KEY_FILES } from "../../core/ca/ca-layout.ts";
import { QuietWatch } from "./quiet-watch.ts";
import { reloadPart, type Reloadable } from "./reload-part.ts";
import { isRetried, reloadParts, type ReloadPart } from "./reload-refusals.ts";

export interface ReloadTimes {
  /** How often files are looked at. */
  readonly pollMs: number;
  /** How long they must have been quiet. */
  readonly quietMs: Readonly<Record<ReloadPart, number>>;
  /** Before what was refused is tried again. */
  readonly retryMs: number;
}

export interface ReloadOptions extends Omit<Reloadable, "controlPlane"> {
  readonly configFile: string | undefined;
  readonly times?: ReloadTimes;
}

const defaultTimes: ReloadTimes = {
  pollMs: 1_000,
  // A configuration is one file; those of a CA are copied one after the other.
  quietMs: { configuration: 1_000, ca: 3_000 },
  retryMs: 60_000,
};

export function reloadOnChange(
  controlPlane: Reloadable["controlPlane"],
  options: ReloadOptions,
): Disposable {
  return new Reloads(controlPlane, options);
}

class Reloads implements Disposable {
  readonly #reloadable: Reloadable;
  readonly #owned = new DisposableStack();
  readonly #watches = new Map<ReloadPart, QuietWatch>();
  /** What is to be read next, and whether an operator asked for it. */
  readonly #due = new Map<ReloadPart, boolean>();
  #isRunning = false;

  constructor(controlPlane: Reloadable["controlPlane"], options: ReloadOptions) {
    const { configFile, caDir, times = defaultTimes } = options;
    this.#reloadable = { ...options, controlPlane };
    if (configFile !== undefined) this.#watch("configuration", [configFile], times);
    if (caDir !== undefined) this.#watch("ca", caFiles(caDir), times);
    const onHangUp = (): void => reloadParts.forEach((part) => this.#ask(part, true));
    process.on("SIGHUP", onHangUp);
    this.#owned.defer(() => process.off("SIGHUP", onHangUp));
    const retrying = setInterval(() => this.#retry(), times.retryMs).unref();
    this.#owned.defer(() => clearInterval(retrying));
    const { reloads } = controlPlane;
    reloads.retry = () => this.#retry();
    this.#owned.defer(() => (reloads.retry = () => {}));
  }

  [Symbol.dispose](): void {
    this.#due.clear();
    this.#owned.dispose();
  }

  #watch(part: ReloadPart, paths: readonly string[], { pollMs, quietMs }: ReloadTimes): void {
    const onQuiet = (): void => this.#ask(part, false);
    const watch = new QuietWatch({ paths, pollMs, quietMs: quietMs[part], onQuiet });
    this.#watches.set(part, this.#owned.use(watch));
  }

  #retry(): void {
    for (const refusal of this.#reloadable.controlPlane.reloads.refusals.all) {
      // What is changing now is read when it is quiet.
      const isChanging = this.#watches.get(refusal.part)?.isChanging === true;
      if (isRetried(refusal) && !isChanging) this.#ask(refusal.part, false);
    }
  }

  #ask(part: ReloadPart, isAsked: boolean): void {
    this.#due.set(part, isAsked || this.#due.get(part) === true);
    if (!this.#isRunning) void this.#run();
  }

  /** One after the other, and each once however often it was asked for meanwhile. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      const part = reloadParts.find((each) => this.#due.has(each));
      if (part === undefined) break;
      const isAsked = this.#due.get(part) === true;
      this.#due.delete(part);
      // First: what changes while it is read is a change.
      await this.#watches.get(part)?.acknowledge();
      if (!this.#owned.disposed) await reloadPart(this.#reloadable, part, isAsked);
    }
    this.#isRunning = false;
  }
}

function caFiles(directory: string): readonly string[] {
  return [...CA_FILE_BYTES_MAX.keys(), ...CA_KEY_FILES].map((name) => join(directory, name));
}
