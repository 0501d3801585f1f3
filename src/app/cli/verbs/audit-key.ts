/** `portcullis audit key` */

import { openCheckpoint } from "../../../core/log/checkpoint.ts";
import { parseVerifierKey } from "../../../core/log/note-key.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { openLogReader } from "../log-directory.ts";
import { logDirectory, logFlags } from "../log-flags.ts";

export const auditKey: Command = defineCommand({
  description:
    "Prints the verifier key of the transparency log (C2SP signed-note), for --log-key, for monitors " +
    "and for witnesses. Take it once, when the server is new, and keep it elsewhere: whoever " +
    "exchanges a log can exchange the key in it, too.",
  flags: logFlags,
  examples: [
    {
      what: "Keep it",
      command: "portcullis audit key --data-dir /var/lib/portcullis > log.vkey",
    },
  ],
  async run(context, flags) {
    using reader = openLogReader(logDirectory(flags, context));
    const key = reader.verifierKey();
    openCheckpoint(reader.head().checkpoint, [parseVerifierKey(key)]);
    context.stdout.write(`${key}\n`);
    return ExitCode.ok;
  },
});
