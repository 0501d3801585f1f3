/** `portcullis audit prove` */

import { encodeProofFile, verifyProofFile } from "../../../core/log/proof-file.ts";
import { parseVerifierKey } from "../../../core/log/note-key.ts";
import { writeFileAtomic } from "../../../edge/config/private-files.ts";
import type { LogReader } from "../../../edge/log/log-reader.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { openLogReader } from "../log-directory.ts";
import { logDirectory, logFlags } from "../log-flags.ts";
import {
  LogLookupError,
  lookUpEntry,
  lookUpSerial,
  parseSerial,
  serialHex,
} from "../log-lookup.ts";
import { UsageError } from "../usage-error.ts";

export const auditProve: Command = defineCommand({
  description:
    "Prints the proof that a certificate is in the transparency log, as a file that stands alone " +
    "(C2SP tlog-proof): whoever has the log's key verifies it with audit check-proof, or with other " +
    "tools, without the log. It has both entries of the certificate in it, evidence too.",
  flags: {
    out: { type: "string", valueName: "FILE", help: "write it there", notes: ["default stdout"] },
    ...logFlags,
  },
  positionals: [{ name: "SERIAL", help: "of the certificate, in hex" }],
  examples: [
    {
      what: "For somebody who asks",
      command: "portcullis audit prove 5a1f09c2d4e8b7a6 --out web.tlog-proof",
    },
  ],
  async run(context, flags, [name = ""]) {
    const serial = parseSerial(name);
    if (serial === undefined) {
      throw new UsageError(
        "usage-invalid-value",
        `SERIAL: expected hex digits, got ${JSON.stringify(name)}`,
        { hint: "portcullis svid list" },
      );
    }
    using reader = openLogReader(logDirectory(flags, context));
    const { text, outcome } = prove(reader, serial);
    if (flags.out === undefined) context.stdout.write(text);
    else {
      await writeFileAtomic(flags.out, Buffer.from(text), 0o644);
      context.stderr.write(
        `proof of ${name} in ${flags.out}; whoever checks it needs the log's key: portcullis audit key\n` +
          `next: portcullis audit check-proof ${flags.out} --log-key KEY\n`,
      );
    }
    if (outcome === "signed") return ExitCode.ok;
    context.stderr.write(`note: this proves that the outcome is "${outcome}"\n`);
    return ExitCode.warning;
  },
});

function prove(reader: LogReader, serial: Uint8Array) {
  const { intentIndex, result } = lookUpSerial(reader, serial);
  if (result === undefined) {
    throw new LogLookupError(
      "log-certificate-open",
      `nothing came of the certificate ${serialHex(serial)} yet: entry ${intentIndex} has no result`,
      { hint: "it gets one at once, or at the server's next start" },
    );
  }
  const { checkpoint, size } = reader.head();
  const proved = (index: number) => ({
    index,
    bytes: lookUpEntry(reader, index),
    proof: reader.inclusion(index, size),
  });
  const text = encodeProofFile({
    intent: proved(intentIndex),
    result: proved(result.index),
    checkpoint,
  });
  // A damaged log must not be found out by whoever gets the file.
  verifyProofFile(text, [parseVerifierKey(reader.verifierKey())]);
  return { text, outcome: result.outcome };
}
