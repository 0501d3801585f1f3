/** `portcullis jwt validate` */

import { readPipedFile } from "../../../edge/config/piped-file.ts";
import { WorkloadApiClient } from "../../../edge/rpc/workload-api-client.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { requiredWorkloadApiFlag } from "../workload-api-flag.ts";

const timeoutMs = 15_000;
const fileBytesMax = 65_536;

export const jwtValidate: Command = defineCommand({
  description:
    "Asks the agent whether a JWT-SVID is good for an audience, by the keys of the trust bundle that " +
    "the agent holds; prints whose it is and its claims.",
  flags: {
    ...requiredWorkloadApiFlag,
    audience: {
      type: "string",
      valueName: "AUDIENCE",
      help: "your own name, for which the token must be",
      required: true,
    },
    ...outputFlag,
  },
  positionals: [{ name: "FILE", help: "the file that the token is in; /dev/stdin for a pipe" }],
  examples: [
    {
      what: "A token that a caller sent",
      command:
        "portcullis jwt validate --workload-api unix:///run/agent.sock --audience db token.jwt",
    },
  ],
  async run(context, { "workload-api": address, audience, output }, [file = ""]) {
    const bytes = await readPipedFile(file, fileBytesMax, context.signal);
    const svid = Buffer.from(bytes).toString().trim();
    using client = new WorkloadApiClient(address);
    const { spiffeId, claims } = await client.validateJwtSvid(audience, svid, timeoutMs);
    const value = { spiffeId, claims: claims ?? {} };
    const text = `${spiffeId}\n${JSON.stringify(value.claims, undefined, 2)}\n`;
    await writeOutput(context, output, value, () => text);
    return ExitCode.ok;
  },
});
