/** Whom the flips that are durable hold back, as their documents say it: without a line of the code that decides it. */

import type { Disk } from "./disk.ts";

interface Document {
  readonly target: { readonly selector: Readonly<Record<string, string>> };
  readonly ports: readonly number[];
  readonly exceptPorts: readonly number[];
  readonly stages: string;
  readonly opened: readonly { readonly index: number; readonly workloads: readonly string[] }[];
  readonly state: { readonly kind: string };
}

const free = new Set(["watching", "done", "reverted", "superseded"]);

/** @returns by workload and port; `isOwn`: a policy of its own makes it strict */
export function heldNaively({
  flips,
}: Pick<Disk, "flips">): (workload: string, port: number, isOwn: boolean) => boolean {
  const documents = Array.from(flips.values(), (json): Document => JSON.parse(json));
  const holding = documents.filter(({ state: { kind } }) => !free.has(kind));
  return (workload, port, isOwn) =>
    holding.some(({ target, ports, exceptPorts, state, opened, stages }) => {
      if (Object.keys(target.selector).length === 0 && isOwn) return false;
      if ((ports.length > 0 && !ports.includes(port)) || exceptPorts.includes(port)) return false;
      if (state.kind === "reverting") return true;
      if (opened.at(-1)?.index === stages.split(",").length - 1) return false;
      return !opened.some(({ workloads }) => workloads.includes(workload));
    });
}
