/** `portcullis status` */

import { judgeExpiry } from "../../../core/issuance/expiry.ts";
import { fetchStatus } from "../../../edge/rpc/admin-client.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatRelative, formatSpan } from "../format.ts";
import { isKubeWell, kubeStatusText } from "../kube-status.ts";
import { outputFlag, wantsColour, writeOutput } from "../output.ts";
import { reloadRefusalText } from "../reload-refusal-value.ts";
import { resolveServerTarget, type ServerTarget } from "../server-target.ts";
import { statusValue, type ProxyValue, type StatusValue } from "../status-value.ts";
import { formatTable, type Cell } from "../table.ts";

export const status: Command = defineCommand({
  description:
    "Shows the server, its authorities, and what each proxy has proved: the certificate that it " +
    "holds, and the newest trust bundle that all its subscriptions have accepted.\n\n" +
    "Exits 3 when a proxy refused a secret, is away, or lags behind the bundle, and when an authority " +
    "has less than 30 days left or its key cannot be used, and when the newest configuration or CA on " +
    "disk was refused, or does not sign yet, and when the cluster's watches are behind or fail, or what " +
    "the server keeps in the cluster is not as it is to be.",
  flags: { ...connectionFlags, ...outputFlag },
  examples: [
    { what: "dev's server", command: "portcullis status" },
    {
      what: "Proxies that refused something",
      command:
        "portcullis status -o json | jq '.proxies[] | select(any(.subscriptions[]; .nack != \"\"))'",
    },
  ],
  async run(context, flags) {
    const target = await resolveServerTarget(flags, context);
    const value = statusValue(await fetchStatus(target.address));
    const colour = wantsColour(context);
    await writeOutput(context, flags.output, value, () => tables(value, target, colour));
    const isWell =
      value.proxies.every((proxy) => troubleOf(proxy, value) === "") &&
      expiringOf(value).length === 0 &&
      value.reloadRefusals.length === 0 &&
      (value.kube === null || isKubeWell(value.kube, Date.parse(value.now))) &&
      value.server.logAlarms === 0 &&
      value.server.problems.length === 0;
    return isWell ? ExitCode.ok : ExitCode.warning;
  },
});

function tables(value: StatusValue, target: ServerTarget, colour: boolean): string {
  const nowMs = Date.parse(value.now);
  const { server } = value;
  const head = [
    `portcullis ${server.version}, trust domain ${server.trustDomain}, ` +
      `up ${formatSpan(nowMs - Date.parse(server.startedAt))}`,
    `trust bundle ${server.bundleSequence}; ${server.agentsConnected} agents; since the start ` +
      `${server.certificatesSigned} certificates signed, ${server.requestsRefused} requests refused`,
    `log of ${server.logEntries} entries` + alarmsOf(server.logAlarms),
    ...server.problems.map((problem) => `nothing is signed: ${problem}`),
    ...value.reloadRefusals.map((each) => reloadRefusalText(each, target, nowMs)),
  ];
  const authorities = formatTable(
    [{ header: "authority" }, { header: "state" }, { header: "key" }, { header: "expires" }],
    value.authorities.map(({ id, state, keyType, notAfter }) => [
      id,
      state,
      keyType,
      relative(notAfter, nowMs),
    ]),
    { colour },
  );
  const proxies =
    value.proxies.length === 0
      ? "no proxies yet: start an agent and an Envoy (portcullis help agent)\n"
      : proxyTable(value, nowMs, colour);
  const expiring = expiringOf(value).map(({ id, notAfter }) =>
    judgeExpiry(Date.parse(notAfter), nowMs) === "past"
      ? `authority ${id} has expired: it signs nothing more\n`
      : `authority ${id} expires ${relative(notAfter, nowMs)}: nothing that it signs outlives it\n`,
  );
  const cluster = value.kube === null ? "" : `${kubeStatusText(value.kube, nowMs, colour)}\n`;
  return `${head.join("\n")}\n\n${authorities}${expiring.join("")}\n${cluster}${proxies}`;
}

function alarmsOf(count: number): string {
  return count === 0 ? "" : `; ALARMS: ${count} (next: portcullis audit verify)`;
}

/** A key for JWT-SVIDs has no certificate, and so no end. */
function expiringOf({ authorities, now }: StatusValue): StatusValue["authorities"] {
  return authorities.filter(
    ({ notAfter }) =>
      notAfter !== "" && judgeExpiry(Date.parse(notAfter), Date.parse(now)) !== "later",
  );
}

function proxyTable(value: StatusValue, nowMs: number, colour: boolean): string {
  const columns = ["proxy", "identity", "serial", "expires", "bundle", "last seen"];
  // Where there is no node agent there is nothing to say of it.
  const hasNodes = value.proxies.some(({ reportedBy }) => reportedBy !== "");
  if (hasNodes) columns.push("reported by");
  columns.push("trouble");
  return formatTable(
    columns.map((header) => ({ header })),
    value.proxies.map((proxy): Cell[] => {
      const trouble = troubleOf(proxy, value);
      return [
        proxy.proxy,
        proxy.identity,
        proxy.serial,
        relative(proxy.notAfter, nowMs),
        String(proxy.bundleConfirmed),
        proxy.connected ? "connected" : relative(proxy.lastSeen, nowMs),
        ...(hasNodes ? [proxy.reportedBy] : []),
        trouble === "" ? "" : { text: trouble, colour: "yellow" },
      ];
    }),
    { colour },
  );
}

/** Why an operator should look at this proxy; empty if there is no reason. */
function troubleOf(proxy: ProxyValue, { server, now }: StatusValue): string {
  const refused = proxy.subscriptions.find(({ nack }) => nack !== "");
  if (refused !== undefined) return `refused ${refused.name}: ${refused.nack}`;
  if (!proxy.connected) return "away";
  if (proxy.notAfter !== "" && Date.parse(proxy.notAfter) <= Date.parse(now)) return "expired";
  if (proxy.bundleConfirmed < server.bundleSequence)
    return `bundle ${server.bundleSequence} not confirmed`;
  return "";
}

function relative(timestamp: string, nowMs: number): string {
  return timestamp === "" ? "" : formatRelative(Date.parse(timestamp), nowMs);
}
