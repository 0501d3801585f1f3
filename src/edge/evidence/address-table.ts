/** Who held an address when. What changed while the server was away is not known: there nobody is said to have held it. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { AddressChange } from "./evidence-change.ts";

/** Whether its holder has a proxy is told within a time by the last word: one whose agent comes and goes must not fill the file. */
const flapMs = 300_000;

export class AddressTable {
  readonly #hold: StatementSync;
  readonly #flap: StatementSync;
  readonly #leave: StatementSync;

  constructor(database: DatabaseSync) {
    this.#hold = database.prepare(
      "INSERT INTO addresses (address, since_ms, workload, meshed) VALUES (?, ?, ?, ?)" +
        " ON CONFLICT DO UPDATE SET until_ms = NULL",
    );
    this.#flap = database.prepare(
      "UPDATE OR REPLACE addresses SET until_ms = NULL, meshed = ?" +
        ` WHERE address = ? AND workload = ? AND until_ms = ? AND since_ms > until_ms - ${flapMs}`,
    );
    this.#leave = database.prepare(
      "UPDATE addresses SET until_ms = max(since_ms, ?)" +
        " WHERE address = ? AND workload = ? AND until_ms IS NULL",
    );
  }

  change({ kind, address, workload, isMeshed, atMs }: AddressChange): void {
    if (kind === "left") {
      this.#leave.run(atMs, address, workload);
      return;
    }
    const meshed = Number(isMeshed);
    const { changes } = this.#flap.run(meshed, address, workload, atMs);
    if (changes === 0) this.#hold.run(address, atMs, workload, meshed);
  }
}
