/** `portcullis mtls waivers add` */

import { addCallerWaivers, checkMtls } from "../../../edge/rpc/flip-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { nobody } from "../mtls-flip-waive.ts";
import { answerEmpty, refusalText, refusalValue, type RefuseMtls } from "../mtls-refused.ts";
import { verdictValue, type VerdictValue } from "../mtls-verdict-value.ts";
import { callerWaiverValue, countsText } from "../mtls-waivers.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { hinted, resolveServerTarget } from "../server-target.ts";
import { parseWaiver, waiverFlags } from "../waiver-flags.ts";

const verb = "mtls waivers add";

export const mtlsWaiversAdd: Command = defineCommand({
  description:
    "Passes over a caller, or the silence of a proxy, that mtls check names, for a time: also for a flip that is under way, which " +
    "goes on with it. One that counts already counts until then. The log has it.\n\n" +
    "Exits 4 where mtls check names nobody so.",
  flags: {
    target: {
      type: "string",
      valueName: "TARGET",
      help: "for which it counts, as mtls check has it",
      required: true,
    },
    ...claimFlags,
    for: { ...waiverFlags.for, notes: [], required: true },
    ...connectionFlags,
    ...outputFlag,
  },
  positionals: [
    { name: "NAME", help: "who is waived, as mtls check or mtls waivers list names it" },
  ],
  examples: [
    {
      what: "The flip takes longer than the waiver was to count",
      command:
        "portcullis mtls waivers add legacy/cron --target payments/api \\\n" +
        '  --reason "is shut down next week" --for 7d',
    },
  ],
  async run(context, flags, [name = ""]) {
    const { target, output } = flags;
    const given = { waive: [name], reason: flags.reason, for: flags.for, yes: true };
    const { reason = "", seconds = 0 } = parseWaiver(verb, given) ?? {};
    const operator = operatorName(flags.operator, context.env);
    const server = await resolveServerTarget(flags, context);
    const refuse: RefuseMtls = async (refused) => {
      const view = { colour: wantsColour(context), isAsked: false, nowMs: context.nowMs() };
      if (output === "table") context.stderr.write(refusalText(refused, view));
      else await writeOutput(context, output, { refused }, () => "");
      return ExitCode.refused;
    };
    const asked = checkMtls(server.address, { target, lookBack: undefined, operator });
    const { result: checked } = await hinted(server, asUsage(verb, asked));
    if (checked.case === undefined) return await refuse(answerEmpty(server));
    if (checked.case === "refused") return await refuse(refusalValue(checked.value, server));
    const verdict = verdictValue(checked.value);
    if (!namesIn(verdict).has(name)) return await refuse(nobody(name, verdict, server));
    // By the server's clock, which ends it.
    const untilMs = Date.parse(verdict.now) + seconds * 1_000;
    const order = { target, names: [name], reason, operator, untilMs };
    const sent = addCallerWaivers(server.address, order);
    const { result } = await hinted(server, asUsage(verb, sent));
    if (result.case === undefined) return await refuse(answerEmpty(server));
    if (result.case === "refused") return await refuse(refusalValue(result.value, server));
    const waivers = result.value.waivers.map(callerWaiverValue);
    await writeOutput(context, output, { waivers }, () => countsText(waivers, target));
    return ExitCode.ok;
  },
});

/** Also of whom a waiver counts, whoever is seen now. */
function namesIn({ callers, silent, waivers }: VerdictValue): ReadonlySet<string> {
  return new Set([...callers, ...silent, ...waivers].map(({ name }) => name));
}
