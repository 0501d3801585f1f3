/** `portcullis jwt fetch` */

import { WorkloadApiClient } from "../../../edge/rpc/workload-api-client.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { requiredWorkloadApiFlag } from "../workload-api-flag.ts";

const timeoutMs = 15_000;

export const jwtFetch: Command = defineCommand({
  description:
    "Gets a JWT-SVID of the workload from its agent, and prints it alone, so that it can be put into " +
    "a file or a header. It proves the workload's identity to whoever verifies it, and no key: who " +
    "has it can use it until it expires.",
  flags: {
    ...requiredWorkloadApiFlag,
    audience: {
      type: "string",
      valueName: "AUDIENCE",
      help: "for whom it is; may be given several times, one is safer",
      required: true,
      multiple: true,
    },
  },
  examples: [
    {
      what: "For one service",
      command: "portcullis jwt fetch --workload-api unix:///run/agent.sock --audience db",
    },
  ],
  async run({ stdout }, { "workload-api": address, audience }) {
    using client = new WorkloadApiClient(address);
    const { svids } = await client.fetchJwtSvid(audience, timeoutMs);
    stdout.write(`${svids[0]?.svid ?? ""}\n`);
    return ExitCode.ok;
  },
});
