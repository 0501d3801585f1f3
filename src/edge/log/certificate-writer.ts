/**
 * The index of certificates, as the writer keeps it: a row for each intent, completed by its result. It is made from the
 * bytes of the entries, in the transaction that adds them.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Artifact, IntentEntry, Outcome, ResultEntry } from "../../core/log/entry.ts";
import { isConstraint, RefusedEntry } from "./log-failure.ts";

/** Their numbers in the database: new ones at the end. */
export const artifactNumbers: readonly Artifact[] = ["workload", "serving", "jwt", "canary"];
export const outcomeNumbers: readonly Outcome[] = ["signed", "failed", "unknown"];

export class CertificateWriter {
  readonly #identity: StatementSync;
  readonly #addIdentity: StatementSync;
  readonly #authority: StatementSync;
  readonly #addAuthority: StatementSync;
  readonly #add: StatementSync;
  readonly #complete: StatementSync;

  constructor(database: DatabaseSync) {
    this.#identity = database.prepare("SELECT id FROM identities WHERE name = ?");
    this.#addIdentity = database.prepare("INSERT INTO identities (name, id) VALUES (?, ?)");
    this.#authority = database.prepare("SELECT id FROM authorities WHERE key_id = ?");
    this.#addAuthority = database.prepare("INSERT INTO authorities (key_id) VALUES (?)");
    this.#add = database.prepare(
      "INSERT INTO certificates (intent, serial, artifact, identity, authority, not_after_s)" +
        " VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#complete = database.prepare(
      "UPDATE certificates SET result = ?, outcome = ?" +
        " WHERE intent = ? AND serial = ? AND result IS NULL",
    );
  }

  /** @throws RefusedEntry when the serial was used before; what SQLite throws */
  intent(index: number, { serial, artifact, identity, authority, notAfterMs }: IntentEntry): void {
    const notAfterS = Math.floor(notAfterMs / 1_000);
    const identityId = this.#identityId(identity, index);
    const number = artifactNumbers.indexOf(artifact);
    const authorityId = this.#authorityId(authority);
    try {
      this.#add.run(index, serial, number, identityId, authorityId, notAfterS);
    } catch (cause) {
      if (!isConstraint(cause)) throw cause;
      throw new RefusedEntry("expected a new serial, got one that was used before", { cause });
    }
  }

  /** @throws RefusedEntry when there is no such intent, or it has its result; what SQLite throws */
  result(index: number, { intentIndex, serial, outcome }: ResultEntry): void {
    const number = outcomeNumbers.indexOf(outcome);
    const { changes } = this.#complete.run(index, number, intentIndex, serial);
    if (changes === 1) return;
    throw new RefusedEntry(`expected an open intent with that serial at ${intentIndex}, got none`);
  }

  #identityId(name: string, firstIntent: number): number {
    const known = this.#identity.get(name)?.["id"];
    if (known !== undefined) return Number(known);
    this.#addIdentity.run(name, firstIntent);
    return firstIntent;
  }

  #authorityId(keyId: string): number {
    const known = this.#authority.get(keyId)?.["id"];
    return Number(known ?? this.#addAuthority.run(keyId).lastInsertRowid);
  }
}
