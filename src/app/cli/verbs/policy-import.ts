/** `portcullis policy import` */

import { defaultMeshConfig } from "../../../core/resources/mesh-config.ts";
import { PortcullisError } from "../../../core/error.ts";
import { formatYaml } from "../../../edge/config/yaml.ts";
import { importIstio } from "../../../edge/resources/import/import-istio.ts";
import { isJsonMap } from "../../../edge/resources/manifest.ts";
import { parseYamlDocuments, YamlError } from "../../../edge/resources/yaml-documents.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { requireObjects } from "../no-objects.ts";
import { filenameFlag, readTexts } from "../resource-files.ts";
import { printable } from "../text.ts";

export const policyImport: Command = defineCommand({
  description:
    "Turns manifests of Istio 1.0 into today's, on stdout: Policy and MeshPolicy into PeerAuthentication, " +
    "DestinationRule and others into their present version. What cannot be carried over has a line on stderr.\n\n" +
    "A Policy named services, and a PeerAuthentication selects workloads: give the Services or " +
    "ServiceEntries, too, and their selectors and target ports are taken. Of a service that is not there, " +
    "app: NAME is assumed, and said. Without a MeshPolicy Istio 1.0 took plaintext only; today's default takes mTLS, too.\n\n" +
    "Exits 3 when something could not be carried over, and 1 when files are no manifests or there is nothing to carry over.",
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
    for (const each of texts) requireManifests(each);
    const { carried, lost } = importIstio(texts, flags["root-namespace"]);
    requireObjects(flags.filename, [...carried, ...lost]);
    const documents = carried.map(({ manifest, from }) => {
      return `# from ${printable(from.join(", "))}\n${formatYaml(manifest)}`;
    });
    context.stdout.write(documents.join("---\n"));
    for (const line of lost) context.stderr.write(`not carried over: ${printable(line)}\n`);
    return lost.length === 0 ? ExitCode.ok : ExitCode.warning;
  },
});

class NoManifestError extends PortcullisError<"manifests-invalid"> {
  override name = "NoManifestError";
}

/** Nothing of a file is carried over that is none: what is there of it would be taken for all. @throws NoManifestError */
function requireManifests({ name, text }: { readonly name: string; readonly text: string }): void {
  for (const document of parseYamlDocuments(text)) {
    if (document instanceof YamlError) {
      throw new NoManifestError(
        "manifests-invalid",
        `${name}:${document.line}: ${document.message}`,
      );
    }
    if (isJsonMap(document.value)) continue;
    const message = `${name}:${document.lineOf([])}: expected an object of Kubernetes, got none`;
    throw new NoManifestError("manifests-invalid", message);
  }
}
