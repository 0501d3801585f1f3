/** `portcullis root csr` */

import { join, resolve } from "node:path";
import { TrustDomain } from "../../../core/spiffe/id.ts";
import { createCaCsr } from "../../../core/x509/ca-csr.ts";
import { encodePem } from "../../../core/x509/pem.ts";
import { softwareSigner, type Signer } from "../../../core/x509/signer.ts";
import { createKeyFile, readPassphrase } from "../../../edge/ca/key-file.ts";
import { publicSpki } from "../../../edge/ca/private-key.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { ensurePrivateDir, writeFileAtomic } from "../../../edge/config/private-files.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { keyTypeFlag } from "../root-source.ts";
import { UsageError } from "../usage-error.ts";

export const rootCsr: Command = defineCommand({
  description:
    "Makes a key and a request for an intermediate, for a root that is kept offline to sign. The " +
    "request goes to stdout and to DIR/ca.csr; the key stays in DIR/ca-key.pem, mode 0600, and is " +
    "never replaced.\n\n" +
    "With --key the key is in a PKCS#11 token, and DIR gets the request only.",
  flags: {
    out: { type: "string", valueName: "DIR", help: "where key and request go", required: true },
    "trust-domain": {
      type: "string",
      valueName: "NAME",
      help: "SPIFFE trust domain, for the subject",
      required: true,
    },
    "key-type": { ...keyTypeFlag, notes: ["default p256"] },
    key: { type: "string", valueName: "URI", help: "pkcs11: URI of a key that is there" },
    "key-passphrase-file": {
      type: "string",
      valueName: "FILE",
      help: "encrypt the new key with the passphrase in it",
    },
  },
  examples: [
    {
      what: "For OpenSSL to sign",
      command: "portcullis root csr --out ca --trust-domain prod.example > intermediate.csr",
    },
    {
      what: "With the key in a token",
      command:
        "portcullis root csr --out ca --trust-domain prod.example \\\n" +
        "  --key 'pkcs11:token=mesh;object=ca?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/portcullis/pin'",
    },
  ],
  async run({ signal, stdout, stderr }, flags) {
    const trustDomain = TrustDomain.parse(flags["trust-domain"]);
    const directory = resolve(flags.out);
    const { key: uri, "key-type": keyType, "key-passphrase-file": passphraseFile } = flags;
    if (uri !== undefined && (keyType ?? passphraseFile) !== undefined) {
      throw new UsageError(
        "usage-invalid-value",
        "--key: expected neither --key-type nor --key-passphrase-file with a key that is there",
        { hint: "portcullis help root csr" },
      );
    }
    const passphrase = await readPassphrase(passphraseFile, (path, bytesMax) =>
      readPipedFile(path, bytesMax, signal),
    );
    await ensurePrivateDir(directory);
    let csr: Uint8Array;
    if (uri === undefined) {
      const key = await createKeyFile(directory, keyType ?? "p256", passphrase);
      csr = createCaCsr(trustDomain.name, softwareSigner(key, publicSpki(key)));
    } else {
      using signer = await openTokenKey(uri);
      csr = createCaCsr(trustDomain.name, signer);
    }
    const pem = encodePem(csr, "CERTIFICATE REQUEST");
    await writeFileAtomic(join(directory, "ca.csr"), Buffer.from(pem), 0o644);
    stdout.write(pem);
    const made = uri === undefined ? "ca-key.pem ca.csr" : "ca.csr";
    stderr.write(`in ${flags.out}: ${made}\n`);
    const keyFlag = uri === undefined ? "" : " --key URI";
    stderr.write(
      "next: have your root sign the request, then " +
        `portcullis root import --dir ${flags.out} --cert signed.pem --root root.pem${keyFlag}\n`,
    );
    return ExitCode.ok;
  },
});

async function openTokenKey(uri: string): Promise<Signer & Disposable> {
  const { openPkcs11Signer } = await import("../../../edge/pkcs11/pkcs11-signer.ts");
  return openPkcs11Signer(uri);
}
