/**
 * Rows of who called whom may be a million: of many members, or of whoever floods a few of them from as many addresses as he likes. They
 * are asked for member by member, as many at once as have few rows, so that nobody else waits long for his turn.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { MemberSeen } from "../../../core/evidence/member.ts";
import type { StoredSeen } from "../../../edge/evidence/evidence-question.ts";

/** @param members keys */
export type AskSeen = (members: readonly string[]) => Promise<readonly StoredSeen[]>;

const firstBatch = 4;
/** It takes some 10 ms to take so many over from the thread. */
const rowsWanted = 4_000;

export async function* rowsOf(
  members: readonly string[],
  ask: AskSeen,
): AsyncGenerator<readonly StoredSeen[]> {
  let size = firstBatch;
  for (let at = 0; at < members.length;) {
    const batch = members.slice(at, at + size);
    const rows = await ask(batch);
    yield rows;
    at += batch.length;
    if (rows.length > rowsWanted) size = Math.max(1, Math.floor(size / 2));
    else if (rows.length < rowsWanted / 2) size *= 2;
    await nextTurn();
  }
}

export interface SeenRows {
  /** Without mTLS, or refused. */
  readonly others: readonly StoredSeen[];
  /** One for each port of a member. */
  readonly mtls: readonly MemberSeen[];
}

/** All that are asked for: with mTLS they are only counted. @param isAsked whether a member's port is */
export async function seenRows(
  members: readonly string[],
  ask: AskSeen,
  isAsked: (member: string, port: number) => boolean,
): Promise<SeenRows> {
  const others: StoredSeen[] = [];
  const mtls = new Map<string, MemberSeen>();
  for await (const rows of rowsOf(members, ask)) {
    for (const row of rows) {
      const { member, port, kind, isRefused } = row;
      if (!isAsked(member, port)) continue;
      if (kind !== "mtls" || isRefused) others.push(row);
      else {
        const key = `${member} ${port}`;
        mtls.set(key, summed(row, mtls.get(key)));
      }
    }
  }
  return { others, mtls: [...mtls.values()] };
}

function summed(row: MemberSeen, sum: MemberSeen | undefined): MemberSeen {
  if (sum === undefined) return row;
  const lastMs = Math.max(row.lastMs, sum.lastMs);
  return { ...sum, count: sum.count + row.count, lastMs };
}
