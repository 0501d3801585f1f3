/** `mtls explain NAMESPACE/WORKLOAD:PORT`: what a port takes, and why. */

import { explainPort } from "../../core/policy/explain.ts";
import type { PortValue } from "../../core/policy/explain-value.ts";
import { endpointPort } from "../../core/policy/services.ts";
import { nameKey, refWords } from "../../core/resources/resource.ts";
import { takesMeshTls, type WorkloadEntry } from "../../core/resources/workload-entry.ts";
import { findWorkload, type PlaceAndPort } from "./explain-target.ts";
import { becauseWords, ignoredWords, overrodeWords, takenWords } from "./explain-words.ts";
import type { Configuration } from "./mtls-configuration.ts";

export type ExplainedPort = PortValue & {
  readonly workload: { readonly namespace: string; readonly name: string };
  readonly port: number;
  /** It has a proxy of the mesh, as far as its entry says. */
  readonly enforced: boolean;
  /** What else is to be known, in words. */
  readonly notes: readonly string[];
};

/** @throws ExplainError */
export function explainedPort(
  { view }: Configuration,
  { place, port }: PlaceAndPort,
): ExplainedPort {
  const entry = findWorkload(view, place);
  const { namespace, name } = entry.ref;
  const value = explainPort(view.mesh, { namespace, labels: entry.labels, name }, port);
  const enforced = takesMeshTls(entry);
  const notes = notesOf(view, entry, port);
  return { workload: { namespace, name }, port, ...value, enforced, notes };
}

export function portText(configuration: Configuration, value: ExplainedPort): string {
  const { workload, port, mode, notes } = value;
  const verb = value.enforced ? "takes" : "would take";
  const head = `${workload.namespace}/${workload.name}:${port} ${verb} ${takenWords[mode]}\n`;
  return head + portReasons(configuration, value) + notes.map((each) => `note: ${each}\n`).join("");
}

/** A line for each reason. */
export function portReasons(
  configuration: Configuration,
  { because, overrode, ignored }: PortValue,
): string {
  const lines = [
    `because ${becauseWords(configuration, because)}`,
    ...overrode.map(
      (each) => `instead of ${each.mode.toUpperCase()} by ${overrodeWords(configuration, each)}`,
    ),
    ...ignored.map((each) => `ignored: ${ignoredWords(configuration, each)}`),
  ];
  return lines.map((line) => `  ${line}\n`).join("");
}

/** The policies count for any port; somebody may have meant another one. */
function notesOf(
  view: Configuration["view"],
  entry: WorkloadEntry,
  port: number,
): readonly string[] {
  const name = nameKey(entry.ref);
  const known = [...view.portsOf(entry)].toSorted((a, b) => a - b);
  const notes: string[] = [];
  if (known.length > 0 && !known.includes(port)) {
    notes.push(`${name} is not known to listen on ${port}; known: ${known.join(", ")}`);
    for (const { ref, ports } of view.servicesOf(entry)) {
      const asked = ports.find(({ number }) => number === port);
      if (asked === undefined) continue;
      notes.push(`${port} of ${refWords(ref)} is port ${endpointPort(entry, asked)} of ${name}`);
    }
  }
  if (!takesMeshTls(entry)) {
    notes.push(`${name} has no proxy of the mesh, as its WorkloadEntry says: nobody enforces it`);
  }
  return notes;
}
