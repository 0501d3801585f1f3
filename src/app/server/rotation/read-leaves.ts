/**
 * Reads from the log who has unexpired certificates, some at a time, so that nobody waits for it. What is issued meanwhile is
 * added by whoever issues it, before or after it is read: the same one twice is one.
 */

import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { LeafHolders } from "../../../core/roll/leaf-holders.ts";
import type { LeafOwners } from "../../../core/roll/leaf-owners.ts";
import { endOf, skewMaxMs, type LeafRecord } from "../../../core/roll/leaf-record.ts";
import type { LogReader } from "../../../edge/log/log-reader.ts";
import { goodbyesFrom } from "../mesh/goodbye-event.ts";

export interface LeafBook {
  readonly owners: LeafOwners;
  readonly holders: LeafHolders;
}

/** A page was seen to take some 3 ms. */
const pageSize = 500;
const entriesPerTurn = 1_000;
/** By when whoever is being signed for has a result; and how often that is looked at. */
const openMsMax = 15_000;
const openLookMs = 100;

export function addTo({ owners, holders }: LeafBook, leaf: LeafRecord): void {
  if (leaf.isCanary !== true) owners.add(leaf);
  holders.add(leaf);
}

/**
 * Complete when it resolves, unless it is not wanted any more.
 * @throws what SQLite throws
 */
export async function readLeaves(
  book: LeafBook,
  reader: LogReader,
  nowMs: number,
  isWanted: () => boolean,
): Promise<void> {
  const afterMs = nowMs - endOf(0, skewMaxMs);
  const first = await firstIndex(reader, afterMs, isWanted);
  if (first !== undefined) {
    // Goodbyes first: what they end is told by where it stands in the log, one by one.
    await readGoodbyes(book, reader, first, isWanted);
    const open: LeafRecord[] = [];
    for (let from: number | undefined = first; from !== undefined && isWanted();) {
      const page = reader.certificates.unexpired(afterMs, from, pageSize);
      for (const leaf of page.leaves) {
        if (leaf.outcome === "open") open.push(leaf);
        else addTo(book, leaf);
      }
      from = page.next;
      await nextTurn();
    }
    await addOpen(book, reader, open, isWanted);
  }
  if (!isWanted()) return;
  book.owners.built();
  book.holders.built();
}

/** Of the oldest certificate that counts. */
async function firstIndex(
  { certificates }: LogReader,
  afterMs: number,
  isWanted: () => boolean,
): Promise<number | undefined> {
  for (let from: number | undefined = 0; from !== undefined && isWanted();) {
    const { leaves, next } = certificates.unexpired(afterMs, from, 1);
    if (leaves[0] !== undefined) return leaves[0].intentIndex;
    from = next;
    await nextTurn();
  }
  return undefined;
}

async function readGoodbyes(
  { owners }: LeafBook,
  reader: LogReader,
  first: number,
  isWanted: () => boolean,
): Promise<void> {
  if (!isWanted()) return;
  const end = reader.head().size;
  for (let from = first; from < end && isWanted(); from += entriesPerTurn) {
    for (const { agent, timeMs } of goodbyesFrom(reader, from, entriesPerTurn)) {
      owners.goodbye(agent, timeMs);
    }
    await nextTurn();
  }
}

/** Those being signed for now have a result soon; one that gets none may have been signed. */
async function addOpen(
  book: LeafBook,
  { certificates }: LogReader,
  open: readonly LeafRecord[],
  isWanted: () => boolean,
): Promise<void> {
  const isOpen = ({ intentIndex }: LeafRecord): boolean =>
    certificates.leafAt(intentIndex)?.outcome === "open";
  let left = open;
  for (let waitedMs = 0; left.length > 0 && waitedMs < openMsMax; waitedMs += openLookMs) {
    if (!isWanted()) return;
    left = left.filter(isOpen);
    if (left.length > 0) await sleep(openLookMs);
  }
  for (const leaf of left) addTo(book, leaf);
}
