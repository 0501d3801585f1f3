/** Everything that `work` does to the database, or nothing of it. Durable when it returns. */

import type { DatabaseSync } from "node:sqlite";

export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A COMMIT that failed may have ended it already.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
