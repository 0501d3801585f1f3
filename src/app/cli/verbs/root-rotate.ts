/** `portcullis root rotate` */

import { connectionFlags } from "../admin-address.ts";
import { defineCommand, type Command } from "../command.ts";
import { claimFlags } from "../operator.ts";
import { changesFlag, runRotation, timeoutFlag } from "../root-rotate-run.ts";
import { keyTypeFlag, rootSource, type SourceFlags } from "../root-source.ts";
import { commandOf, pasteable, textTarget, type ServerTarget } from "../server-target.ts";
import { parseWaiver, waiverFlags, waiverWords, type Wanted } from "../waiver-flags.ts";
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
    "key-type": keyTypeFlag,
    "from-dir": {
      type: "string",
      valueName: "DIR",
      help: "a CA of your own, on the server's machine",
    },
    ...timeoutFlag,
    ...waiverFlags,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...changesFlag,
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
    const wanted = parseWaiver("root rotate", flags);
    if (flags.resume) assertNoSource(flags);
    else if (wanted !== undefined) throw waivedTooEarly(textTarget(flags), wanted);
    return await runRotation(context, flags, { source, wanted, isResumed: flags.resume });
  },
});

function assertNoSource(flags: SourceFlags): void {
  const named = (["key-type", "from-dir"] as const).find((name) => flags[name] !== undefined);
  if (named === undefined) return;
  const message = `--${named}: expected none with --resume: the new root is there already`;
  throw new UsageError("usage-invalid-value", message, { hint: "portcullis help root rotate" });
}

/** A waiver is for the roots of its time, and those of the rotation are not there yet. */
function waivedTooEarly(target: Pick<ServerTarget, "flagText">, wanted: Wanted): UsageError {
  const message =
    "--waive: expected --resume with it: nobody has the new root before it is prepared";
  const first = pasteable(target, "portcullis root prepare");
  const then = commandOf(target, "root rotate", ["--resume", ...waiverWords(wanted)]);
  const hint = `first: ${first}\nthen: ${then}`;
  return new UsageError("usage-invalid-value", message, { hint });
}
