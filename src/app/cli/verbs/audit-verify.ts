/** `portcullis audit verify` */

import { setImmediate } from "node:timers/promises";
import { openCheckpoint, type Checkpoint } from "../../../core/log/checkpoint.ts";
import { LogError, type LogErrorCode } from "../../../core/log/log-error.ts";
import type { NoteVerifier } from "../../../core/log/note-key.ts";
import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { auditSteps } from "../../../edge/log/log-audit.ts";
import { isCorrupt } from "../../../edge/log/log-failure.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { logVerifier, openLogReader } from "../log-directory.ts";
import { logDirectory, logFlags, logKeyFlag } from "../log-flags.ts";
import { auditValue, verdictTable, warningsOf } from "../log-verdict.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { printable } from "../text.ts";
import { UsageError } from "../usage-error.ts";

const CHECKPOINT_BYTES_MAX = 262_144;

export const auditVerify: Command = defineCommand({
  description:
    "Reads all of the transparency log and verifies it: every hash and the signature, that every " +
    "result has its intent, that no serial comes twice and that nothing was forgotten but what the " +
    "log itself says was pruned. With --since also that it goes on from an older checkpoint, as " +
    "`-o json | jq -j .checkpoint` or a monitor has kept it.\n\n" +
    "Exits 4 when something is wrong, and names the first entry that is; 3 when agents have raised " +
    "alarms that prove nothing, or a restore has lost entries of --since.",
  flags: {
    since: { type: "string", valueName: "FILE", help: "an older checkpoint of this log" },
    ...logKeyFlag,
    ...logFlags,
    ...outputFlag,
  },
  examples: [
    {
      what: "Against what was kept elsewhere",
      command:
        'portcullis audit verify --log-key "$(cat log.vkey)" --since checkpoint \\\n' +
        "  --data-dir /var/lib/portcullis",
    },
    {
      what: "Keep a checkpoint for the next time",
      command: "portcullis audit verify -o json | jq -j .checkpoint > checkpoint",
    },
  ],
  async run(context, flags) {
    const found = await findOut(context, flags).catch(refusal);
    if (typeof found === "string") {
      context.stderr.write(`refused: ${printable(found)}\n`);
      return ExitCode.refused;
    }
    const { audit, since } = found;
    const value = auditValue(audit, since);
    await writeOutput(context, flags.output, value, () => verdictTable(value));
    const { fault } = audit;
    if (fault !== undefined) {
      const where = fault.index < audit.checkpoint.size ? `entry ${fault.index}` : "the whole log";
      context.stderr.write(`refused: ${printable(`${where}: ${fault.message}`)} (${fault.code})\n`);
      return ExitCode.refused;
    }
    const warnings = warningsOf(audit, since);
    for (const each of warnings) context.stderr.write(`warning: ${printable(each)}\n`);
    return warnings.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

interface VerifyFlags {
  readonly since: string | undefined;
  readonly "log-key": string | undefined;
  readonly "data-dir": string | undefined;
}

async function findOut(context: Context, flags: VerifyFlags) {
  const directory = logDirectory(flags, context);
  const verifier = verifierOf(directory, flags["log-key"], context);
  const since = await readCheckpoint(flags.since, verifier, context);
  const steps = auditSteps(directory, { verifiers: [verifier], since });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { audit: step.value, since };
    await setImmediate();
    context.signal.throwIfAborted();
  }
}

function verifierOf(directory: string, key: string | undefined, context: Context): NoteVerifier {
  using reader = openLogReader(directory);
  return logVerifier(key, reader, context);
}

async function readCheckpoint(
  file: string | undefined,
  verifier: NoteVerifier,
  { signal }: Context,
): Promise<Checkpoint | undefined> {
  if (file === undefined) return undefined;
  const note = Buffer.from(await readPipedFile(file, CHECKPOINT_BYTES_MAX, signal)).toString();
  try {
    // An editor and `jq -r` leave a line break more.
    return openCheckpoint(note.replace(/\n+$/, "\n"), [verifier]);
  } catch (cause) {
    if (!(cause instanceof LogError)) throw cause;
    const message = `${file}: ${cause.message}`;
    // Signed by another key: of another log, or this is not the log any more that it was.
    if (cause.code === "log-note-unverified") throw new LogError(cause.code, message, { cause });
    throw new UsageError("usage-invalid-value", `--since: ${message}`, {
      cause,
      hint: "portcullis audit verify -o json | jq -j .checkpoint",
    });
  }
}

/** A database that is broken, and a checkpoint that is none or another's, are answers. */
function refusal(error: unknown): string {
  if (error instanceof LogError && (verdicts.has(error.code) || isCorrupt(error))) {
    return error.message;
  }
  throw error;
}

const verdicts: ReadonlySet<LogErrorCode> = new Set([
  "log-note-malformed",
  "log-note-unverified",
  "log-checkpoint-malformed",
]);
