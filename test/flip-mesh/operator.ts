/** The operator: verbs of the CLI, awaited or watched while they run. */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";

/** A verb that runs. */
export class RunningVerb implements AsyncDisposable {
  readonly #ended: Promise<number>;
  readonly #stopping = new AbortController();
  out = "";
  err = "";

  constructor(argv: readonly string[]) {
    this.#ended = runCli(argv, {
      stdout: { write: (text: string) => (this.out += text) },
      stderr: { write: (text: string) => (this.err += text) },
      env: { USER: "ada" },
      signal: this.#stopping.signal,
      nowMs: Date.now,
      isTty: false,
      columns: 120,
      registry: REGISTRY,
    });
    // Whoever awaits its end hears of that.
    this.#ended.catch(() => undefined);
  }

  /** @returns its exit code */
  async ended(): Promise<number> {
    return await this.#ended;
  }

  /** As Ctrl-C. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#ended.catch(() => undefined);
  }

  /** @throws with all that it has said, where it does not say so in time, or ends before */
  async says(what: RegExp, timeoutMs = 60_000): Promise<void> {
    let hasEnded = false;
    void this.#ended.finally(() => (hasEnded = true)).catch(() => undefined);
    for (const endMs = performance.now() + timeoutMs; !what.test(this.out); await sleep(50)) {
      if (!hasEnded && performance.now() < endMs) continue;
      assert.fail(`expected ${what}, got\n${this.out}\n${this.err}`);
    }
  }
}

/** As `mtls check -o json` has it. */
export interface CheckValue {
  readonly verdict: string;
  readonly callers: readonly {
    readonly name: string;
    readonly holder: string;
    readonly kind: string;
    readonly refused: boolean;
    readonly addresses: readonly string[];
    readonly claim: string;
    readonly count: number;
  }[];
  readonly silent: readonly { readonly name: string; readonly reason: string }[];
  readonly lost: number;
  readonly mtlsConnections: number;
}

/** Name, holder and kind of each. */
export function callersOf({ callers }: CheckValue): readonly string[] {
  return callers.map(({ name, holder, kind }) => `${name} ${holder} ${kind}`).toSorted();
}

export function isSafe({ verdict }: CheckValue): boolean {
  return verdict === "safe";
}

export class Operator {
  readonly #admin: string;

  constructor(admin: string) {
    this.#admin = admin;
  }

  begin(...argv: readonly string[]): RunningVerb {
    return new RunningVerb([...argv, "--admin", this.#admin]);
  }

  async say(
    ...argv: readonly string[]
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const verb = this.begin(...argv);
    const code = await verb.ended();
    return { code, out: verb.out, err: verb.err };
  }

  /** @throws unless it exits 0 */
  async does(...argv: readonly string[]): Promise<string> {
    const { code, out, err } = await this.say(...argv);
    assert.equal(code, 0, `${argv.join(" ")}: ${out}${err}`);
    return out;
  }

  async check(
    target: string,
    ...more: readonly string[]
  ): Promise<{ readonly code: number; readonly value: CheckValue }> {
    const { code, out, err } = await this.say("mtls", "check", target, ...more, "-o", "json");
    assert.equal(err, "");
    return { code, value: JSON.parse(out) };
  }

  /** @throws with the last verdict if it does not become so in time */
  async checkUntil(
    target: string,
    isSo: (value: CheckValue) => boolean,
    timeoutMs: number,
  ): Promise<{ readonly code: number; readonly value: CheckValue }> {
    for (const endMs = performance.now() + timeoutMs; ; await sleep(500)) {
      const checked = await this.check(target);
      if (isSo(checked.value)) return checked;
      if (performance.now() < endMs) continue;
      assert.fail((await this.say("mtls", "check", target)).out);
    }
  }
}
