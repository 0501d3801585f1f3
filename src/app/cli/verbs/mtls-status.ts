/** `portcullis mtls status` */

import { fetchPolicyStatus } from "../../../edge/rpc/policy-status-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { fetchFlips } from "../mtls-flip-follow.ts";
import { isOverdue } from "../mtls-status-debt.ts";
import { flipLines, flipsIn } from "../mtls-status-flips.ts";
import { isIn, nothing, policyStatusText } from "../mtls-status-table.ts";
import { policyStatusValue, type PolicyStatusValue } from "../mtls-status-value.ts";
import { resolveServerTarget } from "../server-target.ts";
import { outputFlag, tableWidth, wantsColour, writeOutput } from "../output.ts";
import { UsageError } from "../usage-error.ts";

export const mtlsStatus: Command = defineCommand({
  description:
    "Shows every port of every proxy whose listeners come from here: the mode that the configuration wants, " +
    "the one that its Envoy has acknowledged, and why; then what is not in force, what ends that, who waits for whom, and " +
    "what an Envoy has refused.\n\n" +
    "States: in-force; draining, where plaintext connections from before strict are open or may be; unobserved, where " +
    "Envoy does not tell of them; pushed, on its way; held, it waits; refused, by its Envoy; silent, nobody tells of it now; " +
    "unknown, it has not said what it does.\n\n" +
    "MTLS is the share of mTLS among the connections that were taken within the look-back, those that are open counted in, and PLAINTEXT how many " +
    "callers made all else, refused or not; UNTIL and OWNER are of portcullis mtls permissive.\n\n" +
    "Exits 0 when all of it is in force, 3 while something waits, as a flip does, a proxy is away or a date has come, and 4 when an Envoy has refused " +
    "what it was sent.",
  flags: {
    namespace: {
      type: "string",
      short: "n",
      valueName: "NAME",
      help: "of the workloads; default all",
    },
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [
    { what: "Of a namespace", command: "portcullis mtls status -n payments" },
    {
      what: "Ports that still take plaintext",
      command:
        "portcullis mtls status -o json | jq '.proxies[] | {workload, ports: [.ports[] | select(.inForce != \"strict\")]}'",
    },
  ],
  async run(context, flags) {
    const server = await resolveServerTarget(flags, context);
    const { sequence, proxies } = await fetchPolicyStatus(server.address);
    const { namespace } = flags;
    const nowMs = context.nowMs();
    const all = policyStatusValue(sequence, proxies);
    const flips = flipsIn(await fetchFlips(server, ""), namespace);
    const value = { ...all, proxies: all.proxies.filter((each) => isIn(each, namespace)), flips };
    if (all.proxies.length > 0 && value.proxies.length + flips.length === 0) {
      throw nobodyIn(all, namespace ?? "");
    }
    const view = { namespace, nowMs, colour: wantsColour(context), columns: tableWidth(context) };
    await writeOutput(context, flags.output, value, () => {
      return policyStatusText(all, view) + flipLines(flips, server);
    });
    const states = new Set(value.proxies.map(({ state }) => state));
    if (states.has("refused") || value.proxies.some(({ refusal }) => refusal !== null)) {
      return ExitCode.refused;
    }
    const isDone = [...states].every((state) => state === "in-force");
    const isLate = value.proxies.some(({ ports }) => ports.some((each) => isOverdue(each, nowMs)));
    return isDone && !isLate && flips.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

/** Often a name that is mistaken: nothing waits there, and nothing is in force. */
function nobodyIn({ proxies }: PolicyStatusValue, namespace: string): UsageError {
  const message = `--namespace: ${nothing(proxies, namespace).trimEnd()}`;
  return new UsageError("usage-invalid-value", message, { hint: "portcullis get -A" });
}
