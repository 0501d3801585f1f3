/** `portcullis mtls explain` */

import { isBroken } from "../../../core/policy/explain-verdict.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { explainedCall } from "../explain-call.ts";
import { callText } from "../explain-call-text.ts";
import { explainedPort, portText } from "../explain-port.ts";
import { parsePlaceAndPort } from "../explain-target.ts";
import { configurationFlags, heldNow, loadConfiguration } from "../mtls-configuration.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { UsageError } from "../usage-error.ts";

export const mtlsExplain: Command = defineCommand({
  description:
    "With one argument, NAMESPACE/WORKLOAD:PORT, says what a workload's port takes (the workload's own port, not a " +
    "service's), which object says so, which ones it stands over and which are ignored. With two says what " +
    "becomes of a call: what the client's proxy sends to each endpoint and what is taken there. The second is a " +
    "host with a service's port, or NAMESPACE/WORKLOAD of an endpoint. Workloads are WorkloadEntries.\n\n" +
    "It decides by the configuration, of the server or of files, and not by what proxies do right now: that is " +
    "portcullis mtls status.\n\n" +
    "Exits 4 when the call would be refused, or fail.",
  flags: {
    ...configurationFlags,
    subset: { type: "string", valueName: "NAME", help: "one that a DestinationRule declares" },
    ...outputFlag,
  },
  positionals: [
    { name: "SRC", help: "the client, NAMESPACE/WORKLOAD; alone: NAMESPACE/WORKLOAD:PORT" },
    {
      name: "DST:PORT",
      help: "whom it calls: HOST:PORT or NAMESPACE/WORKLOAD:PORT",
      optional: true,
    },
  ],
  examples: [
    {
      what: "Why is this call refused?",
      command: "portcullis mtls explain web/front api.shop.internal:80",
    },
    { what: "What does this port take?", command: "portcullis mtls explain shop/api-0:8080" },
    {
      what: "By files, without a server",
      command: "portcullis mtls explain -f policies/ shop/api-0:8080 -o json | jq -r .mode",
    },
  ],
  async run(context, flags, [source = "", destination]) {
    if (destination === undefined) {
      const place = parsePlaceAndPort("NAMESPACE/WORKLOAD:PORT", source);
      if (flags.subset !== undefined) {
        const message = "--subset: expected a call, got a port";
        throw new UsageError("usage-invalid-value", message);
      }
      const configuration = heldNow(await loadConfiguration(flags.filename, flags, context));
      const value = explainedPort(configuration, place);
      await writeOutput(context, flags.output, value, () => portText(configuration, value));
      return ExitCode.ok;
    }
    parsePlaceAndPort("DST:PORT", destination);
    const configuration = heldNow(await loadConfiguration(flags.filename, flags, context));
    const value = explainedCall(configuration, source, destination, flags.subset ?? "");
    await writeOutput(context, flags.output, value, () => callText(configuration, value));
    return isBroken(value.verdict) ? ExitCode.refused : ExitCode.ok;
  },
});
