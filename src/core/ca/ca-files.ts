/**
 * An operator's own CA, from the files of a directory to what can sign: the chain of the signing certificate, the roots
 * and the revocation lists. All of it is verified or none of it is taken; nothing is guessed from what is incomplete,
 * and no self-signed root ever takes its place. The key is none of its business.
 */

import { distinct, isIssuedBy, parseCaCertificates } from "./ca-certificate.ts";
import type { CaCertificate } from "./ca-certificate.ts";
import { parseCrls } from "./ca-crls.ts";
import { CaFilesError } from "./ca-files-error.ts";
import { caMaterial, type CaFiles, type CaMaterial } from "./ca-layout.ts";
import { findPath } from "./ca-path.ts";
import { assertPath, assertRoot } from "./ca-rules.ts";
import type { CaWarning } from "./ca-warning.ts";
import { caWarnings } from "./ca-warnings.ts";

export interface PluggedCa {
  /** The signing certificate, then its intermediates up to but without the root, DER; empty for a root that signs itself. */
  readonly chain: readonly Uint8Array[];
  /** The chain's end. */
  readonly root: Uint8Array;
  /** All that are trusted, each once, in the order of their file. */
  readonly roots: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  readonly warnings: readonly CaWarning[];
  /** Of the signing certificate: the key must be its. */
  readonly signingSpki: Uint8Array;
  /** When the first of chain and root expires: nothing signed here is good for longer. */
  readonly notAfterMs: number;
}

const ROOTS_MAX = 16;

/** @throws CaFilesError naming the file */
export function parseCaFiles(files: CaFiles, nowMs: number): PluggedCa {
  return verifyCaMaterial(caMaterial(files), nowMs);
}

/** @throws CaFilesError naming the file */
export function verifyCaMaterial(material: CaMaterial, nowMs: number): PluggedCa {
  const [signing, ...beside] = parseCaCertificates(material.signing);
  if (signing === undefined) throw noCertificate(material.signing.name);
  const chainFile = material.chain === undefined ? [] : parseCaCertificates(material.chain);
  const { roots, intermediates } = readRoots(material);
  const path = findPath(signing, [...beside, ...chainFile, ...intermediates], roots, nowMs);
  assertPath(path, nowMs);
  const { crl } = material;
  const lists = crl === undefined ? { crls: [], warnings: [] } : parseCrls(crl, path, roots, nowMs);
  const ends = [...path.chain, path.root].map(({ certificate }) => certificate.notAfterMs);
  return Object.freeze({
    chain: path.chain.map(derOf),
    root: derOf(path.root),
    roots: roots.map(derOf),
    crls: lists.crls,
    warnings: [...caWarnings(path, roots, nowMs), ...lists.warnings],
    signingSpki: signing.certificate.spki,
    notAfterMs: Math.min(...ends),
  });
}

/** Whether two bundles trust the same roots, in whatever order. */
export function isSameRootSet(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  const contents = (roots: readonly Uint8Array[]): ReadonlySet<string> =>
    new Set(roots.map((root) => Buffer.from(root).toString("base64")));
  return contents(a).symmetricDifference(contents(b)).size === 0;
}

function readRoots({ roots: file, rootsHoldIntermediates }: CaMaterial): {
  readonly roots: readonly CaCertificate[];
  readonly intermediates: readonly CaCertificate[];
} {
  const certificates = distinct(parseCaCertificates(file));
  const isRoot = (each: CaCertificate): boolean =>
    !rootsHoldIntermediates || isIssuedBy(each, each);
  const roots = certificates.filter(isRoot);
  if (roots.length === 0) {
    const reason = "expected a certificate that signs itself, got intermediates only";
    throw new CaFilesError("ca-root-not-self-signed", file.name, reason);
  }
  if (roots.length > ROOTS_MAX) {
    const reason = `expected at most ${ROOTS_MAX} roots, got ${roots.length}`;
    throw new CaFilesError("ca-too-many-certificates", file.name, reason);
  }
  for (const root of roots) assertRoot(root);
  return { roots, intermediates: certificates.filter((each) => !isRoot(each)) };
}

function derOf({ certificate }: CaCertificate): Uint8Array {
  return certificate.der;
}

function noCertificate(file: string): CaFilesError {
  return new CaFilesError("ca-file-malformed", file, "expected a certificate, got none");
}
