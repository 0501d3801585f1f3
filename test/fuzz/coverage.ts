/**
 * Which code has run, from V8's own precise coverage. To ask costs milliseconds, so it is asked once for many inputs, and for
 * each of them again only where something new came.
 */

import { Session, type Profiler } from "node:inspector";

export class Coverage implements Disposable {
  readonly #session = new Session();
  /** By function: 1 for each character of its text that has run. */
  readonly #seen = new Map<string, Uint8Array>();

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Characters of functions that have run, each function for itself. */
  get size(): number {
    let size = 0;
    for (const marks of this.#seen.values()) for (const mark of marks) size += mark;
    return size;
  }

  /**
   * Whether anything has run since the last call that is not known.
   *
   * @param remember whether it is known from now on
   */
  hasNew(remember: boolean): boolean {
    let isNew = false;
    for (const { url, functions } of this.#take()) {
      // Libraries count: an input of the configuration is one of YAML. What tests are made with does not.
      if (!/\/(?:src|node_modules)\//.test(url)) continue;
      for (const each of functions) isNew = this.#compare(url, each, remember) || isNew;
    }
    return isNew;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }

  #compare(url: string, { ranges }: Profiler.FunctionCoverage, remember: boolean): boolean {
    const [whole] = ranges;
    if (whole === undefined || whole.count === 0) return false;
    const { startOffset: start, endOffset: end } = whole;
    const marks = new Uint8Array(end - start);
    // A range within another comes after it, and counts for itself.
    for (const { startOffset, endOffset, count } of ranges) {
      marks.fill(Math.min(count, 1), startOffset - start, endOffset - start);
    }
    const key = `${url}:${start}-${end}`;
    const seen = this.#seen.get(key);
    if (seen === undefined) {
      if (remember) this.#seen.set(key, marks);
      return true;
    }
    let isNew = false;
    for (let at = 0; at < marks.length; at++) {
      if (marks[at] === 0 || seen[at] === 1) continue;
      isNew = true;
      if (!remember) break;
      seen[at] = 1;
    }
    return isNew;
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    // In one thread the answer comes before `post` returns.
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error;
      scripts = answer.result;
    });
    return scripts;
  }
}
