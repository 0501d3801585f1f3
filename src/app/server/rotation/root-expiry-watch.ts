/**
 * Says in the log, once each, that a root has half, a quarter and a tenth of its life left. To replace a root takes every
 * workload's help: whoever begins with it in the last month has begun too late.
 */

import { lifeLeftRatio } from "../../../core/issuance/expiry.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";

/** What is known of a root for as long as it is trusted. */
export interface WatchedRoot {
  /** The head of its SHA-256, lower-case hex. */
  readonly name: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface RootExpiryWatchOptions {
  readonly roots: () => readonly WatchedRoot[];
  readonly log: Logger;
  readonly nowMs: () => number;
}

const checkIntervalMs = 60_000;
/** Per cent of its life left, the last first. */
const marks = [10, 25, 50] as const;
const nameLength = 16;

export class RootExpiryWatch implements Disposable {
  readonly #options: RootExpiryWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** By root: the last mark that was said. */
  readonly #said = new Map<string, number>();

  constructor(options: RootExpiryWatchOptions) {
    this.#options = options;
    // Looked at on the wall clock, since a suspended machine's timers sleep with it.
    this.#timer = setInterval(() => this.check(), checkIntervalMs).unref();
    this.check();
  }

  check(): void {
    const roots = this.#options.roots();
    for (const root of roots) this.#judge(root, this.#options.nowMs());
    for (const name of this.#said.keys()) {
      if (!roots.some((root) => root.name === name)) this.#said.delete(name);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #judge(root: WatchedRoot, nowMs: number): void {
    const leftPercent = 100 * lifeLeftRatio(root, nowMs);
    const mark = marks.find((each) => leftPercent <= each);
    if (mark === undefined || mark >= (this.#said.get(root.name) ?? Infinity)) return;
    this.#said.set(root.name, mark);
    const fields = {
      event: "root-life-left",
      root: root.name,
      leftPercent: Math.floor(leftPercent),
      notAfter: new Date(root.notAfterMs).toISOString(),
      hint: "portcullis root plan",
    };
    if (mark === 50) this.#options.log.info(fields, "a root has half of its life left");
    else this.#options.log.warn(fields, "a root comes to its end: rotate it");
  }
}

/** A bundle keeps its roots' bytes. */
const known = new WeakMap<Uint8Array, WatchedRoot>();

/** @param roots DER */
export function watchedRoots(roots: readonly Uint8Array[]): readonly WatchedRoot[] {
  return roots.map((der) => {
    const root = known.get(der) ?? watchedRoot(der);
    known.set(der, root);
    return root;
  });
}

function watchedRoot(der: Uint8Array): WatchedRoot {
  const { notBeforeMs, notAfterMs } = parseCertificate(der);
  const name = rootSha256(der).slice(0, nameLength);
  return { name, notBeforeMs, notAfterMs };
}
