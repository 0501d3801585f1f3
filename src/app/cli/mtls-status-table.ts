/** `portcullis mtls status` for people: a line for each port, then who waits for whom, then what was refused. */

import type { PolicyStatusValue, ProxyPolicyValue } from "./mtls-status-value.ts";
import { formatTable, type Cell } from "./table.ts";

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

export function policyStatusText({ proxies }: PolicyStatusValue, colour: boolean): string {
  if (proxies.length === 0) {
    return "no proxy takes its listeners from here: portcullis envoy bootstrap --help\n";
  }
  const columns = ["workload", "proxy", "port", "wanted", "in force", "because", "state"];
  const table = formatTable(
    columns.map((header) => ({ header, ...(header === "port" && { align: "right" }) })),
    proxies.flatMap(rowsOf),
    { colour },
  );
  return [table, waitsText(proxies), refusalsText(proxies)]
    .filter((text) => text !== "")
    .join("\n");
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

const steps: ReadonlyMap<string, string> = new Map([
  ["stop-plaintext", "does not refuse plaintext yet"],
  ["stop-mtls", "does not refuse mTLS yet"],
  ["send-mtls", "does not send mTLS yet"],
  ["send-plaintext", "does not send plaintext yet"],
]);

function waitsText(proxies: readonly ProxyPolicyValue[]): string {
  return proxies
    .flatMap(({ proxy, spiffeId, workload, waits }) =>
      waits.map(({ step, endpoint, for: names, count }) => {
        const more = count > names.length ? ` and ${count - names.length} more` : "";
        const who = workload ?? `${spiffeId} ${proxy}`;
        return `${who} ${steps.get(step) ?? step} (${endpoint}): waits for ${names.join(", ")}${more}\n`;
      }),
    )
    .join("");
}

function refusalsText(proxies: readonly ProxyPolicyValue[]): string {
  return proxies
    .flatMap(({ proxy, spiffeId, workload, refusal }) => {
      if (refusal === null) return [];
      const objects = refusal.objects.map(
        ({ kind, namespace, name }) => `${kind} ${namespace}/${name}`,
      );
      const of = objects.length === 0 ? "" : `, which comes of ${firstOf(objects)}`;
      const who = workload ?? `${spiffeId} ${proxy}`;
      const what = refusal.resources.join(", ") || "its policy";
      return [
        `${who}: Envoy has refused ${what}${of}, and keeps the last good one: ${refusal.detail}\n`,
      ];
    })
    .join("");
}

/** The likeliest come first, and all endpoints of a service last. */
function firstOf(objects: readonly string[]): string {
  const more = objects.length - objectsShown;
  const shown = objects.slice(0, objectsShown).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}

const objectsShown = 3;
