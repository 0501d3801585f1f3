/** `mtls explain SRC DST:PORT` for people: the verdict first, then both sides for each kind of endpoint. */

import type { EndpointValue } from "../../core/policy/explain.ts";
import type { ExplainedCall } from "./explain-call.ts";
import { portReasons } from "./explain-port.ts";
import {
  adviceFor,
  becauseWords,
  overrodeWords,
  reasonWords,
  takenWords,
  verdictWords,
} from "./explain-words.ts";
import type { Configuration } from "./mtls-configuration.ts";

export function callText(configuration: Configuration, call: ExplainedCall): string {
  const { source, host, port, subset, verdict, why, endpoints, notes } = call;
  const of = subset === "" ? "" : `, subset ${subset}`;
  const head =
    `${source.namespace}/${source.name} -> ${host}:${port}${of}: ` +
    `${verdictWords[verdict]}, ${reasonWords[why]}\n`;
  const blocks = groupsOf(endpoints).map((group) => endpointText(configuration, group));
  const lines = [...notes.map((each) => `note: ${each}\n`), ...nobodyText(call)];
  return [head + lines.join(""), ...blocks].join("\n");
}

/** No endpoint has it. */
function nobodyText({ why, host, service, endpoints }: ExplainedCall): readonly string[] {
  if (why !== "no-endpoints" || endpoints.length > 0) return [];
  const of = `ServiceEntry ${service.namespace}/${service.name}`;
  const advice = host.startsWith("*")
    ? `name the hosts in ${of}: nobody knows which of many is meant`
    : `compare workloadSelector and endpoints of ${of}, or the subset's labels, with the WorkloadEntries`;
  return [`what to do: ${advice}\n`];
}

/** Those of which the same is to be said. */
function groupsOf(endpoints: readonly EndpointValue[]): readonly (readonly EndpointValue[])[] {
  const same = ({ client, server, verdict, why }: EndpointValue): string =>
    JSON.stringify([client, server, verdict, why]);
  return [...Map.groupBy(endpoints, same).values()];
}

function endpointText(configuration: Configuration, group: readonly EndpointValue[]): string {
  const [first] = group;
  if (first === undefined) return "";
  const { client, server, verdict, why } = first;
  const advice = adviceFor(first);
  return [
    `${namesOf(group)}: ${verdictWords[verdict]}, ${reasonWords[why]}\n`,
    `sends ${sentWords(client)}\n`,
    `  because ${becauseWords(configuration, client.because)}\n`,
    ...client.overrode.map((each) => `  instead of ${overrodeWords(configuration, each)}\n`),
    // Nobody enforces it where there is no proxy.
    ...(server === null || why === "not-ours-to-decide" || why === "mtls-to-no-proxy"
      ? []
      : [`takes ${takenWords[server.mode]}\n`, portReasons(configuration, server)]),
    ...(advice === "" ? [] : [`what to do: ${advice}\n`]),
  ].join("");
}

const namedMax = 3;

function namesOf(group: readonly EndpointValue[]): string {
  const names = group.map(({ workload, address, port }) => {
    const of = workload === null ? "" : `${workload.namespace}/${workload.name} at `;
    return `${of}${address}:${port}`;
  });
  const more = names.length - namedMax;
  return names.slice(0, namedMax).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function sentWords({ sends, sni, sans }: EndpointValue["client"]): string {
  if (sends === "plaintext") return "plaintext";
  if (sends === "tls") return "TLS, not with the mesh's certificate";
  const who =
    sans.length === 0 ? "anybody of the mesh, since nobody says who may" : sans.join(" or ");
  return `mTLS, SNI ${sni ?? ""}; may answer: ${who}`;
}
