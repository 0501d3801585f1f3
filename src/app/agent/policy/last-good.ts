/** The last good policy of one proxy, and what a later life of the agent would begin with: the one on the disk. */

import type { ReceivedPolicy } from "./kept-policy.ts";

export interface LastGoodOptions {
  /** Of an earlier life. */
  readonly found: ReceivedPolicy | undefined;
  /** It is to be on the disk. */
  readonly keep: (policy: ReceivedPolicy) => void;
  /** Nothing is. */
  readonly drop: () => void;
}

export class LastGood {
  readonly #options: LastGoodOptions;
  #policy: ReceivedPolicy | undefined;
  #kept: ReceivedPolicy | undefined;
  /** Digests of what the disk has, and is to have. */
  #stored: string | undefined;
  #storing: string | undefined;
  #aside: Pick<LastGood, "policy" | "kept"> | undefined;

  constructor(options: LastGoodOptions) {
    const { found } = options;
    this.#options = options;
    this.#policy = found;
    this.#kept = found;
    this.#stored = found?.digest;
    this.#storing = found?.digest;
  }

  get policy(): ReceivedPolicy | undefined {
    return this.#policy;
  }

  /** The newest good one that is or was on the disk. */
  get kept(): ReceivedPolicy | undefined {
    return this.#kept;
  }

  /** Whether there is one that the proxy does not have. */
  get isAside(): boolean {
    return this.#aside !== undefined;
  }

  /** The proxy has nothing, and may be told another. */
  setAside(): void {
    const { policy, kept } = this;
    this.#aside = { policy, kept };
    this.#policy = undefined;
    this.#kept = undefined;
  }

  /** The proxy is to have it after all. */
  restore(): void {
    if (this.#aside === undefined) return;
    ({ policy: this.#policy, kept: this.#kept } = this.#aside);
    this.#aside = undefined;
    if (this.#policy !== undefined) this.#keep(this.#policy);
    this.#look();
  }

  /** @returns whether `kept` is another */
  becomes(policy: ReceivedPolicy): boolean {
    this.#aside = undefined;
    this.#policy = policy;
    this.#keep(policy);
    return this.#look();
  }

  /** Until something is good: a later life must not say that nothing was ever given. */
  begin(policy: ReceivedPolicy): void {
    if (this.#policy === undefined) this.#keep(policy);
  }

  /** What was begun with was refused. */
  refuse(digest: string): void {
    if (this.#policy !== undefined || this.isAside || this.#storing !== digest) return;
    this.#storing = undefined;
    this.#stored = undefined;
    this.#options.drop();
  }

  /** The proxy has gone: it begins with the same as after a restart of the agent. */
  end(begun: ReceivedPolicy | undefined): void {
    if (begun === undefined) this.restore();
    this.#aside = undefined;
    this.#policy ??= begun;
    this.#kept ??= begun;
  }

  /** The disk has it. @returns whether `kept` is another */
  stored({ digest }: ReceivedPolicy): boolean {
    this.#stored = digest;
    return this.#look();
  }

  #keep(policy: ReceivedPolicy): void {
    if (policy.digest === this.#storing) return;
    this.#storing = policy.digest;
    this.#options.keep(policy);
  }

  #look(): boolean {
    const policy = this.#policy;
    if (policy?.digest !== this.#stored || policy?.digest === this.#kept?.digest) return false;
    this.#kept = policy;
    return true;
  }
}
