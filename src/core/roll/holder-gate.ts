/**
 * Whether nothing that may be in use hangs on a root that is to go: no unexpired certificate of a workload, whether its
 * owner is gone or not, nothing that was perhaps signed, here or by whoever had an adopted CA before, and none of the
 * server's own. JWTs hang on no root.
 */

import { FirstOf } from "./first-of.ts";
import { GateTally } from "./gate-tally.ts";
import { signedElsewhere, type Gate, type LaggardReason } from "./laggard.ts";
import type { LeafHolders } from "./leaf-holders.ts";
import { endOf, type LeafRecord } from "./leaf-record.ts";
import { lagLost, lagMissed } from "./unnameable.ts";

export interface OwnCertificate {
  /** What it is used for. */
  readonly name: string;
  /** SHA-256 of the root that it hangs on, lower-case hex. */
  readonly root: string;
}

export interface HolderView {
  readonly holders: LeafHolders;
  /** That is to go; as `LeafRecord` has it. */
  readonly root: string;
  /** The server's, that are in use. */
  readonly own: readonly OwnCertificate[];
  /** From the log; asked for those that are named. */
  readonly leafAt: (intentIndex: number) => LeafRecord | undefined;
  /** Names, as laggards have them: of classes. */
  readonly waived: ReadonlySet<string>;
  /** Indexes of the intents of those certificates that are waived. */
  readonly waivedLeaves: ReadonlySet<number>;
  /** The greatest difference of clocks that was seen. */
  readonly skewMs: number;
  /** As in `VerifierView`. */
  readonly lostUntilMs: number;
  /** Whether somebody else had the root's CA before. */
  readonly isAdopted: boolean;
}

/** A certificate of which the log does not say it may hang on any; it ends by itself. */
const unknownRoot = "";
/** Of certificates that nobody can name. */
const lostHoldersClass = "lost-certificates";

/** @param namedMax how many laggards are named at most */
export function holderGate(view: HolderView, nowMs: number, namedMax: number): Gate {
  const { holders, root, own, waived, skewMs, lostUntilMs } = view;
  const tally = new GateTally(namedMax, waived);
  const last = new FirstOf<Ending>(Math.max(1, namedMax), lastFirst);
  const server = { kind: "server", spiffeId: "", endsAtMs: undefined } as const;
  if (!holders.isBuilt) {
    const about = "it reads from the log which certificates are in use";
    tally.lag({ ...server, id: "rebuilding", reason: "rebuilding", about });
  }
  const missed = { tally, untilMs: holders.missedUntilMs, skewMs, nowMs };
  const about = "there are more certificates than it can keep: it waits until those end";
  lagMissed(missed, "too-many-certificates", about);
  for (const each of own) {
    if (each.root !== root) continue;
    const about = `its own certificate for ${each.name} is to be renewed first`;
    tally.lag({ ...server, id: `own-certificate-${each.name}`, reason: "own-certificate", about });
  }
  lagLost({ tally, untilMs: lostUntilMs, skewMs, nowMs }, lostHoldersClass);
  if (view.isAdopted) lagSignedElsewhere(tally);
  for (const each of [root, unknownRoot]) {
    const isOver = nowMs >= endOf(holders.lastNotAfterMs(each), skewMs);
    if (!isOver) countLeaves(view, each, nowMs, tally, last);
  }
  for (const ending of last.sorted()) nameLeaf(view, ending, tally);
  return tally.gate();
}

/** How long they live, nobody here knows: only an operator can say that the last of them has expired. */
function lagSignedElsewhere(tally: GateTally): void {
  const about =
    "certificates that whoever had this CA before has signed: wait until the last of them has expired";
  const lag = { kind: "class", id: signedElsewhere, spiffeId: "", endsAtMs: undefined } as const;
  tally.lag({ ...lag, reason: "unobservable", about });
}

/** A certificate that is counted. */
interface Ending {
  readonly index: number;
  readonly endsAtMs: number;
}

function lastFirst(a: Ending, b: Ending): number {
  return b.endsAtMs - a.endsAtMs || a.index - b.index;
}

function countLeaves(
  view: HolderView,
  root: string,
  nowMs: number,
  tally: GateTally,
  last: FirstOf<Ending>,
): void {
  const { holders, waivedLeaves, skewMs } = view;
  let count = 0;
  let lastEndMs = 0;
  for (const [index, notAfterMs] of holders.leavesOf(root)) {
    const endsAtMs = endOf(notAfterMs, skewMs);
    if (nowMs >= endsAtMs) continue;
    if (waivedLeaves.has(index)) {
      tally.waive(1);
      continue;
    }
    count += 1;
    lastEndMs = Math.max(lastEndMs, endsAtMs);
    last.add({ index, endsAtMs });
  }
  if (count > 0) tally.lagUnnamed(count, lastEndMs);
}

function nameLeaf(view: HolderView, { index, endsAtMs }: Ending, tally: GateTally): void {
  const leaf = view.leafAt(index);
  if (leaf === undefined) {
    const about = `the log does not show the certificate of entry ${index}`;
    const lag = { kind: "server", id: `entry-${index}`, spiffeId: "", about } as const;
    tally.name({ ...lag, reason: "rebuilding", endsAtMs });
    return;
  }
  const { serialHex: id, identity: spiffeId } = leaf;
  const reason = reasonOf(leaf);
  const about = "it may have been signed: the log does not know what came of it";
  tally.name({ kind: "certificate", id, spiffeId, reason, about, endsAtMs });
}

function reasonOf({ outcome, root }: LeafRecord): LaggardReason {
  if (outcome !== "signed") return "perhaps-signed";
  return root === unknownRoot ? "root-unknown" : "unexpired";
}
