/** `portcullis root rotate` */

import { newKeyTypes } from "../../../edge/ca/key-file.ts";
import { fetchRootStatus } from "../../../edge/rpc/root-client.ts";
import { connectionFlags, resolveAdminAddress } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type TextSink } from "../command.ts";
import { claimFlags, operatorName } from "../operator.ts";
import { isRotating, shapeOf } from "../root-judgement.ts";
import { Progress } from "../root-progress.ts";
import { resumeHint, rotate } from "../root-rotate.ts";
import { rootSource, type SourceFlags } from "../root-source.ts";
import { rootStatusValue, type RootStatusValue } from "../root-value.ts";
import { waive, waiverFlags } from "../root-waive.ts";
import { UsageError } from "../usage-error.ts";

export const rootRotate: Command = defineCommand({
  description:
    "Prepares a root, activates it when every verifier has confirmed it, retires the old one when " +
    "nothing hangs on it any more, and ends when nobody trusts it. It shows what it waits for, and " +
    "whom.\n\n" +
    "Ctrl-C leaves the rotation where it is, which is safe at any step; --resume goes on. With " +
    "--timeout it exits 3 when the rotation still waits. A refusal exits 4.",
  flags: {
    resume: { type: "boolean", help: "go on with a rotation that has begun" },
    "key-type": {
      type: "string",
      valueName: "TYPE",
      help: "type of the new key",
      choices: newKeyTypes,
      notes: ["default as configured"],
    },
    "from-dir": {
      type: "string",
      valueName: "DIR",
      help: "a CA of your own, on the server's machine",
    },
    timeout: { type: "duration", valueName: "DURATION", help: "wait no longer than that" },
    ...waiverFlags,
    operator: claimFlags.operator,
    ...connectionFlags,
    output: {
      type: "string",
      short: "o",
      valueName: "FORMAT",
      help: "json is one object a line, for each change",
      choices: ["table", "json"],
      default: "table",
    },
  },
  examples: [
    { what: "From the first step to the last", command: "portcullis root rotate" },
    {
      what: "After Ctrl-C, or another operator's step",
      command: "portcullis root rotate --resume",
    },
  ],
  async run(context, flags) {
    const source = rootSource("root rotate", flags);
    if (flags.resume) assertNoSource(flags);
    const operator = operatorName(flags.operator, context.env);
    const address = await resolveAdminAddress(flags, context.env);
    const status = rootStatusValue(await fetchRootStatus(address, 1));
    if (!mayBegin(status, flags.resume, context.stderr)) return ExitCode.refused;
    const sending = { address, operator, dryRun: false };
    const waived = await waive(context, "root rotate", flags, sending);
    if (waived !== ExitCode.ok) return waived;
    const endMs = performance.now() + (flags.timeout ?? Number.POSITIVE_INFINITY) * 1_000;
    const progress = new Progress(context, flags.output);
    return await rotate(context, {
      source,
      sending,
      progress,
      isTimeOver: () => performance.now() >= endMs,
    });
  },
});

function assertNoSource(flags: SourceFlags): void {
  const named = (["key-type", "from-dir"] as const).find((name) => flags[name] !== undefined);
  if (named === undefined) return;
  const message = `--${named}: expected none with --resume: the new root is there already`;
  throw new UsageError("usage-invalid-value", message, { hint: "portcullis help root rotate" });
}

/** What goes on was begun for a reason that is not known here; and what is over need not go on. */
function mayBegin(status: RootStatusValue, isResumed: boolean, stderr: TextSink): boolean {
  if (isRotating(shapeOf(status)) === isResumed) return true;
  stderr.write(
    isResumed
      ? "refused: expected a rotation that has begun, got none (rotation-missing)\nhint: portcullis root rotate\n"
      : `refused: a rotation is going on already (rotation-in-progress)\nhint: portcullis root status; go on with ${resumeHint}\n`,
  );
  return false;
}
