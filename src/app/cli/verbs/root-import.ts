/** `portcullis root import` */

import { basename, join, resolve } from "node:path";
import { CaFilesError } from "../../../core/ca/ca-files-error.ts";
import type { PluggedCa } from "../../../core/ca/ca-files.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import { keyIdOf } from "../../../core/x509/signer.ts";
import type { CaDir } from "../../../edge/ca/ca-dir.ts";
import { CaKeyError } from "../../../edge/ca/ca-key-error.ts";
import { importCa } from "../../../edge/ca/import-ca.ts";
import { readKeyFile, readPassphrase } from "../../../edge/ca/key-file.ts";
import { assertKeyOf } from "../../../edge/ca/private-key.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { formatRelative } from "../format.ts";
import { printable } from "../text.ts";

export const rootImport: Command = defineCommand({
  description:
    "Takes what an offline root signed for `portcullis root csr`, verifies it with the key, and " +
    "writes the files that `portcullis server --ca-dir` reads: root-cert.pem, cert-chain.pem and " +
    "ca-cert.pem. Other roots than those that are there are refused.\n\n" +
    "Exits 3 when it is done and something is worth a look.",
  flags: {
    dir: { type: "string", valueName: "DIR", help: "where the key is", required: true },
    cert: { type: "string", valueName: "FILE", help: "what the root signed, PEM", required: true },
    root: { type: "string", valueName: "FILE", help: "the root itself, PEM", required: true },
    chain: { type: "string", valueName: "FILE", help: "intermediates between the two, PEM" },
    key: { type: "string", valueName: "URI", help: "pkcs11: URI, if the key is in a token" },
    "key-passphrase-file": {
      type: "string",
      valueName: "FILE",
      help: "passphrase of an encrypted key",
    },
  },
  examples: [
    {
      what: "What OpenSSL signed",
      command: "portcullis root import --dir ca --cert signed.pem --root root.pem",
    },
  ],
  async run(context, flags) {
    const directory = resolve(flags.dir);
    const keyOfDirectory: KeyPlace = {
      uri: flags.key,
      passphraseFile: flags["key-passphrase-file"],
      signal: context.signal,
    };
    const ca = await importCa({
      directory,
      certFile: flags.cert,
      chainFile: flags.chain,
      rootFile: flags.root,
      nowMs: context.nowMs(),
      assertKey: (spki, files) => assertKey(keyOfDirectory, spki, files, flags.cert),
    }).catch((error: unknown) => {
      throw inTermsOfFlags(error);
    });
    report(context, flags.dir, ca, keyOfDirectory);
    return ca.warnings.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

/** What to do about it elsewhere goes by the names of files in a directory, which are to be written yet. */
const hints: ReadonlyMap<string, string> = new Map([
  ["ca-chain-broken", "bring what is in between by --chain FILE, or the root that it hangs on"],
  ["ca-root-not-self-signed", "the root alone goes to --root; intermediates go to --chain FILE"],
]);

function inTermsOfFlags(error: unknown): unknown {
  const hint = error instanceof CaFilesError ? hints.get(error.code) : undefined;
  if (!(error instanceof CaFilesError) || hint === undefined) return error;
  const reason = error.message.slice(`${error.file}: `.length);
  return new CaFilesError(error.code, error.file, reason, { cause: error, hint });
}

interface KeyPlace {
  readonly uri: string | undefined;
  readonly passphraseFile: string | undefined;
  readonly signal: AbortSignal;
}

async function assertKey(
  { uri, passphraseFile, signal }: KeyPlace,
  spki: Uint8Array,
  { path, keyFiles, directory }: CaDir,
  certFile: string,
): Promise<void> {
  const [keyFile] = keyFiles;
  if (uri === undefined) {
    if (keyFile === undefined) {
      throw new CaKeyError(
        "ca-key-missing",
        directory,
        "expected the key in ca-key.pem, got none",
        {
          hint: "import into the --out of portcullis root csr, or name a key in a token: --key URI",
        },
      );
    }
    const passphrase = await readPassphrase(passphraseFile, (path, bytesMax) =>
      readPipedFile(path, bytesMax, signal),
    );
    const key = await readKeyFile(join(path, keyFile), passphrase);
    const hint = `has the root signed the request of this key, ${join(directory, "ca.csr")}?`;
    assertKeyOf(key, spki, keyFile, basename(certFile), hint);
    return;
  }
  if (keyFile !== undefined) {
    throw new CaKeyError("ca-key-elsewhere", keyFile, "expected no key file with --key", {
      hint: "one of the two is the CA's: leave the other out",
    });
  }
  const { openPkcs11Signer } = await import("../../../edge/pkcs11/pkcs11-signer.ts");
  // Opening signs once, and so proves the pair.
  openPkcs11Signer(uri, spki)[Symbol.dispose]();
}

function report(
  { stdout, stderr, nowMs }: Context,
  dir: string,
  { chain, root, roots, notAfterMs, warnings }: PluggedCa,
  { uri, passphraseFile }: KeyPlace,
): void {
  const signing = parseCertificate(chain[0] ?? root);
  stdout.write(
    `authority ${keyIdOf(signing.spki)} (expires ` +
      `${formatRelative(notAfterMs, nowMs())}) in ${dir}: ` +
      `${chain.length} in its chain, ${roots.length} trusted root${roots.length === 1 ? "" : "s"}\n`,
  );
  for (const { file, message } of warnings) {
    stderr.write(`warning: ${printable(`${file}: ${message}`)}\n`);
  }
  const key = uri === undefined ? "" : ` --ca-key '${uri}'`;
  const passphrase = passphraseFile === undefined ? "" : ` --key-passphrase-file ${passphraseFile}`;
  stdout.write(`next: portcullis server --ca-dir ${dir}${key}${passphrase} ...\n`);
}
