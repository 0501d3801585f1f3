/**
 * The Secret of the trust as the holder of the Lease reads and writes it. Once in each term of the Lease he writes it, also with the same
 * content: what another holder has sent, was cut off with, and arrives late, follows from a version that is no more, and is refused.
 */

import type {
  FoundSecret,
  SecretContent,
} from "../../../../edge/kube/trust/trust-secret-object.ts";
import type { TrustGate } from "./trust-gate.ts";
import type { TrustSecretOptions } from "./trust-secret-options.ts";

export interface LeasedSecretOptions extends Pick<
  TrustSecretOptions,
  "object" | "lease" | "monotonicMs"
> {
  /** Is told of each read. */
  readonly gate: Pick<TrustGate, "seen" | "failed">;
}

export class LeasedSecret {
  readonly #options: LeasedSecretOptions;
  /** Of the Lease: in which it was written last from here. */
  #writtenTerm = 0;

  constructor(options: LeasedSecretOptions) {
    this.#options = options;
  }

  /** @throws KubeError */
  async read(): Promise<FoundSecret | undefined> {
    const { object, gate, monotonicMs } = this.#options;
    const sentMs = monotonicMs();
    try {
      const found = await object.read();
      gate.seen(sentMs);
      return found;
    } catch (error) {
      gate.failed(error);
      throw error;
    }
  }

  /** @param found what it follows from; undefined: there was none. @throws KubeError `kube-conflict` where another was faster */
  async write(
    content: SecretContent,
    found: Pick<FoundSecret, "version"> | undefined,
  ): Promise<void> {
    const { object, lease } = this.#options;
    const { term } = lease;
    await object.write(content, found?.version);
    this.#writtenTerm = term;
  }

  /** It was not written in this term. */
  get isUnfenced(): boolean {
    const { lease } = this.#options;
    return lease.isHeld && lease.term !== this.#writtenTerm;
  }

  /** As it is there. @throws as `write` */
  async fence({ content, ...found }: FoundSecret): Promise<void> {
    if (this.isUnfenced && content !== undefined) await this.write(content, found);
  }
}
