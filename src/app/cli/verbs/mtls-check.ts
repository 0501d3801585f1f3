/** `portcullis mtls check` */

import { checkMtls } from "../../../edge/rpc/flip-client.ts";
import type { CheckRequest } from "../../../edge/rpc/flip-requests.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, type Command, type Context } from "../command.ts";
import { Progress } from "../live-progress.ts";
import { watchVerdict } from "../mtls-check-watch.ts";
import { lookBackFlag, lookBackOf, targetPositional } from "../mtls-flags.ts";
import { refusalError } from "../mtls-refused.ts";
import { verdictExit } from "../mtls-verdict-line.ts";
import { verdictNext } from "../mtls-verdict-next.ts";
import { verdictText } from "../mtls-verdict-text.ts";
import { verdictValue, type VerdictValue } from "../mtls-verdict-value.ts";
import { nextLines } from "../next-commands.ts";
import { asUsage, claimFlags, operatorName } from "../operator.ts";
import { outputFlag, tableWidth, wantsColour, writeOutput } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import { hinted, resolveServerTarget, type ServerTarget } from "../server-target.ts";

export const mtlsCheck: Command = defineCommand({
  description:
    "Says whether ports can go strict, by what their Envoys have seen: SAFE, when every connection within the " +
    "look-back was mTLS and none can have been missed; UNSAFE, with the callers that would be refused; UNKNOWN, with the " +
    "proxies that cannot answer for all of that time. What can be done about each stands last.\n\n" +
    "Exits 0 for SAFE, 4 for UNSAFE and 3 for UNKNOWN; with --watch by the last verdict.",
  flags: {
    ...lookBackFlag,
    watch: { type: "boolean", short: "w", help: "show what changes, until Ctrl-C" },
    operator: claimFlags.operator,
    ...connectionFlags,
    ...outputFlag,
  },
  positionals: [targetPositional],
  examples: [
    { what: "Of a workload or service", command: "portcullis mtls check payments/api" },
    {
      what: "Who would be refused",
      command: "portcullis mtls check payments/api -o json | jq -r '.callers[].name'",
    },
    {
      what: "While callers move, in a mesh that is a day old",
      command: "portcullis mtls check payments/api --look-back 1d --watch",
    },
  ],
  async run(context, flags, [name = ""]) {
    const lookBack = lookBackOf("mtls check", flags);
    if (flags.watch && flags.output === "yaml") throw notWatched();
    const operator = operatorName(flags.operator, context.env);
    const server = await resolveServerTarget(flags, context);
    const ask = () => fetchVerdict(server, { target: name, lookBack, operator });
    const value = await ask();
    const isAsked = lookBack !== undefined;
    const next = verdictNext(value, server, { lookBack });
    const progress = new Progress(context, flags.output === "json" ? "json" : "table");
    const watching = { first: value, isAsked, ask, progress };
    if (flags.watch && progress.event("verdict", { ...value, next })) {
      return await watchVerdict(context, watching);
    }
    await writeOutput(context, flags.output, { ...value, next }, () =>
      textOf(context, value, isAsked, nextLines("next", next, Date.parse(value.now))),
    );
    if (flags.watch) return await watchVerdict(context, watching);
    return verdictExit(value);
  },
});

function notWatched(): UsageError {
  const message = "-o: expected table or json with --watch, got yaml";
  return new UsageError("usage-invalid-value", message, { hint: "portcullis help mtls check" });
}

function textOf(context: Context, value: VerdictValue, isAsked: boolean, nextText: string): string {
  const columns = tableWidth(context);
  const text = verdictText(value, { colour: wantsColour(context), isAsked, columns });
  // Apart from tables, and not from a line alone.
  const gap = text.split("\n").length > 2 ? "\n" : "";
  return `${text}${gap}${nextText}`;
}

/** @throws PortcullisError where the server cannot judge it, and as `checkMtls` */
async function fetchVerdict(server: ServerTarget, request: CheckRequest): Promise<VerdictValue> {
  const asked = checkMtls(server.address, request);
  const { result } = await hinted(server, asUsage("mtls check", asked));
  if (result.case === "verdict") return verdictValue(result.value);
  const refused = result.case === "refused" ? result.value : undefined;
  throw refusalError(refused, server, { lookBack: request.lookBack });
}
