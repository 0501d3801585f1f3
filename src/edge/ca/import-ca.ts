/**
 * What an offline root signed, put beside its key so that a server can start on it. Everything is verified before the
 * first file is written, and the signing certificate is written last: a server that reads in between finds what was
 * there, or an error, and never half of each. A change of roots is refused; it would cut off every workload that has not
 * heard of the new one.
 */

import { join } from "node:path";
import { parseCaCertificates } from "../../core/ca/ca-certificate.ts";
import { isSameRootSet, verifyCaMaterial, type PluggedCa } from "../../core/ca/ca-files.ts";
import { CaFilesError } from "../../core/ca/ca-files-error.ts";
import { keyFileOf, type CaFile } from "../../core/ca/ca-layout.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { readBoundedFile, writeFileAtomic } from "../config/private-files.ts";
import { readCaDir, type CaDir } from "./ca-dir.ts";

export interface CaImport {
  /** Has the key already. */
  readonly directory: string;
  /** The certificate that came back; intermediates may follow it. */
  readonly certFile: string;
  readonly chainFile: string | undefined;
  readonly rootFile: string;
  readonly nowMs: number;
  /** Throws where the key of the directory is not the one of the certificate. */
  readonly assertKey: (signingSpki: Uint8Array, files: CaDir) => Promise<void>;
}

const FILE_BYTES_MAX = 1_048_576;
const MODE = 0o644;

/** @throws CaFilesError, CaKeyError, PrivateFileError; nothing is written then, unless the disk itself fails */
export async function importCa(request: CaImport): Promise<PluggedCa> {
  const { directory, chainFile, nowMs } = request;
  const files = await readCaDir(directory);
  assertLayout(files);
  const crl = files.contents.get("ca-crl.pem");
  const ca = verifyCaMaterial(
    {
      signing: await readNamed(request.certFile),
      chain: chainFile === undefined ? undefined : await readNamed(chainFile),
      roots: await readNamed(request.rootFile),
      rootsHoldIntermediates: false,
      crl: crl && { name: "ca-crl.pem", bytes: crl },
    },
    nowMs,
  );
  assertSameRoots(files, ca);
  await request.assertKey(ca.signingSpki, files);
  await writeCa(directory, ca);
  return ca;
}

function assertLayout(files: CaDir): void {
  if (keyFileOf(files) === "ca-key.pem") return;
  throw new CaFilesError(
    "ca-files-two-layouts",
    files.directory,
    "expected no tls.crt, tls.key or ca.crt where ca-cert.pem is to be written",
    { hint: "choose another --dir" },
  );
}

function assertSameRoots({ contents, directory }: CaDir, { roots }: PluggedCa): void {
  const bytes = contents.get("root-cert.pem");
  if (bytes === undefined) return;
  const present = parseCaCertificates({ name: "root-cert.pem", bytes });
  const ders = present.map(({ certificate }) => certificate.der);
  if (isSameRootSet(ders, roots)) return;
  throw new CaFilesError(
    "ca-root-changed",
    "root-cert.pem",
    `${directory} has other roots, and changing roots needs a rotation, which this version cannot do yet`,
    { hint: "import what is signed under the same roots, or make another CA in another --dir" },
  );
}

/** As Istio has it: cert-chain.pem begins with the signing certificate. */
async function writeCa(directory: string, { chain, root, roots }: PluggedCa): Promise<void> {
  const signingFirst = chain.length === 0 ? [root] : chain;
  const files: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ["root-cert.pem", roots],
    ["cert-chain.pem", signingFirst],
    ["ca-cert.pem", signingFirst.slice(0, 1)],
  ];
  for (const [name, certificates] of files) {
    await writeFileAtomic(
      join(directory, name),
      Buffer.from(encodeCertificates(certificates)),
      MODE,
    );
  }
}

async function readNamed(path: string): Promise<CaFile> {
  return { name: path, bytes: await readBoundedFile(path, FILE_BYTES_MAX) };
}
