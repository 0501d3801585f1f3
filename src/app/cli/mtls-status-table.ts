/** `portcullis mtls status` for people: a line for each port, then what is not in force, and why. */

import { stateLines } from "./mtls-status-lines.ts";
import type { PolicyStatusValue, ProxyPolicyValue } from "./mtls-status-value.ts";
import { formatTable, type Cell } from "./table.ts";
import { printable } from "./text.ts";

type Port = ProxyPolicyValue["ports"][number];

const colours: ReadonlyMap<string, "green" | "yellow" | "red"> = new Map([
  ["in-force", "green"],
  ["draining", "yellow"],
  ["unobserved", "yellow"],
  ["pushed", "yellow"],
  ["held", "yellow"],
  ["silent", "yellow"],
  ["unknown", "yellow"],
  ["refused", "red"],
]);

/** @param namespace the only one that is shown; undefined for all */
export function policyStatusText(
  { proxies }: PolicyStatusValue,
  { namespace, colour }: { readonly namespace: string | undefined; readonly colour: boolean },
): string {
  const shown = proxies.filter((each) => isIn(each, namespace));
  if (shown.length === 0) return nothing(proxies, namespace);
  const columns = ["workload", "proxy", "port", "wanted", "in force", "because", "state"];
  const table = formatTable(
    columns.map((header) => ({ header, ...(header === "port" && { align: "right" }) })),
    shown.flatMap(rowsOf),
    { colour },
  );
  const lines = stateLines(shown, proxies);
  return lines === "" ? table : `${table}\n${lines}`;
}

export function isIn({ spiffeId }: ProxyPolicyValue, namespace: string | undefined): boolean {
  return namespace === undefined || namespaceOf(spiffeId) === namespace;
}

/** `spiffe://TD/ns/NAMESPACE/sa/NAME` */
function namespaceOf(spiffeId: string): string {
  return spiffeId.split("/")[4] ?? "";
}

const namespacesShown = 5;

function nothing(proxies: readonly ProxyPolicyValue[], namespace: string | undefined): string {
  if (proxies.length === 0 || namespace === undefined) {
    return (
      "no proxy has asked for its listeners since the server's start, and none is waited for: " +
      "portcullis envoy bootstrap --help\n"
    );
  }
  const others = [...new Set(proxies.map(({ spiffeId }) => namespaceOf(spiffeId)))];
  const more = others.length - namespacesShown;
  const names = others.slice(0, namespacesShown).join(", ") + (more > 0 ? ` and ${more} more` : "");
  const count = proxies.length === 1 ? "1 proxy" : `${proxies.length} proxies`;
  return printable(`no proxy in ${namespace}; ${count} in ${names}`) + "\n";
}

function rowsOf(proxy: ProxyPolicyValue): Cell[][] {
  const state = stateCell(proxy);
  const workload = proxy.workload ?? proxy.spiffeId;
  if (proxy.ports.length === 0) return [[workload, proxy.proxy, "", "", "", "", state]];
  return proxy.ports.map((port) => [
    workload,
    proxy.proxy,
    String(port.port),
    port.wanted ?? "",
    inForceOf(port),
    becauseOf(port),
    state,
  ]);
}

function stateCell({ state }: ProxyPolicyValue): Cell {
  const colour = colours.get(state);
  return colour === undefined ? state : { text: state, colour };
}

function inForceOf({ inForce, openPlaintext }: Port): string {
  const mode = inForce ?? "";
  if (openPlaintext === 0) return mode;
  return `${mode} (${openPlaintext} plaintext connection${openPlaintext === 1 ? "" : "s"} open)`;
}

function becauseOf({ because: { kind, namespace, name, rule } }: Port): string {
  return kind === null ? "default" : `${kind} ${namespace}/${name} (${rule})`;
}
