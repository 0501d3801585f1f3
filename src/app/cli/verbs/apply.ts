/** `portcullis apply` */

import type { ManifestProblem } from "../../../edge/resources/manifest.ts";
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
    "What is weaker than it looks is a warning on stderr. Exits 3 when something of the files was not taken over, because it has no " +
    "effect here.",

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
    await runChange(context, flags, { apply: objects, remove: [] });
    return problems.some(isIgnored) ? ExitCode.warning : ExitCode.ok;
  },
});

/** It was asked for, and is not done. */
function isIgnored({ code }: ManifestProblem): boolean {
  return code === "kind-without-effect" || code === "field-without-effect";
}
