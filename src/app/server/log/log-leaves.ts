/** What the log has of single certificates, for those whom its entries name and for nobody else. */

import type { ProvedEntry } from "../../../core/log/proved-entry.ts";
import type { LogReader } from "../../../edge/log/log-reader.ts";
import type { LeafAnswer } from "../../../edge/rpc/log-messages.ts";

/** Where the log has a certificate. */
export type Located =
  | Exclude<LeafAnswer, { readonly kind: "found" }>
  | {
      readonly kind: "located";
      readonly serial: Uint8Array;
      readonly intent: number;
      readonly result: number;
    };

export class LogLeaves {
  readonly #reader: Pick<LogReader, "entry" | "inclusion" | "certificates">;

  constructor(reader: Pick<LogReader, "entry" | "inclusion" | "certificates">) {
    this.#reader = reader;
  }

  /**
   * @param mayRead whether its asker speaks for an identity
   * @throws LogError, RangeError for a log that is damaged, what SQLite throws
   */
  locate(serial: Uint8Array, mayRead: (identity: string) => boolean): Located {
    const record = this.#reader.certificates.bySerial(serial);
    if (record?.result === undefined) return { kind: "missing", serial };
    if (!mayRead(record.intent.identity)) return { kind: "foreign", serial };
    return { kind: "located", serial, intent: record.intentIndex, result: record.result.index };
  }

  /** @param size of the tree; it has the result @throws as `locate` */
  answer(located: Located, size: number): LeafAnswer {
    if (located.kind !== "located") return located;
    const { serial, intent, result } = located;
    return {
      kind: "found",
      serial,
      intent: this.#prove(intent, size),
      result: this.#prove(result, size),
    };
  }

  #prove(index: number, size: number): ProvedEntry {
    const bytes = this.#reader.entry(index);
    if (bytes === undefined) throw new RangeError(`expected entry ${index} to be there`);
    return { index, bytes, proof: this.#reader.inclusion(index, size) };
  }
}
