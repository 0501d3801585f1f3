/**
 * The trust state of a data directory beside that of the cluster's Secret: which follows from which. The Secret is one register that is
 * written by compare-and-swap, epochs only rise, and a data directory knows what it saw there last. What follows from neither is decided by
 * people.
 */

export interface Stamp {
  readonly epoch: number;
  /** Of the document, whatever version it was stored in. */
  readonly digest: string;
}

export interface LocalTrust extends Stamp {
  /** Of this data directory. */
  readonly writer: string;
  /** What the Secret was seen to have, the last time that it had what is here; undefined: never. */
  readonly published: (Stamp & { readonly lineage: string }) | undefined;
  /** What it was about to write there since then, and may have: stored before each write. */
  readonly attempted: readonly Stamp[];
}

export type FoundTrust =
  | { readonly kind: "none" }
  /** It cannot be read. */
  | { readonly kind: "malformed" }
  /** It can only be read by a newer version. */
  | { readonly kind: "newer" }
  | (Stamp & { readonly kind: "record"; readonly lineage: string; readonly writer: string });

export type TrustJudgement =
  /** There is none anywhere. */
  | "first"
  /** The Secret is missing. */
  | "create"
  | "same"
  /** What is here follows from the Secret's. */
  | "push"
  /** The Secret's follows from what is here, or nothing is here. */
  | "adopt"
  /** Of the epoch that was published from here, and it is not what was published; or it cannot be read. */
  | "edited"
  /** Both have gone on from what they had in common. */
  | "forked"
  /** Of another mesh, or of one that this directory has never been part of. */
  | "foreign"
  /** Of a version that is not known here. */
  | "newer";

export function judgeTrust(local: LocalTrust | undefined, found: FoundTrust): TrustJudgement {
  if (found.kind === "none") return local === undefined ? "first" : "create";
  if (found.kind === "malformed") return "edited";
  if (found.kind === "newer") return "newer";
  if (local === undefined) return "adopt";
  const { published, writer, attempted } = local;
  const isOfOne = published?.lineage === found.lineage;
  if (isSameStamp(local, found)) return isOfOne || published === undefined ? "same" : "foreign";
  if (published === undefined || !isOfOne) return "foreign";
  if (found.epoch > local.epoch) return isSameStamp(local, published) ? "adopt" : "forked";
  // Somebody has put back an older one, as with a backup of the cluster.
  if (found.epoch < published.epoch) return "push";
  if (found.epoch === published.epoch) {
    return isSameStamp(found, published) && found.epoch < local.epoch ? "push" : "edited";
  }
  // Written from here, by a process that ended before it knew. Its name alone proves nothing: copies of a directory have one.
  const isOurs = found.writer === writer && attempted.some((each) => isSameStamp(each, found));
  return isOurs && found.epoch < local.epoch ? "push" : "forked";
}

/** Whether a hand has been at it: what is there is older than what was seen there, is not that, or is gone. */
export function isTouched({ published }: LocalTrust, found: FoundTrust): boolean {
  if (published === undefined || published.epoch === 0) return false;
  if (found.kind !== "record") return true;
  const isOther = found.epoch === published.epoch && !isSameStamp(found, published);
  return found.epoch < published.epoch || isOther;
}

export function isSameStamp(a: Stamp, b: Stamp): boolean {
  return a.epoch === b.epoch && a.digest === b.digest;
}
