/** `portcullis mtls flip` */

import type { FlipRequest } from "../../../edge/rpc/flip-requests.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { lookBackFlag, lookBackOf, targetPositional } from "../mtls-flags.ts";
import { goesOnLater } from "../mtls-flip-away.ts";
import { beginFlip } from "../mtls-flip-begin.ts";
import { flipNext } from "../mtls-flip-next.ts";
import {
  assertFlip,
  assertFollows,
  flipFlags,
  flipWords,
  toPermissive,
} from "../mtls-flip-flags.ts";
import { fetchFlips, followFlip } from "../mtls-flip-follow.ts";
import { flipWaiting } from "../mtls-flip-words.ts";
import { isOver, type FlipValue } from "../mtls-flip-value.ts";
import { flipOutputFlag, flipVoice } from "../mtls-flip-voice.ts";
import { nextLines } from "../next-commands.ts";
import { asUsage, claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { commandOf, resolveServerTarget, textTarget, type ServerTarget } from "../server-target.ts";
import { printable } from "../text.ts";
import { UsageError } from "../usage-error.ts";
import { parseWaiver, waiverFlags } from "../waiver-flags.ts";

export const mtlsFlip: Command = defineCommand({
  description:
    "Makes ports refuse what is not mTLS, a few workloads at a time. It is refused unless mtls check says SAFE, or " +
    "whoever is in the way is waived. It shows the change of the object that decides, asks, and follows: each " +
    "stage opens when the one before is in force and the verdict is still SAFE. A call of the mesh that fails takes all of it " +
    "back by itself.\n\n" +
    "Ctrl-C only ends the looking; mtls flip TARGET looks again. Policy in git: -o yaml prints the object to commit and " +
    "writes nothing; the flip begins when the object arrives.\n\n" +
    "Exits 0 when it is done, 3 when it goes on and nobody looks any more, or is done and somebody takes plaintext whom no waiver " +
    "passes over, and 4 when it was refused or taken back.",
  flags: {
    ...lookBackFlag,
    ...waiverFlags,
    ...flipFlags,
    ...dryRunFlag,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...flipOutputFlag,
  },
  positionals: [targetPositional],
  examples: [
    {
      what: "One workload, then a tenth, then all",
      command: "portcullis mtls flip payments/api --to strict --stages 1,10%,all",
    },
    { what: "Look at it again", command: "portcullis mtls flip payments/api" },
    {
      what: "Without a job that ends tomorrow",
      command:
        "portcullis mtls flip payments/api --to strict \\\n" +
        '  --waive legacy/cron --reason "is shut down on Friday" --for 2d',
    },
    {
      what: "Policy in git",
      command: "portcullis mtls flip payments/api --to strict --yes -o yaml > policies/api.yaml",
    },
  ],
  async run(context, flags, [target = ""]) {
    if (flags.to === "permissive") throw toPermissive(target, textTarget(flags));
    const { output } = flags;
    const dryRun = flags["dry-run"];
    const isAsked = flags["look-back"] !== undefined;
    if (flags.to === undefined) {
      assertFollows(flags);
      const resolved = resolveServerTarget(flags, context);
      const server = await goesOnLater(target, flags, resolved);
      const flip = await goesOnLater(target, flags, latestFlip(server, target));
      const { progress } = flipVoice(context, { output, dryRun, isAsked });
      if (flip.target !== target && !progress.isJson) {
        const words = `${target} is part of flip ${flip.id} of ${flip.target}`;
        context.stderr.write(`${printable(words)}\n`);
      }
      if (flags["no-follow"] && !isOver(flip)) {
        progress.wait(flipWaiting(flip));
        progress.end();
        return leave(context, flip, server);
      }
      return await followFlip(context, flip, { server, progress, isRevert: false });
    }
    assertFlip(flags);
    const wanted = parseWaiver("mtls flip", flags);
    const request: FlipRequest = {
      target,
      operator: operatorName(flags.operator, context.env),
      lookBack: lookBackOf("mtls flip", flags),
      stages: flags.stages ?? "",
      revertWindow: flags["revert-window"],
      revertOnRefused: flags["revert-on-refused"] ?? 0,
      dryRun,
      awaitsObject: output === "yaml",
    };
    const server = await resolveServerTarget(flags, context);
    const voice = flipVoice(context, { output, dryRun, isAsked });
    const words = flipWords(flags);
    const options = { server, request, wanted, yes: flags.yes, voice, words };
    const begun = await beginFlip(context, options);
    if (begun.kind === "ended") return begun.code;
    if (flags["no-follow"]) return leave(context, begun.flip, server);
    return await followFlip(context, begun.flip, { server, ...voice, isRevert: false });
  },
});

/** Under way, or the last one that was. @throws UsageError */
async function latestFlip(server: ServerTarget, target: string): Promise<FlipValue> {
  const all = await asUsage("mtls flip", fetchFlips(server, target));
  const flip = all.find((each) => !isOver(each)) ?? all[0];
  if (flip !== undefined) return flip;
  const message = `--to is required: there is no flip of ${target} to follow`;
  const hint = `whether one can be begun: ${commandOf(server, "mtls check", [target])}`;
  throw new UsageError("usage-missing-flag", message, { hint });
}

function leave({ stderr }: Context, flip: FlipValue, server: ServerTarget): ExitCode {
  stderr.write(nextLines("next", flipNext(flip, server), Date.parse(flip.now)));
  return isOver(flip) ? ExitCode.ok : ExitCode.warning;
}
