/**
 * Which of an operator's certificates stand between the signing certificate and a root. Files come in any order, with
 * the signing certificate or the root repeated, so the path is found by signatures; what has no place in it is an error
 * and not left out, because it is what somebody forgot to replace.
 */

import { distinct, isInDate, isIssuedBy, isSameCertificate } from "./ca-certificate.ts";
import type { CaCertificate } from "./ca-certificate.ts";
import { CaFilesError } from "./ca-files-error.ts";

const INTERMEDIATES_MAX = 8;

export interface CaPath {
  /** The signing certificate first, each followed by its issuer, without the root. */
  readonly chain: readonly CaCertificate[];
  readonly root: CaCertificate;
}

/**
 * @param others what came along with the signing certificate
 * @throws CaFilesError
 */
export function findPath(
  signing: CaCertificate,
  others: readonly CaCertificate[],
  roots: readonly CaCertificate[],
  nowMs: number,
): CaPath {
  const self = roots.find((root) => isSameCertificate(root, signing));
  const ends = [signing, ...roots];
  const intermediates = distinct(others).filter(
    (each) => !ends.some((end) => isSameCertificate(end, each)),
  );
  assertFew(intermediates);
  if (self !== undefined) {
    if (intermediates[0] !== undefined) throw leftover(intermediates[0]);
    return { chain: [], root: self };
  }
  // A root that was renewed under its old key is there twice: the one in date is tried first.
  const anchors = roots.toSorted((a, b) => Number(isInDate(b, nowMs)) - Number(isInDate(a, nowMs)));
  const issuers = issuersOf([signing, ...intermediates], [...anchors, ...intermediates]);
  let shorter: CaPath | undefined;
  for (const path of paths([signing], issuers, new Set(anchors))) {
    if (intermediates.every((each) => path.chain.includes(each))) return path;
    shorter ??= path;
  }
  if (shorter === undefined) throw broken(signing, issuers, roots, [...roots, ...intermediates]);
  const { chain } = shorter;
  throw leftover(intermediates.find((each) => !chain.includes(each)) ?? signing);
}

type Issuers = ReadonlyMap<CaCertificate, readonly CaCertificate[]>;

/** Every signature is verified once, however many paths there are. */
function issuersOf(
  children: readonly CaCertificate[],
  candidates: readonly CaCertificate[],
): Issuers {
  return new Map(
    children.map((child) => [child, candidates.filter((each) => isIssuedBy(child, each))]),
  );
}

/** All that there are: where a root was cross-signed, two. */
function* paths(
  chain: readonly CaCertificate[],
  issuers: Issuers,
  anchors: ReadonlySet<CaCertificate>,
): Generator<CaPath, undefined> {
  const top = chain.at(-1);
  const above = (top && issuers.get(top)) ?? [];
  for (const root of above) if (anchors.has(root)) yield { chain, root };
  for (const issuer of above) {
    if (anchors.has(issuer) || chain.includes(issuer)) continue;
    yield* paths([...chain, issuer], issuers, anchors);
  }
}

/** Names the highest certificate that is reached: its issuer is what is missing. */
function broken(
  signing: CaCertificate,
  issuers: Issuers,
  roots: readonly CaCertificate[],
  candidates: readonly CaCertificate[],
): CaFilesError {
  const seen = new Set([signing]);
  let top = signing;
  for (let next: CaCertificate | undefined = signing; next !== undefined;) {
    top = next;
    seen.add(top);
    next = issuers.get(top)?.find((each) => !seen.has(each));
  }
  const issuer = top.x509.issuer?.replaceAll("\n", ", ").slice(0, 200) ?? "";
  const rootFile = roots[0]?.file ?? "the file of roots";
  // A CA that was made anew has its old name, and looks as if it were the one.
  const namesake = candidates.find((each) => each !== top && each.x509.subject === top.x509.issuer);
  const other = namesake === undefined ? "" : `; ${namesake.file} has another one of that name`;
  return new CaFilesError(
    "ca-chain-broken",
    top.file,
    `expected the issuer "${issuer}" of ${top.description} among the intermediates or in ${rootFile}${other}`,
    { hint: "add the certificate of that issuer, or take the root that it hangs on" },
  );
}

function assertFew(intermediates: readonly CaCertificate[]): void {
  if (intermediates.length <= INTERMEDIATES_MAX) return;
  throw new CaFilesError(
    "ca-too-many-certificates",
    intermediates[0]?.file ?? "",
    `expected at most ${INTERMEDIATES_MAX} intermediates, got ${intermediates.length}`,
  );
}

function leftover(certificate: CaCertificate): CaFilesError {
  return new CaFilesError(
    "ca-chain-leftover",
    certificate.file,
    `expected certificates between the signing one and its root only, got ${certificate.description}`,
    { hint: "take it out, or replace the signing certificate if this one is newer" },
  );
}
