/** `portcullis mtls revert` */

import { reasonPattern } from "../../../core/operator.ts";
import { revertFlip } from "../../../edge/rpc/flip-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { changeText, changeValue, objectChange, type ChangeMood } from "../mtls-change.ts";
import { targetPositional } from "../mtls-flags.ts";
import { goesOnLater } from "../mtls-flip-away.ts";
import { followFlip } from "../mtls-flip-follow.ts";
import { flipValue, type FlipValue } from "../mtls-flip-value.ts";
import { flipOutputFlag, flipVoice } from "../mtls-flip-voice.ts";
import { answerEmpty, refusalValue } from "../mtls-refused.ts";
import { callerWaiverValue, countsText, endNext } from "../mtls-waivers.ts";
import { nextLines } from "../next-commands.ts";
import { asUsage, claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { hinted, resolveServerTarget } from "../server-target.ts";
import { UsageError } from "../usage-error.ts";

export const mtlsRevert: Command = defineCommand({
  description:
    "Takes a flip back, at any time, whether it is under way or long done: all of its ports take plaintext again within " +
    "seconds, and the object says what it said before. It asks nothing: this is the way back. It follows until that is so.\n\n" +
    "Where the policy is in git, the ports are held back at once, and -o yaml prints the object to commit.\n\n" +
    "Exits 0 when all of it takes plaintext again, 3 when nobody looks any more before that, or who cannot be told may refuse it " +
    "still (an agent that is away), and 4 when it was refused.",
  flags: {
    reason: { ...claimFlags.reason, required: false },
    ...dryRunFlag,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...flipOutputFlag,
  },
  positionals: [targetPositional],
  examples: [
    {
      what: "Somebody cannot call any more",
      command: 'portcullis mtls revert payments/api --reason "billing fails"',
    },
  ],
  async run(context, flags, [target = ""]) {
    const { output } = flags;
    const dryRun = flags["dry-run"];
    const reason = reasonOf(flags.reason);
    const operator = operatorName(flags.operator, context.env);
    const server = await goesOnLater(target, flags, resolveServerTarget(flags, context));
    const { progress, refuse, show, print } = flipVoice(context, {
      output,
      dryRun,
      isAsked: false,
    });
    const sent = revertFlip(server.address, { target, reason, operator, dryRun });
    const {
      result,
      waivers: standing,
      ...json
    } = await goesOnLater(target, flags, hinted(server, asUsage("mtls revert", sent)));
    if (result.case === undefined) return await refuse(answerEmpty(server));
    if (result.case === "refused") return await refuse(refusalValue(result.value, server));
    const flip = flipValue(result.value);
    const change = objectChange(json);
    const what = change === undefined ? null : changeValue(change);
    const waivers = standing.map(callerWaiverValue);
    progress.event("change", { change: what, flip, waivers });
    if (change !== undefined) show(changeText(change, moodOf(flip, dryRun)));
    print(change);
    // They are for the next flip, too, unless somebody ends them.
    show(countsText(waivers, flip.target));
    show(nextLines("next", endNext(waivers, server), Date.parse(flip.now)));
    const id = `flip ${flip.id} of ${flip.target}`;
    if (dryRun) {
      show(`${id} would be taken back\nnothing was changed: this was a dry run\n`);
      return ExitCode.ok;
    }
    progress.note("begun", `${id} is being taken back`, { flip });
    return await followFlip(context, flip, { server, progress, isRevert: true });
  },
});

/** While the API server is away, it is held back at once and written later. */
function moodOf({ awaitsObject, waits }: FlipValue, dryRun: boolean): ChangeMood {
  if (awaitsObject) return "to-commit";
  if (dryRun) return "would-be";
  return waits.some(({ kind }) => kind === "object") ? "ordered" : "made";
}

/** @throws UsageError */
function reasonOf(reason: string | undefined): string {
  if (reason === undefined || reasonPattern.test(reason)) return reason ?? "";
  const got = JSON.stringify(reason.slice(0, 100));
  const message = `--reason: expected one line of 1 to 200 characters, got ${reason.length}: ${got}`;
  throw new UsageError("usage-invalid-value", message, { hint: "portcullis help mtls revert" });
}
