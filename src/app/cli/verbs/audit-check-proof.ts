/** `portcullis audit check-proof` */

import { hash } from "node:crypto";
import { equalBytes } from "../../../core/bytes.ts";
import { LogError } from "../../../core/log/log-error.ts";
import { verifyProofFile, type VerifiedProof } from "../../../core/log/proof-file.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { readCertificateFile } from "../certificate-file.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { parseLogKey } from "../log-directory.ts";
import { entryValue, fieldRows } from "../log-entry-value.ts";
import { serialHex } from "../log-lookup.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { formatTable } from "../table.ts";
import { printable } from "../text.ts";

const FILE_BYTES_MAX = 1_048_576;

export const auditCheckProof: Command = defineCommand({
  description:
    "Verifies what audit prove has printed, without the log and without a server. With --cert also " +
    "that it is the proof of this very certificate.\n\n" +
    "Exits 4 when it proves nothing, or another certificate.",
  flags: {
    "log-key": {
      type: "string",
      valueName: "VKEY",
      help: "the log's verifier key, from a place that you trust",
      required: true,
    },
    cert: { type: "string", valueName: "FILE", help: "the certificate, PEM, the leaf first" },
    ...outputFlag,
  },
  positionals: [{ name: "FILE", help: "the proof; /dev/stdin for a pipe" }],
  examples: [
    {
      what: "Is this certificate in the log?",
      command:
        'portcullis audit check-proof web.tlog-proof --log-key "$(cat log.vkey)" --cert svid.pem',
    },
  ],
  async run(context, flags, [file = ""]) {
    const verifier = parseLogKey(flags["log-key"]);
    const text = Buffer.from(await readPipedFile(file, FILE_BYTES_MAX, context.signal)).toString();
    const leaf = await readLeaf(flags.cert, context);
    const verified = verify(() => verifyProofFile(text, [verifier]));
    const why = typeof verified === "string" ? verified : leaf && mismatch(verified, leaf);
    if (typeof verified === "string" || why !== undefined) {
      context.stderr.write(`refused: ${printable(`${file}: ${why}`)}\n`);
      return ExitCode.refused;
    }
    const { checkpoint, intent, intentIndex, result, resultIndex } = verified;
    const value = {
      origin: checkpoint.origin,
      size: checkpoint.size,
      intent: entryValue(intentIndex, intent),
      result: entryValue(resultIndex, result),
    };
    await writeOutput(context, flags.output, value, () => {
      const columns = [{ header: "field" }, { header: "proved" }];
      return formatTable(columns, fieldRows(value), { colour: false });
    });
    return ExitCode.ok;
  },
});

async function readLeaf(
  file: string | undefined,
  { signal }: Context,
): Promise<Uint8Array | undefined> {
  if (file === undefined) return undefined;
  return (await readCertificateFile(file, signal)).certificates[0];
}

/** Or why it proves nothing. */
function verify(work: () => VerifiedProof): VerifiedProof | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof LogError) return error.message;
    throw error;
  }
}

/** docs/log.md, "The proof of a certificate". */
function mismatch({ intent, result }: VerifiedProof, leaf: Uint8Array): string | undefined {
  const { serialHex: serial, tbs } = parseCertificate(leaf);
  const proved = serialHex(result.serial);
  if (proved !== serial) return `expected a proof of serial ${serial}, got one of ${proved}`;
  const isSigned = equalBytes(hash("sha256", leaf, "buffer"), result.certificateDigest);
  const isIntended = equalBytes(hash("sha256", tbs, "buffer"), intent.tbsDigest);
  return isSigned && isIntended ? undefined : "it is of another certificate with the same serial";
}
