/** What one address may ask of a port that anybody reaches: so many questions, and so many octets of them, in a time. */

import { RateTable } from "../../core/issuance/rate-table.ts";

/** More than kubectl sends by itself. */
const questionPace = { ratePerSecond: 200, burst: 400 };
/** 512 KiB a second, and 2 MiB at once. */
const unitBytes = 4_096;
const unitPace = { ratePerSecond: 128, burst: 512 };
const addressesMax = 4_096;

export class AddressBudget {
  readonly #questions = new RateTable(questionPace, addressesMax);
  readonly #units = new RateTable(unitPace, addressesMax);

  /** @param nowMs monotonic @returns false where it is used up */
  takeQuestion(address: string, nowMs: number): boolean {
    return take(this.#questions, address, nowMs);
  }

  /** @returns false where it is used up: what there was is gone, too */
  takeBytes(address: string, bytes: number, nowMs: number): boolean {
    for (let taken = 0; taken < bytes; taken += unitBytes) {
      if (!take(this.#units, address, nowMs)) return false;
    }
    return true;
  }
}

function take(table: RateTable, address: string, nowMs: number): boolean {
  if (table.waitMs(address, nowMs) > 0) return false;
  table.take(address, nowMs);
  return true;
}
