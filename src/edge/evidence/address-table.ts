/** Who held an address when. What changed while the server was away is not known: there nobody is said to have held it. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { AddressChange } from "./evidence-change.ts";

export class AddressTable {
  readonly #hold: StatementSync;
  readonly #leave: StatementSync;

  constructor(database: DatabaseSync) {
    this.#hold = database.prepare(
      "INSERT INTO addresses (address, since_ms, workload, meshed) VALUES (?, ?, ?, ?)" +
        " ON CONFLICT DO UPDATE SET until_ms = NULL",
    );
    this.#leave = database.prepare(
      "UPDATE addresses SET until_ms = max(since_ms, ?)" +
        " WHERE address = ? AND workload = ? AND meshed = ? AND until_ms IS NULL",
    );
  }

  change({ kind, address, workload, isMeshed, atMs }: AddressChange): void {
    const meshed = Number(isMeshed);
    if (kind === "held") this.#hold.run(address, atMs, workload, meshed);
    else this.#leave.run(atMs, address, workload, meshed);
  }
}
