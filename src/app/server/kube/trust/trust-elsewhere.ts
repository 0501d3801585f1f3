/**
 * Another server has had the trust: one that was made from the Secret, or of a copy of this data directory. What it has signed stands in no
 * log of this one, and the log has to say so before any trust is changed by it.
 */

import type { LocalTrustRecords } from "./local-trust-records.ts";
import { TrustSecretError } from "./trust-secret-error.ts";

export interface TrustElsewhereOptions {
  readonly local: Pick<LocalTrustRecords, "adoptedMs" | "adoptionRecorded" | "ttlMaxSeconds">;
  /** So long one may sign without seeing that it has lost the Lease. */
  readonly silenceMaxMs: number;
}

/** @param possibleUntilMs until when what the other one has signed may be valid, Unix ms */
export type RecordElsewhere = (possibleUntilMs: number) => Promise<void>;

export class TrustElsewhere {
  readonly #options: TrustElsewhereOptions;
  #record: RecordElsewhere | undefined;

  constructor(options: TrustElsewhereOptions) {
    this.#options = options;
  }

  /** From now on, and for what is owed already. @throws what `record` throws */
  async recordBy(record: RecordElsewhere): Promise<void> {
    this.#record = record;
    await this.settle();
  }

  /** @throws what `record` throws: it is owed then, also by the next start */
  async settle(): Promise<void> {
    const { local, silenceMaxMs } = this.#options;
    const { adoptedMs } = local;
    if (adoptedMs === undefined || this.#record === undefined) return;
    await this.#record(adoptedMs + silenceMaxMs + local.ttlMaxSeconds * 1_000);
    local.adoptionRecorded();
  }

  /**
   * Why no trust is changed now; undefined where it may be.
   * @param isUnfenced the Lease was taken again, and it was not looked at yet who has had it
   */
  hold(isUnfenced: boolean): TrustSecretError | undefined {
    if (!isUnfenced && this.#options.local.adoptedMs === undefined) return undefined;
    const message = "the Lease of the trust was taken again: the log must say first who had it";
    return new TrustSecretError("trust-lease-lost", message, {
      hint: "that is done by itself, within seconds: try again",
    });
  }
}
