/** `portcullis root adopt` */

import { resolve } from "node:path";
import { isDnsLabel, isDnsSubdomain } from "../../../core/identity/service-account.ts";
import { readCaToSend, type SentCa } from "../../../edge/ca/sent-ca.ts";
import { connectionFlags, type ConnectionValues } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { kubeconfigFiles } from "../kube-flags.ts";
import { nextLines } from "../next-commands.ts";
import { claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { reportChange, sendCommand } from "../root-change.ts";
import { awayNext } from "../root-classes.ts";
import { changesFlag, runRotation, timeoutFlag } from "../root-rotate-run.ts";
import { resolveServerTarget, textTarget } from "../server-target.ts";
import { UsageError } from "../usage-error.ts";
import { parseWaiver, waiverFlags } from "../waiver-flags.ts";

export const rootAdopt: Command = defineCommand({
  description:
    "Takes over the CA of an Istio mesh, so that its workloads and those of this server believe each " +
    "other: its root is prepared, signs when every verifier has confirmed it, and the root that the " +
    "server had before is retired. The key is read here and kept by the server; it is never printed.\n\n" +
    "With --waive whoever it names is passed over once the root is prepared, for that step.\n\n" +
    "Then rotate away from it, by the same gates: portcullis root rotate. What others have signed under " +
    "it no gate sees: its end waits for --waive class/signed-elsewhere, your word that the last of it " +
    "has expired. Ctrl-C leaves the rotation where it is, which is safe at any step; root rotate " +
    "--resume goes on.",
  flags: {
    "from-secret": {
      type: "string",
      valueName: "NAMESPACE/NAME",
      help: "istio-system/cacerts or istio-system/istio-ca-secret, read by the kubeconfig",
    },
    "from-dir": {
      type: "string",
      valueName: "DIR",
      help: "the same files in a directory of this machine: ca-cert.pem, ca-key.pem, root-cert.pem",
    },
    ...timeoutFlag,
    ...dryRunFlag,
    ...waiverFlags,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...changesFlag,
  },
  examples: [
    {
      what: "Of the istiod of the kubeconfig's cluster",
      command: "portcullis root adopt --from-secret istio-system/istio-ca-secret",
    },
    {
      what: "Beside that istiod, whose ConfigMaps have its root already",
      command:
        'portcullis root adopt --from-secret istio-system/cacerts --waive class/configmap --reason "istiod wrote it" --for 1h',
    },
  ],
  async run(context, flags) {
    const wanted = parseWaiver("root adopt", flags);
    if (wanted !== undefined && flags["dry-run"]) throw waivedTooEarly();
    const sent = await readSource(context, flags);
    const server = serverFlags(flags);
    const source = { sent };
    if (flags["dry-run"]) {
      const target = await resolveServerTarget(server, context);
      const operator = operatorName(flags.operator, context.env);
      const value = await sendCommand(
        { kind: "prepare", source },
        { target, operator, dryRun: true },
      );
      return await reportChange(context, value, target, flags.output);
    }
    const run = { source, isResumed: false, wanted };
    const code = await runRotation(context, server, run);
    if (code !== ExitCode.ok || flags.output !== "table") return code;
    const next = awayNext(textTarget(server));
    context.stdout.write(nextLines("next, away from it", next, context.nowMs()));
    return code;
  },
});

function waivedTooEarly(): UsageError {
  const message =
    "--waive: expected none with --dry-run: nobody has the root before it is prepared";
  const hint = "portcullis help root adopt";
  return new UsageError("usage-invalid-value", message, { hint });
}

interface SourceValues extends ConnectionValues {
  readonly "from-secret": string | undefined;
  readonly "from-dir": string | undefined;
}

/** A server that is named otherwise is not looked for in the cluster that has the Secret. */
function serverFlags<Flags extends SourceValues>(flags: Flags): Flags {
  const isElsewhere = flags.admin !== undefined || flags["data-dir"] !== undefined;
  return isElsewhere ? { ...flags, kubeconfig: undefined, context: undefined } : flags;
}

async function readSource(context: Context, flags: SourceValues): Promise<SentCa> {
  const { "from-secret": secret, "from-dir": directory } = flags;
  const hint = "portcullis help root adopt";
  if ((secret === undefined) === (directory === undefined)) {
    const message = "expected one of --from-secret and --from-dir";
    throw new UsageError("usage-missing-flag", message, { hint });
  }
  if (directory !== undefined) return await readCaToSend(resolve(directory));
  const [namespace = "", name = "", ...rest] = (secret ?? "").split("/");
  if (!isDnsLabel(namespace) || !isDnsSubdomain(name) || rest.length > 0) {
    const message = `--from-secret: expected NAMESPACE/NAME, got ${JSON.stringify(secret)}`;
    throw new UsageError("usage-invalid-value", message, { hint });
  }
  const [path, ...more] = await kubeconfigFiles(flags, context.env);
  if (path === undefined) {
    const message = "--from-secret: expected a kubeconfig, got none";
    throw new UsageError("usage-missing-flag", message, { hint: "--kubeconfig FILE" });
  }
  const { KubeConnection } = await import("../../../edge/kube/kube-connection.ts");
  const { kubeconfigAccess } = await import("../../../edge/kube/kubeconfig-access.ts");
  const { readCaSecret } = await import("../../../edge/kube/trust/ca-secret.ts");
  const access = await kubeconfigAccess({ path, more, context: flags.context });
  using connection = new KubeConnection({ access });
  return await readCaSecret(connection, namespace, name);
}
