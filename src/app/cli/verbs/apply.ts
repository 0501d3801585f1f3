/** `portcullis apply` */

import { defineCommand, ExitCode, type Command } from "../command.ts";
import { changeFlags, runChange } from "../resource-change.ts";
import { requireObjects } from "../no-objects.ts";
import { filenameFlag, loadResourceFiles, problemLine } from "../resource-files.ts";
import { printable } from "../text.ts";
import { UsageError } from "../usage-error.ts";

export const apply: Command = defineCommand({
  description:
    "Gives a server objects of Istio's: PeerAuthentication, DestinationRule, ServiceEntry, WorkloadEntry, " +
    "Sidecar, and MeshConfig in its ConfigMap. All of them are taken, or none. What is in force then stands " +
    "in the server's database; the log has who changed which objects.\n\n" +
    "An object is as old as its first apply, or as it says. One of the server's directory (--resources) is " +
    "changed there only.\n\n" +
    "Exits 3 when something is weaker than it looks.",
  flags: { ...filenameFlag, ...changeFlags },
  examples: [
    { what: "A directory of files", command: "portcullis apply -f policies/" },
    { what: "What it would change", command: "portcullis apply -f strict.yaml --dry-run" },
    {
      what: "What a cluster has, with its ages",
      command: "kubectl get pa,dr,se,we,sidecar -A -o yaml | portcullis apply -f -",
    },
  ],
  async run(context, flags) {
    if (flags.filename.length === 0) {
      throw new UsageError("usage-missing-flag", "--filename is required", {
        hint: "portcullis apply -f FILE",
      });
    }
    const { objects, problems } = await loadResourceFiles(flags.filename, context);
    for (const each of problems) {
      context.stderr.write(`warning: ${printable(problemLine(each))}\n`);
    }
    requireObjects(flags.filename, objects);
    const code = await runChange(context, flags, { apply: objects, remove: [] });
    return problems.length === 0 ? code : ExitCode.warning;
  },
});
