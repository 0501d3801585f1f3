/** `portcullis policy import` */

import { defaultMeshConfig } from "../../../core/resources/mesh-config.ts";
import { formatYaml } from "../../../edge/config/yaml.ts";
import { importIstio } from "../../../edge/resources/import/import-istio.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { filenameFlag, readTexts } from "../resource-files.ts";
import { printable } from "../text.ts";

export const policyImport: Command = defineCommand({
  description:
    "Turns manifests of Istio 1.0 into today's, on stdout: Policy and MeshPolicy into PeerAuthentication, " +
    "DestinationRule and others into their present version. What cannot be carried over has a line on stderr.\n\n" +
    "A Policy named services, and a PeerAuthentication selects workloads: give the Services or " +
    "ServiceEntries, too, and their selectors and target ports are taken. Of a service that is not there, " +
    "app: NAME is assumed, and said. Without a MeshPolicy Istio 1.0 took plaintext only; today's default takes mTLS, too.\n\n" +
    "Exits 3 when something could not be carried over.",
  flags: {
    ...filenameFlag,
    filename: { ...filenameFlag.filename, required: true },
    "root-namespace": {
      type: "string",
      valueName: "NAME",
      help: "of the mesh's policy",
      default: defaultMeshConfig.rootNamespace,
    },
  },
  examples: [
    {
      what: "All of an old cluster's policies",
      command:
        "kubectl get meshpolicies,policies,destinationrules,serviceentries,services -A -o yaml |\n" +
        "  portcullis policy import -f - > today.yaml",
    },
    {
      what: "What it means, before it is applied",
      command: "portcullis policy import -f old/ > today.yaml; portcullis validate -f today.yaml",
    },
  ],
  async run(context, flags) {
    const texts = await readTexts(flags.filename, context);
    const { carried, lost } = importIstio(texts, flags["root-namespace"]);
    const documents = carried.map(({ manifest, from }) => {
      return `# from ${printable(from.join(", "))}\n${formatYaml(manifest)}`;
    });
    context.stdout.write(documents.join("---\n"));
    for (const line of lost) context.stderr.write(`not carried over: ${printable(line)}\n`);
    return lost.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});
