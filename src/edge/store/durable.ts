/**
 * The one door of every durable write: each has a name, and a test can stop the process, or make the write fail, at any
 * of them. Nobody intercepts in production: then it is a call and nothing else.
 */

import type { DatabaseSync } from "node:sqlite";

/** Each has a test that kills the process before and after it. */
export const durableWrites = [
  "log-create",
  "log-schema",
  "log-commit",
  "log-prune",
  "store-create",
  "store-schema",
  "store-maker",
  "trust-initialize",
  "trust-replace",
  "trust-adopt",
  "key-keep",
  "fact-remember",
  "keys-encrypt",
  "keys-scrub",
  "denials-change",
  "waivers-change",
  "resources-change",
  "flip-change",
  "caller-waivers-change",
  "join-token-add",
  "join-token-take",
  "join-token-prune",
  "enrolment-add",
  "enrolment-prune",
  "evidence-create",
  "evidence-schema",
  "evidence-write",
  "evidence-prune",
  "evidence-aside",
  "file-replace",
] as const;

export type DurableWrite = (typeof durableWrites)[number];

/** Makes the write, or does not; a promise that `write` gives is the write. */
export type Interceptor = <T>(name: DurableWrite, write: () => T) => T;

let interceptor: Interceptor | undefined;

/** Of this thread; for tests only. Undefined ends it. */
export function interceptDurable(next: Interceptor | undefined): void {
  interceptor = next;
}

export function durable<T>(name: DurableWrite, write: () => T): T {
  return interceptor === undefined ? write() : interceptor(name, write);
}

/** Everything that `work` does to the database, or nothing of it. Durable when it returns. */
export function durableTransaction<T>(
  database: DatabaseSync,
  name: DurableWrite,
  work: () => T,
): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    durable(name, () => database.exec("COMMIT"));
    return result;
  } catch (error) {
    // A COMMIT that failed may have ended it already.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
