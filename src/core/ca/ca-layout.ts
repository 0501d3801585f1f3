/**
 * The two layouts of a directory with an operator's CA: Istio's plugged-in CA, and the Secret type kubernetes.io/tls as
 * Istio reads it. They are told apart by their names alone, and never mixed: which of two certificates signs must not
 * be a guess.
 */

import { CaFilesError } from "./ca-files-error.ts";

/** What a directory holds. Private keys are known by name only: they are read by whoever opens them. */
export interface CaFiles {
  /** For messages: as the operator named it. */
  readonly directory: string;
  /** Known files but keys, by name. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
  readonly keyFiles: readonly string[];
}

export interface CaFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The certificates of a CA by what they are for, whatever the layout. */
export interface CaMaterial {
  /** The signing certificate first. */
  readonly signing: CaFile;
  /** Intermediates, in any order. */
  readonly chain: CaFile | undefined;
  readonly roots: CaFile;
  /** Whether the file of roots may hold intermediates, too. */
  readonly rootsHoldIntermediates: boolean;
  readonly crl: CaFile | undefined;
}

interface Layout {
  readonly signing: string;
  readonly key: string;
  readonly chain?: string;
  readonly roots: string;
  readonly crl?: string;
}

const ISTIO: Layout = {
  signing: "ca-cert.pem",
  key: "ca-key.pem",
  chain: "cert-chain.pem",
  roots: "root-cert.pem",
  crl: "ca-crl.pem",
};

const TLS_SECRET: Layout = { signing: "tls.crt", key: "tls.key", roots: "ca.crt" };

const MEBIBYTE = 1_048_576;

/** Known files but keys, with how many bytes each may have. */
export const CA_FILE_BYTES_MAX: ReadonlyMap<string, number> = new Map([
  [ISTIO.signing, MEBIBYTE],
  ["cert-chain.pem", MEBIBYTE],
  [ISTIO.roots, MEBIBYTE],
  // A hundred thousand revoked certificates need four.
  ["ca-crl.pem", 16 * MEBIBYTE],
  [TLS_SECRET.signing, MEBIBYTE],
  [TLS_SECRET.roots, MEBIBYTE],
]);

export const CA_KEY_FILES: ReadonlySet<string> = new Set([ISTIO.key, TLS_SECRET.key]);

/** @throws CaFilesError */
export function caMaterial(files: CaFiles): CaMaterial {
  const layout = chooseLayout(files);
  return {
    signing: requireFile(files, layout.signing),
    chain: optionalFile(files, layout.chain),
    roots: requireFile(files, layout.roots),
    rootsHoldIntermediates: layout === TLS_SECRET,
    crl: optionalFile(files, layout.crl),
  };
}

/** Where the layout has its key, whether it is there or not. */
export function keyFileOf(files: CaFiles): string {
  return chooseLayout(files).key;
}

function chooseLayout(files: CaFiles): Layout {
  const istio = presentOf(files, ISTIO);
  const tls = presentOf(files, TLS_SECRET);
  if (istio.length > 0 && tls.length > 0) {
    const found = [...istio, ...tls].join(", ");
    throw new CaFilesError(
      "ca-files-two-layouts",
      files.directory,
      `expected the files of one layout, got ${found}`,
      { hint: `leave either ${istio.join(", ")} or ${tls.join(", ")}` },
    );
  }
  return tls.length > 0 ? TLS_SECRET : ISTIO;
}

function presentOf({ contents, keyFiles }: CaFiles, layout: Layout): readonly string[] {
  return Object.values(layout).filter((name) => contents.has(name) || keyFiles.includes(name));
}

function requireFile(files: CaFiles, name: string): CaFile {
  const file = optionalFile(files, name);
  if (file !== undefined) return file;
  const state = files.contents.has(name) ? "it is empty" : "it is missing";
  const layouts = [ISTIO, TLS_SECRET].map(({ signing, key, roots }) => [signing, key, roots]);
  throw new CaFilesError("ca-files-missing", name, `${state} in ${files.directory}`, {
    hint: `a CA is ${layouts.map((names) => names.join(", ")).join(", or ")}`,
  });
}

/** An empty file is none: Istio's own CA writes an empty cert-chain.pem, and a list is cleared that way. */
function optionalFile({ contents }: CaFiles, name: string | undefined): CaFile | undefined {
  const bytes = name === undefined ? undefined : contents.get(name);
  if (name === undefined || bytes === undefined || isBlank(bytes)) return undefined;
  return { name, bytes };
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((octet) => octet === 0x20 || (octet >= 0x09 && octet <= 0x0d));
}
