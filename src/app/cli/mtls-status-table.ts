/** `portcullis mtls status` for people: a line for each port, then what is not in force, and why. */

import { statusTable, type StatusRow, type StatusView } from "./mtls-status-columns.ts";
import { debtLines } from "./mtls-status-debt.ts";
import { stateLines } from "./mtls-status-lines.ts";
import type { PolicyStatusValue, ProxyPolicyValue } from "./mtls-status-value.ts";
import { printable } from "./text.ts";

/** @param namespace the only one that is shown; undefined for all */
export function policyStatusText(
  { proxies }: PolicyStatusValue,
  { namespace, ...view }: StatusView & { readonly namespace: string | undefined },
): string {
  const shown = proxies.filter((each) => isIn(each, namespace));
  if (shown.length === 0) return nothing(proxies, namespace);
  const table = statusTable(shown.flatMap(rowsOf), view);
  const below = [stateLines(shown, proxies), debtLines(shown, view.nowMs)];
  return [table, ...below.filter((lines) => lines !== "")].join("\n");
}

export function isIn({ spiffeId }: ProxyPolicyValue, namespace: string | undefined): boolean {
  return namespace === undefined || namespaceOf(spiffeId) === namespace;
}

/** `spiffe://TD/ns/NAMESPACE/sa/NAME` */
function namespaceOf(spiffeId: string): string {
  return spiffeId.split("/")[4] ?? "";
}

const namespacesShown = 5;

/** Who has a proxy instead. */
export function nothing(
  proxies: readonly ProxyPolicyValue[],
  namespace: string | undefined,
): string {
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

function rowsOf(proxy: ProxyPolicyValue): readonly StatusRow[] {
  if (proxy.ports.length === 0) return [{ proxy, port: undefined }];
  return proxy.ports.map((port) => ({ proxy, port }));
}
