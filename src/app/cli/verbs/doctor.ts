/** `portcullis doctor` */

import { skipped, type CheckStatus, type DoctorFinding } from "../../../core/doctor/finding.ts";
import { joinFindings, worstOf } from "../../../core/doctor/join-findings.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import type { ClusterAnswer } from "../doctor-cluster.ts";
import { askServer } from "../doctor-server.ts";
import type { KubeValues } from "../kube-flags.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { pasteable, resolveServerTarget } from "../server-target.ts";
import { formatTable, type Cell, type CellColour } from "../table.ts";
import { printable } from "../text.ts";
import { packageVersion } from "../version-info.ts";

export const doctor: Command = defineCommand({
  description:
    "Looks at a server, and by a kubeconfig also at its cluster: rights, clocks, definitions, audiences, " +
    "the webhook, what expires, ports and versions. The server looks at itself; what it cannot say, or cannot be " +
    "asked while it is away, the cluster says as far as the kubeconfig may ask.\n\n" +
    "A check that nobody could make is skipped, with the reason, and never well. " +
    "Exits 0 when all is well, 3 with warnings, 4 when something is critical, and 1 when nothing could be asked.",
  flags: { ...connectionFlags, ...outputFlag },
  examples: [
    { what: "A server in a cluster, by the current kubeconfig", command: "portcullis doctor" },
    {
      what: "What is critical, and what to do",
      command:
        'portcullis doctor -o json | jq -r \'.findings[] | select(.status == "critical") | .id + ": " + .hint\'',
    },
  ],
  async run(context, flags) {
    const target = await resolveServerTarget(flags, context);
    const isInCluster = typeof target.address !== "string";
    const [server, cluster] = await Promise.all([
      askServer(target.address, packageVersion(), context.nowMs),
      isInCluster ? byCluster(context, flags) : undefined,
    ]);
    context.signal.throwIfAborted();
    if (server.failure !== undefined && cluster?.isHeard !== true) throw server.failure;
    const rest = cluster === undefined ? notAsked : cluster.findings;
    const all = joinFindings([server.seen, server.said, rest]);
    const findings = all.map((each) => ({ ...each, hint: pasteable(target, each.hint) }));
    const status = worstOf(findings);
    const value = { status, findings: findings.map((each) => ({ ...each })) };
    await writeOutput(context, flags.output, value, () => tableOf(findings, context));
    return exitCodes[status];
  },
});

const notAsked = ["pods", "settings"].map((id) => ({
  id,
  ...skipped("asked by a kubeconfig only"),
}));

/** The library that reads a kubeconfig is large. What keeps it from being read keeps the server from being found, too. */
async function byCluster(context: Context, flags: KubeValues): Promise<ClusterAnswer | undefined> {
  const { askCluster } = await import("../doctor-cluster.ts");
  return await askCluster(flags, context).catch(() => undefined);
}

const exitCodes: { readonly [Status in CheckStatus]: ExitCode } = {
  ok: ExitCode.ok,
  warning: ExitCode.warning,
  critical: ExitCode.refused,
  skipped: ExitCode.error,
};

const colours: { readonly [Status in CheckStatus]: CellColour | undefined } = {
  ok: "green",
  warning: "yellow",
  critical: "red",
  skipped: undefined,
};

function tableOf(findings: readonly DoctorFinding[], context: Context): string {
  const table = formatTable(
    [{ header: "check" }, { header: "status" }, { header: "finding" }],
    findings.map(({ id, status, finding }): Cell[] => {
      const colour = colours[status];
      return [id, colour === undefined ? status : { text: status, colour }, finding];
    }),
    { colour: wantsColour(context) },
  );
  const hints = findings
    .filter(({ status, hint }) => status !== "ok" && hint !== "")
    .map(({ id, hint }) => `${id}: ${printable(hint)}\n`);
  return hints.length === 0 ? table : `${table}\n${[...new Set(hints)].join("")}`;
}
