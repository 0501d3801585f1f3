/**
 * The Secret of the trust as the holder of the Lease reads and writes it. Once in each term of the Lease he writes it, also with the same
 * content: what another holder has sent, was cut off with, and arrives late, follows from a version that is no more, and is refused. By the
 * name that he finds there he knows whether another one has had the Lease since, also one of a copy of his data directory.
 */

import type {
  FoundSecret,
  SecretContent,
} from "../../../../edge/kube/trust/trust-secret-object.ts";
import type { TrustGate } from "./trust-gate.ts";
import { unwritten } from "./trust-secret-error.ts";
import type { TrustSecretOptions } from "./trust-secret-options.ts";

export interface LeasedSecretOptions extends Pick<
  TrustSecretOptions,
  "object" | "local" | "lease" | "log" | "nowMs" | "monotonicMs"
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

  /**
   * @param found what it follows from; undefined: there was none
   * @throws KubeError `kube-conflict` where another was faster, TrustSecretError `trust-secret-immutable`
   */
  async write(content: SecretContent, found: FoundSecret | undefined): Promise<void> {
    const { object, local, lease } = this.#options;
    const { term } = lease;
    if (found !== undefined && this.isUnfenced) this.#lookWhoseItWas(found);
    local.attemptAs(object.holder);
    await object.write(content, found?.version).catch((error: unknown) => {
      throw unwritten(object, error);
    });
    local.writtenAs(object.holder);
    this.#writtenTerm = term;
  }

  #lookWhoseItWas({ holder, content }: FoundSecret): void {
    const { local, log, nowMs } = this.#options;
    if (!local.isOther(holder)) return;
    local.wasElsewhere(content?.record.ttlMaxSeconds ?? 0, nowMs());
    const hint = "no root is retired by this log alone for a while: portcullis root status";
    const fields = { event: "trust-held-elsewhere", holder, hint };
    log.warn(fields, "what another one has signed since is in no log of this data directory");
  }

  /** It was not written in this term. */
  get isUnfenced(): boolean {
    const { lease } = this.#options;
    return lease.isHeld && lease.term !== this.#writtenTerm;
  }

  /** As it is there. @throws as `write` */
  async fence(found: FoundSecret): Promise<void> {
    const { content } = found;
    if (this.isUnfenced && content !== undefined) await this.write(content, found);
  }
}
