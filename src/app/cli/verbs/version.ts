/** `portcullis version` */

import { defineCommand, ExitCode, type Command } from "../command.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { gitCommit, packageVersion } from "../version-info.ts";

export const version: Command = defineCommand({
  flags: outputFlag,
  examples: [{ what: "The version alone", command: "portcullis version -o json | jq -r .version" }],
  async run(context, { output }) {
    const commit = gitCommit();
    const value = { version: packageVersion(), commit, node: process.version };
    await writeOutput(context, output, value, () => {
      const from = commit === undefined ? "" : `commit ${commit.slice(0, 12)}, `;
      return `portcullis ${value.version} (${from}node ${value.node})\n`;
    });
    return ExitCode.ok;
  },
});
